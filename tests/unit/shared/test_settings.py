"""Settings from the environment, and what is said of those that do not fit."""

import pytest

from shared.errors import InvalidSettings
from shared.settings import BrokerSettings, LeaseSettings, read_settings


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASE_SECONDS", "")
    assert read_settings(LeaseSettings).lease_seconds == 30.0


def test_every_value_that_does_not_fit_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBSUB_PROVISION", "perhaps")
    monkeypatch.setenv("PUBSUB_PULL_SECONDS", "soon")
    with pytest.raises(InvalidSettings, match=r"(?s)PUBSUB_PROVISION: .*\nPUBSUB_PULL_SECONDS: "):
        read_settings(BrokerSettings)


@pytest.mark.parametrize(("lease", "heartbeat"), [("30", "10.1"), ("5", "60"), ("10", "")])
def test_a_heartbeat_that_comes_too_late_for_its_lease_is_refused(
    monkeypatch: pytest.MonkeyPatch, lease: str, heartbeat: str
) -> None:
    """Such a worker would be declared dead again and again, and lose whatever it does."""
    monkeypatch.setenv("LEASE_SECONDS", lease)
    monkeypatch.setenv("HEARTBEAT_SECONDS", heartbeat)
    refusal = rf"^HEARTBEAT_SECONDS={heartbeat or '5'} is too long for LEASE_SECONDS={lease}: at most a third of it"
    with pytest.raises(InvalidSettings, match=refusal):
        read_settings(LeaseSettings)


def test_two_heartbeats_may_fail_within_a_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEASE_SECONDS", "3")
    monkeypatch.setenv("HEARTBEAT_SECONDS", "1")
    assert read_settings(LeaseSettings).heartbeat_seconds == 1.0
