"""One process: started in a group of its own, read line by line, and ended for certain."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from deploy.local.errors import CannotStart

Say = Callable[[str], None]

HURRIED_GRACE = 2.0  # seconds for a process that is asked a second time
LAST_WORDS = 1.0  # seconds for what it still had to say when it ended
_CHUNK = 65_536  # bytes; a longer line is broken there


class Child:
    """Use `spawn`. The terminal's Ctrl-C does not reach it: whoever started it decides when it ends, and how."""

    def __init__(self, process: asyncio.subprocess.Process, reading: "asyncio.Task[None]") -> None:
        self._process = process
        self._reading = reading
        self._swept = False

    @classmethod
    async def spawn(cls, command: Sequence[str], environment: Mapping[str, str], say: Say) -> "Child":
        """`say` gets each line of its output, both streams. Raises CannotStart if there is no such program."""
        # Our own pipe: with asyncio's, waiting for the process also waits for every process that inherited the pipe.
        reading, writing = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                start_new_session=True,
            )
        except BaseException as error:
            os.close(reading)
            if isinstance(error, OSError):
                raise CannotStart(f"{Path(command[0]).name} cannot be run: {error.strerror}.") from error
            raise
        finally:
            os.close(writing)
        return cls(process, asyncio.create_task(_read(reading, say)))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Its exit status once it has ended; negative: the signal that ended it."""
        return self._process.returncode

    async def wait(self) -> int:
        """Until it has ended. What it leaves of its group ends with it."""
        status = await self._process.wait()
        if not self._swept:  # once: the number may belong to others later
            self._swept = True
            self._kill_group()
        await asyncio.wait({self._reading}, timeout=LAST_WORDS)
        self._reading.cancel()
        return status

    async def end(self, politely: signal.Signals, grace: float, hurry: asyncio.Event) -> None:
        """Asks it with the signal `politely`; once more as soon as `hurry` is set; kills it after `grace` seconds."""
        with suppress(TimeoutError):
            self._signal(politely)
            await self._ended(grace, hurry)
            if hurry.is_set() and self.status is None:
                self._signal(politely)
                await self._ended(HURRIED_GRACE)
        if self.status is None:
            self._kill_group()
        await self.wait()

    async def _ended(self, patience: float, interrupt: asyncio.Event | None = None) -> None:
        """Returns when it has ended, or at the interrupt; raises TimeoutError."""
        waits = {asyncio.ensure_future(self._process.wait())}
        if interrupt is not None:
            waits.add(asyncio.ensure_future(_as_status(interrupt)))
        done, pending = await asyncio.wait(waits, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        if not done:
            raise TimeoutError

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):  # PermissionError is what a Mac says of one that has ended
            os.killpg(self.pid, signal.SIGKILL)


async def _as_status(event: asyncio.Event) -> int:
    await event.wait()
    return 0


async def _read(pipe: int, say: Say) -> None:
    stream = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(stream)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(pipe, "rb"))
    rest = b""
    try:
        while chunk := await stream.read(_CHUNK):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) >= _CHUNK:
                lines, rest = [*lines, rest], b""
            for line in lines:
                say(line.decode(errors="replace").rstrip("\r"))
    finally:
        if rest:
            say(rest.decode(errors="replace"))
        transport.close()
