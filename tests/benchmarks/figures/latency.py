"""Submit one `echo` job to an idle system and see its result: milliseconds from the first byte sent to the answer read.

By one call with `Prefer: wait`, and by a submission followed by `GET ?wait=`. One client, one job at a time; after a pause,
for which all processes have slept, and, with the stand-in, the next as soon as the last is seen. Both brokers deliver on
their own clock, so it is measured with each that this machine has, and beside it what is the broker's own: from
publishing one message until a pull that already waits has brought it.
"""

import asyncio
import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from deploy.local.emulator import Missing, find
from shared.broker.pubsub import Pubsub
from tests.benchmarks.bench import Bench, Benchmark
from tests.benchmarks.exchange import Exchange
from tests.benchmarks.figure import Aim, Figure, Of
from tests.benchmarks.load import request
from tests.benchmarks.rig import Rig
from tests.benchmarks.samples import Samples, percentile

OFFICIAL, EMBEDDED = "official", "embedded"
P50_AIM = Aim(5.0, Of.MEASURED, at_most=True)  # with the stand-in: the emulator's tick alone is ten times as long
LIMIT = "the broker alone: publish one message, until a waiting pull has brought it"
BODY = b'{"model":"echo","input":{"value":1}}'
SUBMIT = request("POST", "/v1/jobs", body=BODY)
SUBMIT_AND_WAIT = request("POST", "/v1/jobs", {"Prefer": "wait=30"}, BODY)
QUEUE = "bench-tick"
WARM_UP = 5  # jobs
# Seconds between two. Drawn, and over more than the emulator's tick of 50 ms: with the same pause each time, all would
# meet the tick at the same moment, and the figure would be that of the moment.
PAUSE = (0.02, 0.07)
NO_PAUSE = (0.0, 0.0)

Once = Callable[[], Awaitable[float]]  # -> seconds


@dataclass(slots=True)
class Timed:
    """The milliseconds of each round."""

    rounds: list[list[float]] = field(default_factory=list)

    def percentiles(self, share: float) -> Samples:
        return Samples.of(percentile(one, share) for one in self.rounds)


async def measure(bench: Bench) -> list[Figure]:
    brokers = [EMBEDDED] if isinstance(find(), Missing) else [OFFICIAL, EMBEDDED]
    return [figure for broker in brokers for figure in await _with(bench, broker)]


async def _with(bench: Bench, broker: str) -> list[Figure]:
    async with bench.rig(broker=broker) as rig, rig.worker("echo"), Exchange(rig.port) as ask:
        pubsub = await _pubsub(rig)
        prefer, wait = lambda: _prefer(ask), lambda: _submit_then_wait(ask)
        ways: dict[str, tuple[Once, tuple[float, float]]] = {"Prefer: wait": (prefer, PAUSE), "?wait=": (wait, PAUSE)}
        if broker == EMBEDDED:
            ways["back to back"] = prefer, NO_PAUSE
        timed = {name: Timed() for name in ways}
        alone = Timed()
        try:
            for once, pause in ways.values():
                await _times(once, pause, WARM_UP)
            await _times(lambda: _tick(pubsub), PAUSE, WARM_UP)
            for _ in bench.rounds():
                for name, (once, pause) in ways.items():
                    timed[name].rounds.append(await _times(once, pause, bench.scale.latencies))
                alone.rounds.append(await _times(lambda: _tick(pubsub), PAUSE, bench.scale.latencies))
        finally:
            await pubsub.close()
    return [
        _figure(f"seen, {broker}, {name}", label, share, one, alone)
        for name, one in timed.items()
        for label, share in (("p50", 0.5), ("p99", 0.99))
    ]


def _figure(name: str, label: str, share: float, timed: Timed, alone: Timed) -> Figure:
    return Figure(
        name=f"{name} {label}",
        unit="ms",
        measured=timed.percentiles(share),
        limit=alone.percentiles(share),
        limit_is=LIMIT,
        aim=P50_AIM if label == "p50" and EMBEDDED in name else None,
        reference="3 ms" if label == "p50" else "",
        details={"jobs_a_round": len(timed.rounds[0])},
    )


async def _times(once: Once, pause: tuple[float, float], count: int) -> list[float]:
    """-> milliseconds of each."""
    times: list[float] = []
    for _ in range(count):
        await asyncio.sleep(random.uniform(*pause))
        times.append(await once() * 1000)
    return times


async def _prefer(ask: Exchange) -> float:
    began = time.perf_counter()
    status, body = await ask(SUBMIT_AND_WAIT)
    took = time.perf_counter() - began
    _check_succeeded(status, body)
    return took


async def _submit_then_wait(ask: Exchange) -> float:
    began = time.perf_counter()
    status, body = await ask(SUBMIT)
    assert status == 202, (status, body)
    status, body = await ask(request("GET", f"/v1/jobs/{json.loads(body)['id']}?wait=30"))
    took = time.perf_counter() - began
    _check_succeeded(status, body)
    return took


def _check_succeeded(status: int, body: bytes) -> None:
    job: dict[str, Any] = json.loads(body)
    if status != 200 or job["state"] != "succeeded":
        raise RuntimeError(f"expected a job that succeeded, got {status}: {body[:200]!r}")


async def _pubsub(rig: Rig) -> Pubsub:
    """A client of the same broker, with a queue of its own."""
    pubsub = await Pubsub.connect("torchrelay", rig.system.environment["PUBSUB_EMULATOR_HOST"])
    await pubsub.provision(QUEUE)
    return pubsub


async def _tick(pubsub: Pubsub) -> float:
    pulling = asyncio.create_task(pubsub.pull(QUEUE, 1))
    await asyncio.sleep(random.uniform(*PAUSE))
    began = time.perf_counter()
    await pubsub.publish(QUEUE, [(b"x", {})])
    received = await pulling
    took = time.perf_counter() - began
    await pubsub.acknowledge(QUEUE, [one.ack_id for one in received])
    return took


BENCHMARK = Benchmark("latency", "submit → result seen on an idle system, p50 and p99, with each broker", measure)
