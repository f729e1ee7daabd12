"""What the models say of their jobs, gathered and written: one statement for all jobs every half second."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field

import structlog

from ml_service.child.messages import Log, Metrics, Progress, Said
from ml_service.worker.attempts import Attempt
from shared import job
from shared.database.attempt_events import AttemptEvents, write_events
from shared.database.pool import Database
from shared.errors import DatabaseRefused, DatabaseUnavailable
from shared.events import EventType, NewEvent

log = structlog.get_logger(__name__)

EVERY = 0.5  # seconds: sooner nobody could follow it, and each is a commit
# Kept of one attempt while the database is away: a minute of what a chatty model gets through.
MOST_WAITING = 600
# A settlement waits for its job's events, but not for long: the result is worth more.
FLUSH_PATIENCE = 2.0  # seconds


@dataclass(slots=True)
class _Unwritten:
    """Of one attempt. progress: only the latest counts; said: its logs and metrics, `left_out` older ones are gone."""

    progress: Said | None = None
    said: deque[Said] = field(default_factory=deque)
    left_out: int = 0

    def add(self, said: Said) -> None:
        if isinstance(said.what, Progress):
            self.progress = said
            return
        self.said.append(said)
        self._bound()

    def put_before(self, older: "_Unwritten") -> None:
        """What could not be written, back where it was."""
        self.progress = self.progress or older.progress
        self.said.extendleft(reversed(older.said))
        self.left_out += older.left_out
        self._bound()

    def in_order(self) -> list[Said]:
        left_out = [Said(0, None, self.said[0].at, _left_out(self.left_out))] if self.left_out and self.said else []
        progress = [self.progress] if self.progress else []
        return sorted([*left_out, *self.said, *progress], key=lambda one: one.at)

    def _bound(self) -> None:
        while len(self.said) > MOST_WAITING:
            self.said.popleft()
            self.left_out += 1


class EventWriter:
    """cap: how many events a job may have. refused: how many were for attempts that were not the job's any more."""

    def __init__(self, db: Database, cap: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._cap = cap
        self._clock = clock
        self._unwritten: dict[Attempt, _Unwritten] = {}
        self._under_way: frozenset[Attempt] = frozenset()
        self._one_at_a_time = asyncio.Lock()  # so that an attempt's events are numbered in their order
        self.refused = 0

    def note(self, attempt: Attempt, said: Said) -> None:
        """Written with the next tick, or before the attempt is settled."""
        self._unwritten.setdefault(attempt, _Unwritten()).add(said)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            if self._unwritten:
                async with self._one_at_a_time:
                    await self._write(list(self._unwritten))

    async def flush(self, attempts: Iterable[Attempt]) -> None:
        """Before they are settled: then they may not write any more. Never raises, and gives up soon."""
        wanted = [one for one in attempts if one in self._unwritten or one in self._under_way]
        if not wanted:
            return
        try:
            async with asyncio.timeout(FLUSH_PATIENCE), self._one_at_a_time:
                await self._write([one for one in wanted if one in self._unwritten])
        except TimeoutError:
            log.warning("events not written before the end of their jobs", jobs=_ids(wanted), seconds=FLUSH_PATIENCE)

    def forget(self, attempts: Iterable[Attempt]) -> None:
        for attempt in attempts:
            self._unwritten.pop(attempt, None)

    def only_progress(self, attempt: Attempt) -> bool:
        """Nothing but how far it is, which nobody asks of a job that has succeeded."""
        unwritten = self._unwritten.get(attempt)
        return unwritten is not None and not unwritten.said and attempt not in self._under_way

    async def _write(self, attempts: Sequence[Attempt]) -> None:
        """What there is of these; what the database does not take for now is kept."""
        taken = {attempt: self._unwritten.pop(attempt) for attempt in attempts}
        if not taken:
            return
        self._under_way = frozenset(taken)
        try:
            await self._write_or_drop(taken)
        except BaseException as error:  # also where a flush is given up
            for attempt, unwritten in taken.items():
                self._unwritten.setdefault(attempt, _Unwritten()).put_before(unwritten)
            if not isinstance(error, DatabaseUnavailable):
                raise
            log.info("events not written yet", jobs=len(taken), error=str(error))
        finally:
            self._under_way = frozenset()

    async def _write_or_drop(self, taken: dict[Attempt, _Unwritten]) -> None:
        """Empties `taken`. What the database refuses is dropped, and only that: each attempt's by itself."""
        try:
            held = await write_events(self._db, [self._of(*one) for one in taken.items()], self._cap)
        except DatabaseRefused as error:
            if len(taken) > 1:
                for attempt in list(taken):
                    await self._write_or_drop({attempt: taken[attempt]})
                    del taken[attempt]
                return
            log.error("events cannot be stored", jobs=_ids(taken), error=str(error))
        else:
            self._note_late({attempt: one for attempt, one in taken.items() if attempt.claimed.id not in held})
        taken.clear()

    def _note_late(self, late: dict[Attempt, _Unwritten]) -> None:
        """Rule 1: zero rows is never silence."""
        if late:
            events = sum(len(one.in_order()) for one in late.values())
            self.refused += events
            log.warning(
                "events refused: the jobs belong to newer attempts, or have ended", jobs=_ids(late), events=events
            )

    def _of(self, attempt: Attempt, unwritten: _Unwritten) -> AttemptEvents:
        now = self._clock()
        events = [_event(said, now) for said in unwritten.in_order()]
        latest = unwritten.progress.what if unwritten.progress else None
        progress = job.Progress(latest.fraction, latest.message) if isinstance(latest, Progress) else None
        return AttemptEvents(*attempt.key, events, progress)


def _event(said: Said, now: float) -> NewEvent:
    age = max(0.0, now - said.at)
    match said.what:
        case Progress(fraction=fraction, message=message):
            return NewEvent(EventType.PROGRESS, asdict(job.Progress(fraction, message)), age)
        case Log(level=level, message=message):
            return NewEvent(EventType.LOG, {"level": level, "message": message}, age)
        case Metrics(values=values, step=step):
            return NewEvent(EventType.METRICS, {"values": values, "step": step}, age)


def _left_out(count: int) -> Log:
    return Log("warning", f"{count:,} lines and metrics left out: the database was away")


def _ids(attempts: Collection[Attempt]) -> list[str]:
    return [str(attempt.claimed.id) for attempt in attempts]
