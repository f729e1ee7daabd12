"""The worker: its parts, put together, and how they end."""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import structlog

from ml_service.child.errors import ChildDied
from ml_service.discovery import discover
from ml_service.register import enter
from ml_service.settings import WorkerSettings
from ml_service.worker.attempts import HeldAttempts
from ml_service.worker.claimer import Claimer
from ml_service.worker.desk import Desk, InHand
from ml_service.worker.event_writer import EventWriter
from ml_service.worker.incarnation import Incarnation, Report
from ml_service.worker.keeper import ChildKeeper, ChildSettings
from ml_service.worker.lane import Lane
from ml_service.worker.large_results import LargeResults
from ml_service.worker.receiver import SILENT_AFTER, Receiver
from ml_service.worker.reconnecting import Reconnecting, look_for_overlooked
from ml_service.worker.runner import Runner
from ml_service.worker.settler import Settler, ending
from ml_service.worker.side_work import SideWork
from shared.blobs import Blobs
from shared.broker.protocol import Broker, Received
from shared.catalogue import ModelDescription, ModelState, ServedModel
from shared.database.entries import Ending
from shared.database.leases import Held, QueueReport
from shared.database.pool import Database
from shared.database.settlement import Settlement
from shared.errors import InvalidModel
from shared.failpoints import Failpoint, reached
from shared.queues import Provisioner

log = structlog.get_logger(__name__)

# At the end of a drain: for the database to take the last settlements. What it does not take, the reconciler requeues.
LAST_WORDS = 5.0  # seconds
# A pull that was asked for is awaited: cancelled, it would hide its messages for a whole ack deadline (rule 13).
PULLS_END = 2.0  # seconds beyond the time that a pull may take


