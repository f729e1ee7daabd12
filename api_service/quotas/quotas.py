"""Whether a submission may be stored: how fast its owner submits, how much of theirs waits, how full its queue is."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from api_service.errors import QueueFull, TooManyWaiting, TryLater
from api_service.quotas.rate_limit import RateLimit
from api_service.quotas.waiting_jobs import Storing, WaitingJobs
from shared.job import NewJob


@dataclass(frozen=True, slots=True)
class Caps:
    """Jobs that may wait at once."""

    per_owner: int
    per_queue: int


class Quotas:
    """until_taken: seconds until a queue has had so many of its jobs taken out by workers. rate None: any."""

    def __init__(
        self, waiting: WaitingJobs, caps: Caps, rate: RateLimit | None, until_taken: Callable[[str, int], int]
    ) -> None:
        self._waiting = waiting
        self._caps = caps
        self._rate = rate
        self._until_taken = until_taken

    async def admit(self, new: Sequence[NewJob]) -> Storing:
        """-> a context, to be entered at once, inside which they are stored. All or nothing; they have one owner.

        Raises RateLimited, TooManyWaiting, QueueFull, or DatabaseUnavailable.
        """
        owner, queues = new[0].owner, {new[0].queue: 1} if len(new) == 1 else Counter(job.queue for job in new)
        await self._waiting.known()
        refusal = self._refusal(owner, queues)
        if refusal is not None and await self._waiting.up_to_date():  # nobody is refused by what is no longer so
            refusal = self._refusal(owner, queues)
        if refusal is not None:
            raise refusal
        # Nothing is waited for from here on: who comes at the same time must see this one counted.
        if self._rate is not None:
            self._rate.take(owner, len(new))
        return self._waiting.storing(owner, queues)

    async def drain(self) -> None:
        """Returns when nothing is being counted any more."""
        await self._waiting.drain()

    def _refusal(self, owner: str, queues: Mapping[str, int]) -> TryLater | None:
        for queue, jobs in queues.items():
            if (surplus := self._waiting.of_queue(queue) + jobs - self._caps.per_queue) > 0:
                return QueueFull(
                    f"As many jobs as may wait in the queue {queue!r} do ({self._caps.per_queue}).",
                    self._until_taken(queue, surplus),
                )
        if (surplus := self._waiting.of_owner(owner) + sum(queues.values()) - self._caps.per_owner) > 0:
            return TooManyWaiting(
                f"You may have {self._caps.per_owner} jobs waiting for a worker.",
                self._until_taken(next(iter(queues)), surplus),
            )
        return None
