"""Which broker is used, and that it says so."""

from pathlib import Path

import pytest

from deploy.local import brokers
from deploy.local.brokers import Elsewhere, choose
from deploy.local.emulator import Emulator, Installation, Missing
from deploy.local.errors import CannotStart
from deploy.local.standin.process import StandInProcess

INSTALLED = Installation(Path("java"), Path("emulator.jar"))
MISSING = Missing("there is no gcloud on the PATH")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "find", lambda: INSTALLED)


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(brokers, "find", lambda: MISSING)


def port() -> int:
    return 8085


@pytest.mark.usefixtures("installed")
def test_googles_emulator_comes_first_where_it_is_installed() -> None:
    assert choose(None, port) == (
        Emulator(port=8085, installation=INSTALLED),
        "broker: Google's Pub/Sub emulator",
    )


@pytest.mark.usefixtures("missing")
def test_otherwise_it_is_the_stand_in_and_the_reason_is_said() -> None:
    assert choose(None, port) == (
        StandInProcess(port=8085),
        "broker: Torchrelay's stand-in for Pub/Sub (there is no gcloud on the PATH)",
    )


@pytest.mark.usefixtures("installed")
def test_the_stand_in_is_used_where_it_is_wanted() -> None:
    assert choose("embedded", port)[0] == StandInProcess(port=8085)


@pytest.mark.usefixtures("missing")
def test_the_emulator_is_not_replaced_where_it_is_wanted() -> None:
    with pytest.raises(CannotStart, match=r"no gcloud on the PATH\. Install .*--broker embedded"):
        choose("official", port)


def test_one_that_runs_elsewhere_is_taken_as_it_is() -> None:
    assert choose("somewhere:1234", port) == (Elsewhere("somewhere:1234"), "broker: the broker at somewhere:1234")


@pytest.mark.parametrize("nonsense", ["offical", "host", "host:", ":1", "http://host/"])
def test_what_is_none_of_these_is_refused(nonsense: str) -> None:
    with pytest.raises(CannotStart, match=r"official.*embedded.*host:port"):
        choose(nonsense, port)


def test_one_that_does_not_answer_is_said_so() -> None:
    with pytest.raises(CannotStart, match=r"Nothing answers at 127\.0\.0\.1:1"):
        Elsewhere("127.0.0.1:1").check()