class Worker:
    """Made by `start`; `run` serves until `stop`."""

    def __init__(self, settings: WorkerSettings, db: Database, broker: Broker, blobs: Blobs) -> None:
        self._settings = settings
        self._db = db
        self._broker = broker
        self._provision = Provisioner(broker, db, allowed=settings.pubsub_provision)
        self._desk = Desk(broker, self._provision)
        self._held = HeldAttempts()
        self._room_changed = asyncio.Event()
        self._refused: list[ServedModel] = []
        self._keepers: list[ChildKeeper] = []
        self._lanes: dict[str, Lane] = {}
        self._receivers: dict[str, Receiver] = {}
        self._aside = SideWork()
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._reconnect = Reconnecting(broker)
        self._events = EventWriter(db, settings.events_per_job)
        self._results = LargeResults(blobs, settings.inline_result_limit)
        self._settler = Settler(db, self._held, self._desk, self._events, self._results)
        self._incarnation = Incarnation(
            db, self._report, self._on_held, self._on_death, settings.lease_seconds, settings.heartbeat_seconds
        )
        self._claimer = Claimer(db, self._desk, self._held, self._incarnation, self._serves)
        self._runner = Runner(
            db,
            self._incarnation,
            self._held,
            self._desk,
            self._settler,
            self._results,
            cancel_grace=settings.cancel_grace,
            batch_grace=settings.max_batch_seconds,
        )

    def stop(self) -> None:
        """The first time: drain. The second: at once (rule 13)."""
        if self._stop.is_set():
            self._hurry.set()
        self._stop.set()

    async def run(self) -> int:
        """-> the process's exit code: 0 after `stop`, 1 if a part has failed."""
        stopped = asyncio.create_task(self._stop.wait())
        starting = asyncio.create_task(self._begin())
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():  # models can take minutes to import, and the database may be away for hours
            starting.cancel()
            await asyncio.wait({starting})
            await asyncio.gather(*(keeper.stop(0.0) for keeper in self._keepers))
            return 0
        starting.result()
        background = [
            asyncio.create_task(part, name=name)
            for name, part in {
                "heartbeat": self._incarnation.run(),
                "extend": self._desk.run_extending(),
                "ack": self._desk.run_acking(),
                "events": self._events.run(),
                "settle": self._runner.settling.run(),
                "aside": self._aside.run(),
                "overlooked": look_for_overlooked(
                    self._db, self._idle_queues, self._reconnect, self._provision, self._settings.lease_seconds
                ),
                **{f"keep {keeper.description.name}": keeper.run() for keeper in self._keepers},
                **{f"lane {name}": lane.run() for name, lane in self._lanes.items()},
            }.items()
        ]
        pulling = [
            asyncio.create_task(receiver.run(), name=f"receive {queue}") for queue, receiver in self._receivers.items()
        ]
        await asyncio.wait({stopped, *background, *pulling}, return_when=asyncio.FIRST_COMPLETED)
        failed = [task for task in (*background, *pulling) if task.done()]
        for task in failed:
            log.error("a part of the worker has failed", part=task.get_name(), exc_info=task.exception())
        stopped.cancel()
        await self._drain(background, pulling)
        return 1 if failed else 0

    async def _begin(self) -> None:
        await self._start_models()
        await self._incarnation.register()

    async def _start_models(self) -> None:
        wanted = {name.strip() for name in self._settings.models.split(",") if name.strip()}
        discovery = discover(self._settings.models_dir, enable_echo=self._settings.enable_echo)
        for problem in discovery.problems:
            log.error("not a model", error=str(problem))
        child_settings = ChildSettings(
            self._settings.model_repository.resolve(),
            self._settings.device,
            self._settings.torch_threads,
            self._settings,
            self._settings.result_limit,
            self._settings.child_memory_limit,
            self._settings.child_max_jobs,
        )
        references = [one for one in discovery.references if not wanted or one.name is None or one.name in wanted]
        keepers = await asyncio.gather(
            *(ChildKeeper.spawn(one, child_settings, self._on_change) for one in references), return_exceptions=True
        )
        for reference, keeper in zip(references, keepers, strict=True):
            match keeper:
                case ChildKeeper():
                    await self._add_lane(keeper)
                case InvalidModel() | ChildDied():
                    log.error("model refused", model=reference.name or reference.target, error=str(keeper))
                    self._refused.append(
                        ServedModel(reference.name or reference.target, 0, ModelState.FAILED, str(keeper))
                    )
                case BaseException():
                    raise keeper
        if not self._lanes:
            log.error("no model to serve; see above, and MODELS_DIR")

    async def _add_lane(self, keeper: ChildKeeper) -> None:
        description = keeper.description
        refusal = await self._refusal(description)
        if refusal is not None:
            log.error("model refused", model=description.name, error=refusal)
            self._refused.append(ServedModel(description.name, description.version, ModelState.FAILED, refusal))
            await keeper.stop(0.0)
            return
        self._keepers.append(keeper)
        self._lanes[description.name] = Lane(keeper, self._claimer, self._runner, self._room_changed)
        queue = description.queue
        if queue not in self._receivers:
            self._receivers[queue] = Receiver(
                queue,
                self._broker,
                idle_after=self._settings.lease_seconds,
                room=lambda: self._room_of(queue),
                pull_limit=self._settings.pubsub_pull_seconds + SILENT_AFTER,
                room_changed=self._room_changed,
                deliver=self._deliver,
                provision=self._provision,
                reconnect=self._reconnect,
            )

    async def _refusal(self, description: ModelDescription) -> str | None:
        """Puts the model into the catalogue. -> why it cannot be served."""
        if description.name in self._lanes:
            return f"another model is named {description.name!r}, too: rename one of them"
        return await enter(self._db, description)

    def _room_of(self, queue: str) -> int:
        """First in, first out: the fullest model of a shared queue decides."""
        lanes = [lane for lane in self._lanes.values() if lane.description.queue == queue and lane.ready]
        return min((lane.room for lane in lanes), default=0)

    def _serves(self) -> set[tuple[str, int]]:
        return {
            (lane.description.name, lane.description.version)
            for lane in self._lanes.values()
            if lane.served.state is not ModelState.FAILED
        }

    async def _deliver(self, queue: str, received: Sequence[Received]) -> None:
        new = await self._desk.take_in(queue, received)
        if self._stop.is_set():
            self._desk.drop(new)
            return
        by_model: dict[str, list[InHand]] = defaultdict(list)
        for job in new:
            by_model[job.message.model].append(job)
        for model, jobs in by_model.items():
            lane = self._lanes.get(model)
            if lane is None or lane.served.state is ModelState.FAILED:
                self._aside.start(self._claimer.put_back(jobs), "put back")
            else:
                lane.add(jobs)

    def _report(self) -> Report:
        devices = {keeper.device for keeper in self._keepers if keeper.device}
        queues = [
            QueueReport(queue, receiver.idle, self._newest_claimed(queue))
            for queue, receiver in self._receivers.items()
        ]
        models = [*(lane.served for lane in self._lanes.values()), *self._refused]
        return Report(", ".join(sorted(devices)) or self._settings.device, models, queues)

    def _idle_queues(self) -> list[str]:
        return [queue for queue, receiver in self._receivers.items() if receiver.idle]

    def _newest_claimed(self, queue: str) -> datetime | None:
        lanes = (lane for lane in self._lanes.values() if lane.description.queue == queue)
        return max((lane.newest_claimed for lane in lanes if lane.newest_claimed), default=None)

    def _on_change(self) -> None:
        """A child became ready, failed, or is being replaced."""
        for lane in self._lanes.values():
            lane.wake()
            if lane.served.state is ModelState.FAILED:
                self._aside.start(self._claimer.put_back(lane.take_unclaimed()), "put back")
        self._room_changed.set()
        self._incarnation.beat_soon()

    def _on_held(self, held: Collection[Held]) -> None:
        """After a heartbeat (rule 6): stop what is to be stopped, hand back what we do not know of."""
        unknown, stopped = [], []
        for one in held:
            attempt = self._held.find((one.id, one.attempt))
            if attempt is None and one.id not in self._held.claiming:
                unknown.append(Settlement(one.id, one.attempt, Ending.HANDED_BACK))
            elif attempt is not None and one.cancelling:
                attempt.cancelled = True
                stopped += [taken for lane in self._lanes.values() for taken in lane.stop([attempt])]
        if stopped:
            self._aside.start(self._runner.settle_stopped(stopped), "settle stopped")
        if unknown:
            log.warning(
                "handing back jobs that were claimed without our knowledge", jobs=[str(one.id) for one in unknown]
            )
            self._aside.start(self._hand_back(unknown), "hand back unknown")

    async def _hand_back(self, settlements: Sequence[Settlement]) -> None:
        await self._settler.persist(settlements)

    def _on_death(self) -> None:
        """Declared dead: everything at hand belongs to others now. What runs is stopped; the fence refuses its result."""
        for lane in self._lanes.values():
            self._desk.drop(lane.take_unclaimed())
            for attempt in lane.take_unstarted():
                self._held.discard(attempt)
                self._desk.drop([attempt.in_hand])
        for lane in self._lanes.values():
            lane.hand_back()

    async def _drain(self, background: Sequence[asyncio.Task[None]], pulling: Sequence[asyncio.Task[None]]) -> None:
        """Rule 13. No new pulls; what was not claimed stays unacked; what runs may finish; the rest is handed back."""
        log.info("draining", running=len(self._held), grace=self._settings.drain_grace)
        self._stop.set()
        for receiver in self._receivers.values():
            receiver.stop()
        for lane in self._lanes.values():
            lane.close()
            self._desk.drop(lane.take_unclaimed())
        reached(Failpoint.WORKER_DRAINING)
        self._hand_back_unstarted()
        await self._within(asyncio.ensure_future(self._finish()), self._settings.drain_grace)
        self._end(background, "keep")
        self._hand_back_unstarted()  # what was still being claimed, and came too late to be run
        for lane in self._lanes.values():
            lane.hand_back()
        await self._within(asyncio.gather(*(lane.free() for lane in self._lanes.values())), LAST_WORDS)
        self._end(background, "lane")
        await asyncio.gather(*(keeper.stop(1.0) for keeper in self._keepers))
        # However great the hurry: what is not written here counts as lost, and a lone attempt is charged for that.
        await self._within(
            asyncio.gather(self._runner.finish_settling(), self._aside.finish()), LAST_WORDS, hurried=False
        )
        self._aside.cancel()
        left = [ending(attempt, Ending.HANDED_BACK) for attempt in self._held]
        await self._within(asyncio.ensure_future(self._settler.settle(left)), LAST_WORDS, hurried=False)
        await self._within(
            asyncio.gather(*pulling, return_exceptions=True), self._settings.pubsub_pull_seconds + PULLS_END
        )
        self._end((*background, *pulling))
        await asyncio.gather(*background, *pulling, return_exceptions=True)
        await self._desk.flush_acks()
        await self._incarnation.end()
        log.info("drained", left=len(self._held))

    async def _finish(self) -> None:
        """What runs, and what of it is on its way: a large result may need some time to be stored."""
        await asyncio.gather(*(lane.free() for lane in self._lanes.values()))
        await self._runner.finish_settling()

    def _hand_back_unstarted(self) -> None:
        unstarted = [attempt for lane in self._lanes.values() for attempt in lane.take_unstarted()]
        self._aside.start(self._runner.hand_back(unstarted), "hand back")

    def _end(self, tasks: Sequence[asyncio.Task[None]], name: str = "") -> None:
        for task in tasks:
            if task.get_name().startswith(name):
                task.cancel()

    async def _within(self, work: "asyncio.Future[Any]", seconds: float, *, hurried: bool = True) -> None:
        """Waits for it, for so long at most, and, unless told otherwise, no longer once somebody hurries."""
        hurry = asyncio.create_task(self._hurry.wait())
        waited = {work, hurry} if hurried else {work}
        await asyncio.wait(waited, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not work.done():
            work.cancel()
        await asyncio.gather(work, return_exceptions=True)
