"""How the command is found, and what its exit status says."""

import tomllib
from pathlib import Path

import pytest

from deploy.client import (
    ConnectionFailed,
    InvalidRequest,
    Job,
    JobFailed,
    ProblemError,
    TorchrelayClientError,
    UnexpectedAnswer,
    WaitTimedOut,
)
from deploy.command.exits import exit_of
from deploy.command.run import main


def test_it_is_installed_as_torchrelay() -> None:
    scripts = tomllib.loads(Path("pyproject.toml").read_text())["project"]["scripts"]

    assert scripts == {"torchrelay": f"{main.__module__}:{main.__name__}"}


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (JobFailed(Job(id="1", state="cancelled")), 1),
        (InvalidRequest("no"), 2),
        (ConnectionFailed("no", uncertain=False), 3),
        (UnexpectedAnswer("no"), 3),
        (ProblemError(503, "database_unavailable", "no", None, (), 2.0), 3),
        (ProblemError(429, "quota", "no", None, (), 2.0), 3),
        (ProblemError(401, "unauthenticated", "no", None, (), None), 4),
        (ProblemError(422, "does_not_fit", "no", None, (), None), 4),
        (WaitTimedOut("1", None), 5),
    ],
)
def test_the_exit_status_tells_whose_doing_it_is(error: TorchrelayClientError, status: int) -> None:
    assert exit_of(error) == status


def test_version_and_help_end_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert main(["submit", "--help"]) == 0
    assert "--input-file" in capsys.readouterr().out


def test_what_it_cannot_read_is_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--limit", "0"]) == 2
    assert main(["--url", "nowhere", "models"]) == 2
    assert capsys.readouterr().err.endswith("it must begin with http:// or https://.\n")
