"""What can go wrong, each for a while: it is begun, and when the coroutine has ended all is as before."""

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

import psutil

from deploy.local.components import BROKER, POSTGRES
from deploy.local.standin.control import Fault, Kind
from ml_service.models.echo import Behave
from shared.errors import BrokerUnavailable
from tests.chaos.customer import Customer, GaveUp
from tests.chaos.ledger import order
from tests.chaos.recovery import Recovery, held_by, watch
from tests.chaos.rig import LEASE, Rig, Target
from tests.link import Way

CALLS = ("Publish", "Pull", "Acknowledge", "ModifyAckDeadline")
COMPANIONS = 5  # jobs that are ordered together with one that misbehaves


class Nobody(Exception):
    """All that this fault could befall are ill already, or spared."""


@dataclass(slots=True)
class Patient:
    """What the faults befall. spared: parts that are neither killed nor restarted. ill: parts that have a fault."""

    rig: Rig
    customer: Customer
    chance: random.Random
    spared: frozenset[str]
    ill: set[str]
    recoveries: list[Recovery]

    def one_of(self, parts: list[str], *, mortal: bool = True) -> str:
        """Raises Nobody."""
        there = [part for part in parts if part not in self.ill and not (mortal and part in self.spared)]
        well = [part for part in there if self.rig.running(part)]
        if not well:
            raise Nobody
        return self.chance.choice(well)

    def seconds(self, least: float, most: float) -> float:
        return self.chance.uniform(least, most)


# Decides what it befalls at once, or raises Nobody. -> (the parts, what goes on)
Begin = Callable[[Patient], tuple[tuple[str, ...], Awaitable[str]]]


def kill_worker(patient: Patient) -> tuple[tuple[str, ...], Awaitable[str]]:
    part = patient.one_of(patient.rig.workers)

    async def go_on() -> str:
        since, pid = time.monotonic(), patient.rig.kill(part)
        recovery = Recovery("worker killed", undisturbed=False)
        patient.recoveries.append(recovery)
        victims = await held_by(patient.rig.truth, pid)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watch(patient.rig.truth, victims, since, recovery))
            tasks.create_task(patient.rig.restarted(part, pid))
        return f"held {len(victims)} jobs"

    return (part,), go_on()


def freeze_worker(patient: Patient) -> tuple[tuple[str, ...], Awaitable[str]]:
    """Past its lease: others have its jobs when it thaws."""
    part = patient.one_of(patient.rig.workers, mortal=False)
    # After two leases its watchdog may end it when it thaws, and one that is spared is to live on.
    seconds = LEASE + patient.seconds(1, 2 if part in patient.spared else 6)

    async def go_on() -> str:
        since, pid, frozen = time.monotonic(), patient.rig.pid(part), patient.rig.freeze(part)
        recovery = Recovery("worker frozen", undisturbed=False)
        patient.recoveries.append(recovery)
        try:
            victims = await held_by(patient.rig.truth, pid)
            watching = asyncio.create_task(watch(patient.rig.truth, victims, since, recovery))
            await asyncio.sleep(seconds)
        finally:
            patient.rig.thaw(frozen)
        await watching
        return f"{seconds:.1f} s, held {len(victims)} jobs"

    return (part,), go_on()


def kill_child(patient: Patient) -> tuple[tuple[str, ...], Awaitable[str]]:
    part = patient.one_of(patient.rig.workers, mortal=False)
    children = patient.rig.children(part)
    if not children:
        raise Nobody

    async def go_on() -> str:
        with suppress(psutil.NoSuchProcess):
            patient.chance.choice(children).kill()
        return ""

    return (part,), go_on()


def kill_api(patient: Patient) -> tuple[tuple[str, ...], Awaitable[str]]:
    part = patient.one_of(patient.rig.apis)
    return (part,), _ended(patient, part, signal.SIGKILL)


def freeze_api(patient: Patient) -> tuple[tuple[str, ...], Awaitable[str]]:
    part, seconds = patient.one_of(patient.rig.apis, mortal=False), patient.seconds(1, 2 * LEASE)

    async def go_on() -> str:
        frozen = patient.rig.freeze(part)
        try:
            await asyncio.sleep(seconds)
        finally:
            patient.rig.thaw(frozen)
        return f"{seconds:.1f} s"

    return (part,), go_on()


def restart_worker(patient: Patient) -> tuple[tuple[str, ...], Awaitable[str]]:
    part = patient.one_of(patient.rig.workers)
    return (part,), _ended(patient, part, signal.SIGTERM)


def restart_api(patient: Patient) -> tuple[tuple[str, ...], Awaitable[str]]:
    part = patient.one_of(patient.rig.apis)
    return (part,), _ended(patient, part, signal.SIGTERM)


def restart_broker(patient: Patient) -> tuple[tuple[str, ...], Awaitable[str]]:
    """It comes back empty."""
    part = patient.one_of([BROKER])
    return (part,), _ended(patient, part, signal.SIGKILL)


def restart_database(how: signal.Signals) -> Begin:
    """SIGINT: fast, connections are closed. SIGQUIT: immediate, with recovery afterwards."""

    def begin(patient: Patient) -> tuple[tuple[str, ...], Awaitable[str]]:
        part = patient.one_of([POSTGRES])
        return (part,), _ended(patient, part, how)

    return begin


async def _ended(patient: Patient, part: str, how: signal.Signals) -> str:
    await patient.rig.kill_and_wait(part, how)
    return ""


