"""Keeps the parts running, and stops them in order."""

import asyncio
import signal
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from deploy.local.child import Child
from deploy.local.console import Console
from deploy.local.errors import CannotStart
from deploy.local.leftovers import Leftovers

NAME = "torchrelay"  # of the launcher itself, in the merged log
POLL = 0.05  # seconds between two questions whether a part is ready
START_TIMEOUT = 120.0  # seconds; a worker loads its models on a slow machine
FIRST_PAUSE = 0.5  # seconds before a part that died is started again, doubled with each death ...
LONGEST_PAUSE = 15.0
SETTLED = 30.0  # ... until one has lived for this long
TAIL = 30  # lines kept of a part that is not shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A part that runs until it is stopped. `ready` is given its process id; `prepare` comes before each start."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready: Callable[[int], Awaitable[bool]]
    prepare: Callable[[], Awaitable[None]] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace: float = 10.0  # seconds from that signal to SIGKILL
    quiet: bool = False  # what it says is shown only when it dies


class Supervised:
    """One component: started again whenever it ends by itself, with a growing pause. It never gives up, and says so."""

    def __init__(self, component: Component, console: Console, leftovers: Leftovers, hurry: asyncio.Event) -> None:
        self._component = component
        self._console = console
        self._leftovers = leftovers
        self._hurry = hurry
        self._child: Child | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._tail: deque[str] = deque(maxlen=TAIL)

    @property
    def pid(self) -> int:
        """Of the process that runs now; another one after a restart."""
        assert self._child is not None
        return self._child.pid

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.status is None

    async def start(self, once: Mapping[str, str] | None = None) -> None:
        """Returns when it is ready. Raises CannotStart if it ends before that, or takes too long.

        once: more settings, until it ends for the first time.
        """
        if self._keeper is not None:
            return
        try:
            await self._start_until_ready(once or {})
        except BaseException:
            await self._end()
            raise
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """Returns when it has ended. Does nothing where it does not run."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
        await self._end()

    async def _keep(self) -> None:
        pause = FIRST_PAUSE
        while True:
            started = asyncio.get_running_loop().time()
            reason = await self._reason_of_its_end()
            if asyncio.get_running_loop().time() - started > SETTLED:
                pause = FIRST_PAUSE
            self._say(f"{reason} It is started again in {pause:g} s.")
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _reason_of_its_end(self) -> str:
        """Starts it where it does not run, and returns a sentence when it does not any more."""
        try:
            child = self._child if self._child and self.running else await self._spawn()
            status = await child.wait()
        except CannotStart as error:
            return str(error)
        self._show_tail()
        return f"{self._component.name} {how_it_ended(status)}."

    async def _spawn(self, once: Mapping[str, str] | None = None) -> Child:
        if self._component.prepare is not None:
            await self._component.prepare()
        environment = {**self._component.environment, **(once or {})}
        self._child = await Child.spawn(self._component.command, environment, self._hear)
        self._leftovers.note(self._child.pid)
        return self._child

    async def _start_until_ready(self, once: Mapping[str, str]) -> None:
        child = await self._spawn(once)
        try:
            async with asyncio.timeout(START_TIMEOUT):
                while not await self._component.ready(child.pid):
                    if child.status is not None:
                        raise await self._failure(how_it_ended(child.status))
                    await asyncio.sleep(POLL)
        except TimeoutError:
            raise await self._failure(f"was not ready within {START_TIMEOUT:g} s") from None

    async def _failure(self, reason: str) -> CannotStart:
        await self._end()
        self._show_tail()
        return CannotStart(f"{self._component.name} {reason} while starting: what it said is above.")

    async def _end(self) -> None:
        if self._child is None:
            return
        await self._child.end(self._component.stop_signal, self._component.grace, self._hurry)
        self._leftovers.forget(self._child.pid)

    def _hear(self, line: str) -> None:
        if self._component.quiet:
            self._tail.append(line)
        else:
            self._console.say(self._component.name, line)

    def _show_tail(self) -> None:
        while self._tail:
            self._console.say(self._component.name, self._tail.popleft())

    def _say(self, text: str) -> None:
        self._console.say(NAME, text)


class Supervisor:
    """All components by name, in the order in which they were added."""

    def __init__(self, console: Console, leftovers: Leftovers) -> None:
        self._console = console
        self._leftovers = leftovers
        self._hurry = asyncio.Event()
        self.processes: dict[str, Supervised] = {}

    async def start(self, component: Component) -> None:
        process = Supervised(component, self._console, self._leftovers, self._hurry)
        self.processes[component.name] = process
        await process.start()

    async def run(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """A command that ends by itself. Raises CannotStart if it fails."""
        child = await Child.spawn(command, environment, lambda line: self._console.say(name, line))
        self._leftovers.note(child.pid)
        try:
            status = await child.wait()
        finally:
            await child.end(signal.SIGTERM, 0.0, self._hurry)
            self._leftovers.forget(child.pid)
        if status != 0:
            raise CannotStart(f"{name} {how_it_ended(status)}: what it said is above.")

    async def stop(self, *stages: Sequence[str]) -> None:
        """One stage after the other; those of a stage together. Names that were never started are passed over."""
        for stage in stages:
            there = [self.processes[name] for name in stage if name in self.processes]
            await asyncio.gather(*(process.stop() for process in there))

    def hurry(self) -> None:
        """Cuts all grace periods short, those that run and those to come."""
        self._hurry.set()


def how_it_ended(status: int) -> str:
    if status >= 0:
        return f"ended with exit status {status}"
    return f"was ended by {signal.Signals(-status).name}"
