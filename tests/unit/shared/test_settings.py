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
