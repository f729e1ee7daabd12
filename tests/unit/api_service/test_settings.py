"""What can be set, and what is refused."""

import pytest
from pydantic import ValidationError

from api_service.caller import Scope
from api_service.settings import ApiSettings

HOUR = 3600.0


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_on_this_machine_alone_nobody_is_asked(host: str) -> None:
    assert not ApiSettings(api_host=host).everybody_is_asked


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", ""])
def test_where_others_can_connect_everybody_is_asked(host: str) -> None:
    assert ApiSettings(api_host=host).everybody_is_asked


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_what_is_said_out_loud_holds_wherever_it_listens(host: str) -> None:
    assert not ApiSettings(api_host=host, allow_unauthenticated=True).everybody_is_asked
    assert ApiSettings(api_host=host, allow_unauthenticated=False).everybody_is_asked


def test_hosts_are_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", "Example.com, *.example.org,")

    assert ApiSettings().allowed_hosts == ("example.com", "*.example.org")


def test_the_defaults_are_those_of_the_contract() -> None:
    """Whatever the environment of whoever runs the tests says."""
    defaults = {name: field.default for name, field in ApiSettings.model_fields.items()}

    assert defaults["default_queue_ttl"] == 24 * HOUR
    assert defaults["default_execution_timeout"] == HOUR / 2
    assert defaults["default_max_attempts"] == 3
    assert defaults["result_retention"] == 7 * 24 * HOUR
    assert defaults["row_retention"] == 30 * 24 * HOUR
    assert defaults["inline_input_limit"] == 2**20
    assert defaults["batch_body_limit"] == 16 * 2**20
    assert defaults["upload_limit"] == 100 * 2**20
    assert defaults["max_waiting_per_owner"] == 100_000
    assert defaults["max_wait"] == 60


def test_without_an_issuer_no_token_is_taken() -> None:
    assert ApiSettings().issuer_rules is None


def test_an_issuer_needs_an_audience() -> None:
    with pytest.raises(ValidationError, match="OIDC_AUDIENCE"):
        ApiSettings(oidc_issuer="https://issuer.example")


@pytest.mark.parametrize("url", ["http://issuer.example", "ftp://issuer.example", "issuer.example", "https://", ""])
def test_an_issuer_is_asked_where_nobody_else_can_answer(url: str) -> None:
    with pytest.raises(ValidationError, match="must be an https:// URL"):
        ApiSettings(oidc_issuer=url, oidc_audience="us")
    with pytest.raises(ValidationError, match="must be an https:// URL"):
        ApiSettings(oidc_jwks_url=url)


def test_what_a_token_allows_is_a_list_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OIDC_ISSUER", "https://accounts.google.com")
    monkeypatch.setenv("OIDC_AUDIENCE", "us")
    monkeypatch.setenv("OIDC_SCOPES", "read, admin")
    monkeypatch.setenv("OIDC_ADMINS", "ann@example.com, bob@example.com,")

    rules = ApiSettings().issuer_rules

    assert rules is not None
    assert rules.scopes == {Scope.READ, Scope.ADMIN}
    assert rules.admins == {"ann@example.com", "bob@example.com"}
    assert (rules.owner_claim, rules.verified_claim) == ("email", "email_verified")


def test_a_scope_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValidationError, match="oidc_scopes"):
        ApiSettings(oidc_scopes="read,fly")