def empty_broker(patient: Patient) -> tuple[tuple[str, ...], Awaitable[str]]:
    part = patient.one_of([BROKER])

    async def go_on() -> str:
        assert patient.rig.control is not None
        with suppress(BrokerUnavailable):
            await patient.rig.control.forget()
        return ""

    return (part,), go_on()


def misbehave(kind: Kind) -> Begin:
    """The broker does, as told."""

    def begin(patient: Patient) -> tuple[tuple[str, ...], Awaitable[str]]:
        part, seconds = patient.one_of([BROKER]), patient.seconds(2, 8)
        method = patient.chance.choice(CALLS) if kind in {Kind.REFUSE, Kind.HANG} else "*"
        fault = Fault(
            kind=kind,
            method=method,
            probability=patient.chance.choice([0.1, 0.5, 1.0]),
            copies=2,
            seconds=0.0 if kind is Kind.HANG else 0.5,
            spread=3.0,
        )

        async def go_on() -> str:
            assert patient.rig.control is not None
            count = 0
            with suppress(BrokerUnavailable):
                number = await patient.rig.control.inject(fault)
                await asyncio.sleep(seconds)
                count = (await patient.rig.control.withdraw(number)).injected[kind]
            return f"{seconds:.1f} s, {method} with {fault.probability:g}: {count} times"

        return (part,), go_on()

    return begin


def disconnect(how: str, target: Target) -> Begin:
    """One part's link, or those of all. how: cut, silent, stranded, slow."""

    def begin(patient: Patient) -> tuple[tuple[str, ...], Awaitable[str]]:
        parts = [*patient.rig.apis, *patient.rig.workers]
        ill = {name for name in patient.ill if name.startswith("link")}
        free = [part for part in parts if f"link {part} {target}" not in ill]
        if not free:
            raise Nobody
        chosen = free if patient.chance.random() < 0.25 else [patient.chance.choice(free)]
        seconds, delay = patient.seconds(2, 15), patient.seconds(0.02, 0.4)
        ways = patient.chance.choice([(), (Way.THERE,), (Way.BACK,)])
        links = patient.rig.links_of(target, *chosen)

        async def go_on() -> str:
            try:
                for link in links:
                    match how:
                        case "cut":
                            link.cut()
                        case "silent":
                            link.silence(*ways)
                        case "stranded":
                            link.strand()
                        case _:
                            link.slow(delay)
                if how != "cut":
                    await asyncio.sleep(seconds)
            finally:
                for link in links:
                    link.heal()
            told = {"silent": f"{'/'.join(ways) or 'both ways'}, ", "slow": f"{delay:.2f} s more, "}.get(how, "")
            return f"{', '.join(chosen)}: {told}{0 if how == 'cut' else seconds:.1f} s"

        return tuple(f"link {part} {target}" for part in chosen), go_on()

    return begin


def model(behave: Behave) -> Begin:
    """It misbehaves, in the company of others."""

    def begin(patient: Patient) -> tuple[tuple[str, ...], Awaitable[str]]:
        seconds = LEASE + 2 if behave is Behave.HOLD_GIL else 0.05
        orders = [order(seconds=0.05) for _ in range(COMPANIONS)]
        orders.insert(patient.chance.randint(0, COMPANIONS), order(behave, seconds))

        async def go_on() -> str:
            try:
                await patient.customer.submit_batch(orders)
            except GaveUp:
                return "not submitted"
            return ""

        return (), go_on()

    return begin


@dataclass(frozen=True, slots=True)
class Affliction:
    """weight: how often, beside the others."""

    kind: str
    begin: Begin
    weight: float
    by_control: bool = False  # only where the broker is the stand-in


_LINKS: Mapping[str, float] = {"cut": 1.5, "silent": 1.5, "stranded": 1.0, "slow": 0.7}
_MODELS: Mapping[Behave, float] = {
    Behave.SEGFAULT: 1.5,
    Behave.EXIT: 0.7,
    Behave.HANG: 1.0,
    Behave.HOLD_GIL: 0.7,
    Behave.LEAK: 0.7,
}

KILL_WORKER = Affliction("worker: SIGKILL", kill_worker, 6.0)
ALL: tuple[Affliction, ...] = (
    KILL_WORKER,
    Affliction("worker: frozen past its lease", freeze_worker, 2.0),
    Affliction("worker: rolling restart", restart_worker, 1.5),
    Affliction("model's process: SIGKILL", kill_child, 2.0),
    *(Affliction(f"model: {behave}", model(behave), weight) for behave, weight in _MODELS.items()),
    Affliction("API: SIGKILL", kill_api, 2.5),
    Affliction("API: frozen", freeze_api, 1.5),
    Affliction("API: rolling restart", restart_api, 1.5),
    Affliction("database: fast restart", restart_database(signal.SIGINT), 1.0),
    Affliction("database: immediate restart", restart_database(signal.SIGQUIT), 1.0),
    Affliction("broker: SIGKILL, back empty", restart_broker, 1.5),
    Affliction("broker: forgets everything", empty_broker, 1.0, by_control=True),
    *(Affliction(f"broker: {kind}", misbehave(kind), 0.8, by_control=True) for kind in Kind),
    *(
        Affliction(f"link to the {target}: {how}", disconnect(how, target), weight)
        for target in Target
        for how, weight in _LINKS.items()
    ),
)
