"""What can be set, and what is refused."""

import pytest
from pydantic import ValidationError

from api_service.settings import ApiSettings


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
