"""/metrics: this process and the queues, as Prometheus reads them. A registry of its own: nothing is counted globally."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.registry import Collector

from api_service.counts import Counts
from api_service.request_times import RequestTimes
from api_service.statistics import Statistics
from shared.errors import DatabaseUnavailable
from shared.states import JobState
from shared.statistics import QueueLoad

log = structlog.get_logger(__name__)

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
# What waits or runs. How many have finished is a counter of the workers' business, and /v1/stats has it.
_UNFINISHED = [state for state in JobState if not state.finished]


class Metrics:
    """waiting: how many requests wait for news of a job at this moment."""

    def __init__(self, counts: Counts, times: RequestTimes, statistics: Statistics, waiting: Callable[[], int]) -> None:
        self._statistics = statistics
        self._registry = CollectorRegistry(auto_describe=False)
        for collector in (times, _OfProcess(counts, waiting)):
            self._registry.register(collector)
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    async def render(self) -> bytes:
        """In the text format. Without the queues where the database does not answer: the rest is needed then."""
        queues = CollectorRegistry(auto_describe=False)
        try:
            queues.register(_OfQueues(await self._statistics.load(), await self._statistics.dead_letters()))
        except DatabaseUnavailable as error:
            log.warning("metrics without the queues", error=str(error))
        return generate_latest(self._registry) + generate_latest(queues)


class _OfProcess(Collector):
    def __init__(self, counts: Counts, waiting: Callable[[], int]) -> None:
        self._counts = counts
        self._waiting = waiting

    def collect(self) -> Iterator[Metric]:
        counts = self._counts
        yield GaugeMetricFamily(
            "torchrelay_waiting_requests", "Requests that wait for news of a job.", value=self._waiting()
        )
        yield _counter("submissions", "Jobs that this process has stored.", counts.submitted)
        yield _counter_by(
            "status_reads",
            "Polls, by where they were answered from.",
            "source",
            {"cache": counts.status_hits, "database": counts.status_misses},
        )
        yield _counter("relay_published", "Messages that the broker has taken.", counts.published)
        yield _counter(
            "relay_errors", "Messages that the broker has not taken; they are sent again.", counts.publish_failures
        )
        yield _counter_by(
            "reconciled_jobs",
            "Jobs that this process's reconciler got back on their way.",
            "what",
            {"requeued": counts.requeued, "expired": counts.expired, "republished": counts.republished},
        )
        yield _counter_by(
            "purged",
            "What this process has removed because it was kept for long enough; orphans are files without a row.",
            "what",
            {
                "result": counts.purged_results,
                "job": counts.purged_rows,
                "upload": counts.purged_uploads,
                "orphan": counts.removed_orphans,
            },
        )


class _OfQueues(Collector):
    def __init__(self, load: Mapping[str, QueueLoad], dead_letters: Mapping[str, int]) -> None:
        self._load = load
        self._dead_letters = dead_letters

    def collect(self) -> Iterable[Metric]:
        depth = GaugeMetricFamily("torchrelay_queue_jobs", "Unfinished jobs of a queue.", labels=("queue", "state"))
        oldest = GaugeMetricFamily(
            "torchrelay_queue_oldest_waiting_seconds", "How long the oldest job of a queue waits.", labels=("queue",)
        )
        dead = GaugeMetricFamily("torchrelay_dead_letters", "Dead letters of a queue that are kept.", labels=("queue",))
        for queue, load in self._load.items():
            for state in _UNFINISHED:
                depth.add_metric((queue, state.value), load.counts.get(state, 0))
            oldest.add_metric((queue,), load.oldest or 0.0)
        for queue, kept in self._dead_letters.items():
            dead.add_metric((queue,), kept)
        return (depth, oldest, dead)


def _counter(name: str, text: str, value: int) -> Metric:
    return CounterMetricFamily(f"torchrelay_{name}", text, value=value)


def _counter_by(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(f"torchrelay_{name}", text, labels=(label,))
    for value, count in values.items():
        family.add_metric((value,), count)
    return family
