"""How the queues are doing, as clients see it."""

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from api_service.statistics import QueueStatistics
from shared.states import JobState
from shared.statistics import Percentiles

Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0)]


class StateCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs of each state. Of the finished ones those that are still kept."""

    queued: Count
    running: Count
    cancelling: Count
    succeeded: Count
    failed: Count
    cancelled: Count
    expired: Count


class PercentilesView(msgspec.Struct, frozen=True):
    """Seconds; null where no job of the queue has been done within the last hour."""

    p50: Seconds | None
    p95: Seconds | None
    p99: Seconds | None


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    queue: str
    counts: Annotated[
        StateCounts,
        Meta(
            description="The unfinished ones are a second old at most, the finished ones 30 s. Where counting takes "
            "long, twenty times as old as it takes."
        ),
    ]
    oldest_waiting: Annotated[Seconds | None, Meta(description="Seconds that the oldest waits. null: none does.")]
    done_per_minute: Annotated[Count, Meta(description="Jobs that succeeded or failed within the last minute.")]
    waiting: Annotated[
        PercentilesView, Meta(description="From being due in the queue, the latest time, to the start of the work.")
    ]
    running: Annotated[PercentilesView, Meta(description="From the start of the last attempt to its end.")]


class StatsView(msgspec.Struct, frozen=True):
    """Each queue, by name. Percentiles are of the latest 1,000 jobs that it has done, of the last hour at most."""

    queues: list[QueueView]


def render_stats(queues: Iterable[QueueStatistics]) -> bytes:
    return msgspec.json.encode(StatsView([_queue(one) for one in queues]))


def _queue(one: QueueStatistics) -> QueueView:
    return QueueView(
        queue=one.queue,
        counts=StateCounts(**{state.value: one.counts[state] for state in JobState}),
        oldest_waiting=one.oldest,
        done_per_minute=one.flow.done,
        waiting=_percentiles(one.flow.waiting),
        running=_percentiles(one.flow.running),
    )


def _percentiles(values: Percentiles) -> PercentilesView:
    return PercentilesView(values.p50, values.p95, values.p99)
