"""The merged log."""

import io
import sys

import pytest

from deploy.local.console import Console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _on_terminal(monkeypatch: pytest.MonkeyPatch, *names: str) -> list[str]:
    terminal = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        console = Console()
        for name in names:
            console.say(name, "x")
    return terminal.getvalue().splitlines()


def test_each_line_says_whose_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.say("api", "serving")
    console.say("worker-1", "registered")
    assert capsys.readouterr().out == "api        | serving\nworker-1   | registered\n"


def test_on_a_terminal_every_name_has_its_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    first, second, third = _on_terminal(monkeypatch, "api", "broker", "api")
    assert first == third == "\x1b[36mapi        |\x1b[0m x"
    assert second.startswith("\x1b[32m")


def test_no_color_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert _on_terminal(monkeypatch, "api") == ["api        | x"]


def test_a_reader_that_went_away_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    Console().say("api", "x")
