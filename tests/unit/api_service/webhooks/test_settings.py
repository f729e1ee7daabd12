"""What can be set for webhooks."""

from ipaddress import ip_address, ip_network

import pytest

from api_service.webhooks.settings import WebhookSettings
from shared.errors import InvalidSettings
from shared.settings import read_settings


def test_nothing_private_and_nothing_unencrypted_by_default() -> None:
    rules = WebhookSettings().url_rules
    assert rules.wrong_with("http://example.com/") is not None
    assert not rules.permits(ip_address("10.0.0.1"))


def test_networks_are_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_ALLOWED_NETWORKS", "10.1.0.0/16, fd00::/8,")
    networks = read_settings(WebhookSettings).webhook_allowed_networks
    assert networks == (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))


@pytest.mark.parametrize("text", ["10.1.0.0/33", "example.com", "10.1.2.3/16"])
def test_what_is_no_network_stops_the_process(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEBHOOK_ALLOWED_NETWORKS", text)
    with pytest.raises(InvalidSettings, match="WEBHOOK_ALLOWED_NETWORKS"):
        read_settings(WebhookSettings)
