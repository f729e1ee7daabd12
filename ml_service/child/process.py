"""The parent's side: one child process with one model, started, spoken to, and ended.

The parent is an asyncio process that imports neither torch nor a model. It must stay responsive whatever happens here,
because it renews the leases of all its jobs.
"""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Self

import ml_service
from ml_service.child.errors import ChildDied, ModelLoadFailed
from ml_service.child.family import family
from ml_service.child.lifeline import DEVICE_LOST
from ml_service.child.memory import MemoryWatch
from ml_service.child.messages import (
    HEADER,
    BatchDone,
    BatchItem,
    Cancel,
    Described,
    LastWords,
    Load,
    LoadFailed,
    Outcome,
    Outcomes,
    Ready,
    Refused,
    RunBatch,
    Said,
    Stop,
    ToChild,
    ToParent,
    pack,
    read_to_parent,
)
from ml_service.child.outputs import RESULT_LIMIT
from ml_service.discovery import ModelReference
from ml_service.model import Batching
from shared.catalogue import ModelDescription
from shared.errors import InvalidModel
from shared.settings import BlobSettings

SOURCES = Path(ml_service.__file__).parents[1]  # the child imports the same code, wherever it was started
READ_AHEAD = 1024 * 1024  # bytes; larger frames come in as fast as they are read, without a copy for each chunk
LINGER = 1.0  # seconds between the end of the pipe and the end of the process, in whichever order

OnSaid = Callable[[Said], None]


@dataclass(slots=True)
class _Running:
    """The batch that the child has. `done` also when the child dies: then not every item has an outcome."""

    batch: int
    on_said: OnSaid
    done: asyncio.Future[None]
    outcomes: dict[int, Outcome] = field(default_factory=dict)


