"""Dummy parts: small programs that do what is asked of them, and say so."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from deploy.local.console import Console
from deploy.local.leftovers import Leftovers
from deploy.local.supervisor import Component, Supervisor

# Says "up", and on SIGTERM what it is told to before it ends.
POLITE = """
import signal, sys, time
def on_term(*_):
    print("asked", flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, on_term)
print("up", flush=True)
while True: time.sleep(60)
"""

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: print("asked", flush=True))
print("up", flush=True)
while True: time.sleep(60)
"""


class Heard(Console):
    """Keeps what was said, as (name, text)."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, str]] = []

    def say(self, name: str, text: str) -> None:
        super().say(name, text)
        self.lines.append((name, text))

    def count(self, name: str, text: str) -> int:
        return self.lines.count((name, text))


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def leftovers(tmp_path: Path) -> Leftovers:
    return Leftovers(tmp_path / "processes.json")


@pytest.fixture
async def supervisor(heard: Heard, leftovers: Leftovers) -> AsyncIterator[Supervisor]:
    """Leaves nothing running."""
    supervisor = Supervisor(heard, leftovers)
    yield supervisor
    supervisor.hurry()
    await supervisor.stop(list(supervisor.processes))


DummyFactory = Callable[..., Component]


@pytest.fixture
def dummy(heard: Heard) -> DummyFactory:
    """A component that is ready when it has said "up"."""

    def make(name: str, program: str = POLITE, *, grace: float = 10.0, quiet: bool = False) -> Component:
        async def ready(_pid: int) -> bool:
            return quiet or bool(heard.count(name, "up"))

        probe: Callable[[int], Awaitable[bool]] = ready
        command = [sys.executable, "-c", program]
        return Component(name=name, command=command, environment={}, ready=probe, grace=grace, quiet=quiet)

    return make
