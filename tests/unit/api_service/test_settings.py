"""What can be set, and what is refused."""

import pytest
from pydantic import ValidationError

from api_service.settings import ApiSettings

HOUR = 3600.0


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_this_machine_alone_may_be_served_without_asking_who(host: str) -> None:
    assert ApiSettings(api_host=host).api_host == host


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", ""])
def test_others_are_refused_and_told_what_to_set(host: str) -> None:
    with pytest.raises(ValidationError, match="ALLOW_UNAUTHENTICATED=true"):
        ApiSettings(api_host=host)


def test_others_may_be_served_if_it_is_said_out_loud() -> None:
    assert ApiSettings(api_host="0.0.0.0", allow_unauthenticated=True).allow_unauthenticated


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
    assert defaults["max_wait"] == 60