class ModelProcess:
    """Made by `spawn`. Whoever spawns it ends it, with `stop` or `kill`, also after a failure."""

    def __init__(
        self, process: Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, memory_limit: int
    ) -> None:
        self.jobs = 0  # that it has been given
        self.memory = MemoryWatch(process.pid, memory_limit)
        self.overgrown: str | None = None  # killed for holding more memory than it may, in words
        self._process = process
        self._reader = reader
        self._writer = writer
        self._batches = count(1)
        self._running: _Running | None = None
        self._death: str | None = None
        self._last_words = ""
        loop = asyncio.get_running_loop()
        # None: it died first. Results, not exceptions, which asyncio would complain of if nobody waited for them.
        self._described: asyncio.Future[Described | Refused | None] = loop.create_future()
        self._ready: asyncio.Future[Ready | LoadFailed | None] = loop.create_future()
        self._attending = asyncio.create_task(self._attend(), name=f"child {process.pid}")

    @classmethod
    async def spawn(
        cls,
        reference: ModelReference,
        *,
        files: Path,
        device: str,
        threads: int,
        warm_up: bool,
        blobs: BlobSettings,
        result_limit: int = RESULT_LIMIT,
        memory_limit: int = 0,
    ) -> Self:
        """Start a process and have it load the model. files: the model repository's root.

        device: auto, cuda, mps or cpu. threads: for torch, 0 to leave them to it. warm_up: compute the example before
        the first job comes. blobs: where it reads uploads. result_limit: bytes. memory_limit: bytes that it may hold, 0: as
        many as it likes.
        Raises ChildDied if the machine cannot start another process.
        """
        ours, theirs = socket.socketpair()
        try:
            process = await _start(theirs)
            reader, writer = await asyncio.open_unix_connection(sock=ours, limit=READ_AHEAD)
        except BaseException as error:
            ours.close()
            if isinstance(error, OSError):
                raise ChildDied(f"it cannot be started: {error}") from error
            raise
        finally:
            theirs.close()
        child = cls(process, reader, writer, memory_limit)
        place = _from_anywhere(blobs.blob_url)
        load = Load(reference.target, device, str(files), threads, warm_up, place, blobs.upload_limit, result_limit)
        child._tell(load)
        return child

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._death is None and self._process.returncode is None

    async def described(self) -> ModelDescription:
        """What the model says of itself, before it is loaded. Raises InvalidModel, ChildDied."""
        return (await self._description()).description

    async def batching(self) -> Batching:
        """How the model likes its jobs served; there when the description is. Raises InvalidModel, ChildDied."""
        return (await self._description()).batching

    async def ready(self) -> str:
        """Wait until batches can be run. The device it computes on. Raises InvalidModel, ModelLoadFailed, ChildDied."""
        await self._description()
        match await asyncio.shield(self._ready):
            case Ready(device=device):
                return device
            case LoadFailed(message=message):
                raise ModelLoadFailed(message)
            case None:
                raise ChildDied(self._reason())

    async def run(self, items: Sequence[BatchItem], on_said: OnSaid, *, patience: float = 0.0) -> dict[int, Outcome]:
        """One outcome for each item, by its place. One batch at a time. on_said: called at once, must not raise.

        patience: seconds to wait for a store that does not give out uploads.
        Raises ChildDied, with the outcomes that came before. Cancelling this call does not stop the child.
        """
        assert self._running is None, "one batch at a time"
        if not self.alive:
            raise ChildDied(self._reason())
        running = _Running(next(self._batches), on_said, asyncio.get_running_loop().create_future())
        self._running = running
        self.jobs += len(items)
        try:
            self._tell(RunBatch(running.batch, list(items), patience))
            await running.done
        finally:
            self._running = None
        if len(running.outcomes) < len(items):
            raise ChildDied(self._reason(), running.outcomes, overgrown=self.overgrown is not None)
        return running.outcomes

    def cancel(self, item: int) -> None:
        """Ask one item of the batch that runs to stop; its outcome says whether it did. Without a batch, nothing."""
        if self._running is not None:
            self._tell(Cancel(self._running.batch, item))

    async def stop(self, grace: float) -> None:
        """Let it finish what it has, for at most `grace` seconds, then kill it. Idempotent."""
        self._tell(Stop())
        await asyncio.wait({self._attending}, timeout=grace)
        await self.kill()

    async def ended(self) -> None:
        """Wait until the process is gone, for whatever reason."""
        await asyncio.wait({self._attending})

    async def kill(self) -> None:
        """End it at once, with the processes that the model started, and wait until it is gone. Idempotent."""
        if self.alive:
            self._send_kill()
        await self.ended()

    async def _description(self) -> Described:
        match await asyncio.shield(self._described):
            case Described() as described:
                return described
            case Refused(message=message):
                raise InvalidModel(message)
            case None:
                raise ChildDied(self._reason())

    def _tell(self, message: ToChild) -> None:
        # Not drained: one batch at a time bounds what can wait here. To a dead child nothing needs to be said.
        if self.alive and not self._writer.is_closing():
            self._writer.write(pack(message))

    def _send_kill(self) -> None:
        others = family(self.pid) - {self.pid}  # before: afterwards nobody knows who descends from whom
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        for pid in others:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)

    def _reason(self) -> str:
        status = self._process.returncode
        return self._death or ("ended early" if status is None else _reason_of(status))

    async def _attend(self) -> None:
        """See the child to its end: read the pipe, reap the process, and tell everybody who waits."""
        reading = asyncio.create_task(self._read())
        exiting = asyncio.create_task(self._process.wait())
        watching = asyncio.create_task(self._watch_memory())
        try:
            await asyncio.wait({reading, exiting}, return_when=asyncio.FIRST_COMPLETED)
            # Both come together but for a process that closed its pipe, or left it to one that it started.
            await asyncio.wait({reading, exiting}, timeout=LINGER)
            self._send_kill()
            reason = _reason_of(await exiting) + (f": {self._last_words}" if self._last_words else "")
            self._death = self.overgrown or reason
        finally:
            if self._death is None:  # this task was cancelled, as at the end of asyncio.run
                self._send_kill()
            for task in (reading, watching):
                task.cancel()
            await asyncio.wait({reading, watching})
            self._death = _broken(reading) or self._death or "abandoned"
            self._release()
            self._writer.close()
            with suppress(OSError):
                await self._writer.wait_closed()

    async def _watch_memory(self) -> None:
        if self.memory.limit:
            self.overgrown = await self.memory.until_exceeded()
            self._send_kill()

    def _release(self) -> None:
        for future in (self._described, self._ready):
            if not future.done():
                future.set_result(None)
        if self._running is not None and not self._running.done.done():
            self._running.done.set_result(None)

    async def _read(self) -> None:
        with suppress(asyncio.IncompleteReadError, OSError):
            while True:
                size = int.from_bytes(await self._reader.readexactly(HEADER), "big")
                self._receive(read_to_parent(await self._reader.readexactly(size)))

    def _receive(self, message: ToParent) -> None:
        match message:
            case Described() | Refused():
                self._described.set_result(message)
            case Ready() | LoadFailed():
                self.memory.note_ready()
                self._ready.set_result(message)
            case LastWords(message=words):
                self._last_words = words.partition("\n")[0]  # what follows them are hints for whoever debugs
            case Said() | Outcomes() | BatchDone():
                # A batch whose run() was cancelled may still report: there is nobody to hear it.
                if self._running is not None and self._running.batch == message.batch:
                    _note(message, self._running)


def _note(message: Said | Outcomes | BatchDone, running: _Running) -> None:
    match message:
        case Said():
            running.on_said(message)
        case Outcomes(outcomes=outcomes):
            running.outcomes.update(outcomes)
        case BatchDone():
            if not running.done.done():
                running.done.set_result(None)


async def _start(pipe: socket.socket) -> Process:
    """In a session of its own: a Ctrl-C in the terminal is not for it, and `kill` reaches what the model started."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "ml_service.child",
        str(pipe.fileno()),
        str(os.getpid()),
        stdin=DEVNULL,
        pass_fds=(pipe.fileno(),),
        start_new_session=True,
        env=_environment(os.environ),
    )


def _from_anywhere(url: str) -> str:
    """The same blobs, also once the model has changed its process's folder."""
    return url if "://" in url else str(Path(url).expanduser().absolute())


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    path = ours.get("PYTHONPATH")
    # Several models share the cores: threads that spin while they wait would take them from each other. Measured
    # with the text encoder beside other work on two cores: three to six times fewer texts a second without this.
    return {
        "OMP_WAIT_POLICY": "passive",
        **ours,
        "PYTHONPATH": f"{SOURCES}{os.pathsep}{path}" if path else str(SOURCES),
    }


def _reason_of(status: int) -> str:
    if status == DEVICE_LOST:
        return "its device was lost"
    if status >= 0:
        return f"exited with code {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


def _broken(reading: asyncio.Task[None]) -> str | None:
    """A message that cannot be read, or a callback that raised: the child is of no use any more."""
    if reading.cancelled() or (error := reading.exception()) is None:
        return None
    return f"what it said could not be taken in: {error!r}"
