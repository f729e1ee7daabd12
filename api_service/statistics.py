"""How the queues are doing, at a cost that does not grow with how many ask."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial

from api_service.catalogue_cache import CatalogueCache
from api_service.refreshed import Refreshed
from shared.database.dead_letters import count_dead_letters
from shared.database.pool import Database
from shared.database.statistics import read_ended, read_flow, read_load
from shared.states import JobState
from shared.statistics import Percentiles, QueueFlow, QueueLoad

# Seconds that each may be old. How many have finished is history: it is counted seldom, over all rows there are.
LOAD_LIFETIME = 1.0
FLOW_LIFETIME = 2.0
DEAD_LETTERS_LIFETIME = 5.0
ENDED_LIFETIME = 30.0

NO_LOAD = QueueLoad({})
NO_FLOW = QueueFlow(0, Percentiles(), Percentiles())

Ended = Mapping[str, Mapping[JobState, int]]


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """One queue. counts: of all seven states."""

    queue: str
    counts: Mapping[JobState, int]
    oldest: float | None
    flow: QueueFlow


class Statistics:
    """queues: the names of those that models have, with or without a job."""

    def __init__(self, db: Database, queues: Callable[[], Awaitable[Collection[str]]]) -> None:
        self._queues = queues
        self._load = Refreshed(partial(read_load, db), LOAD_LIFETIME)
        self._ended = Refreshed(partial(read_ended, db), ENDED_LIFETIME)
        self._dead_letters = Refreshed(partial(count_dead_letters, db), DEAD_LETTERS_LIFETIME)
        self._flow = Refreshed(partial(self._read_flow, db), FLOW_LIFETIME)

    async def load(self) -> Mapping[str, QueueLoad]:
        """What the queues have to do, also those that have nothing to do. Raises DatabaseUnavailable."""
        return dict.fromkeys(sorted(await self._queues()), NO_LOAD) | await self._load.get()

    async def dead_letters(self) -> Mapping[str, int]:
        """How many of each queue are kept, also of those that have none. Raises DatabaseUnavailable."""
        return dict.fromkeys(sorted(await self._queues()), 0) | await self._dead_letters.get()

    async def of_queues(self) -> list[QueueStatistics]:
        """By name. Raises DatabaseUnavailable."""
        load, ended, flow = await self.load(), await self._ended.get(), await self._flow.get()
        return [
            QueueStatistics(
                queue,
                {**dict.fromkeys(JobState, 0), **ended.get(queue, {}), **load.get(queue, NO_LOAD).counts},
                load.get(queue, NO_LOAD).oldest,
                flow.get(queue, NO_FLOW),
            )
            for queue in sorted(load.keys() | ended.keys())
        ]

    async def _read_flow(self, db: Database) -> dict[str, QueueFlow]:
        ended: Ended = await self._ended.get()
        return await read_flow(db, sorted({*await self._queues(), *ended}))


async def queues_of(catalogue: CatalogueCache) -> set[str]:
    """The queues that there are models for."""
    models = await catalogue.models()
    return {version.description.queue for model in models.values() for version in model.versions}
