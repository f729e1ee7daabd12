"""Rule 10: a worker starts nothing beside an unsettled lone attempt."""

import asyncio

from ml_service.worker.gate import LoneGate


async def settled(task: "asyncio.Task[None]") -> bool:
    """Whether it has ended once everything that could move has moved."""
    for _ in range(20):
        await asyncio.sleep(0)
    return task.done()


async def test_ordinary_batches_run_beside_each_other() -> None:
    gate = LoneGate()
    await gate.enter(alone=False)
    await asyncio.wait_for(gate.enter(alone=False), 1)


async def test_a_lone_attempt_waits_until_all_others_are_settled() -> None:
    gate = LoneGate()
    await gate.enter(alone=False)
    await gate.enter(alone=False)
    lone = asyncio.create_task(gate.enter(alone=True))
    await gate.leave(alone=False)
    assert not await settled(lone)
    await gate.leave(alone=False)
    await asyncio.wait_for(lone, 1)


async def test_nothing_starts_beside_a_lone_attempt() -> None:
    gate = LoneGate()
    await gate.enter(alone=True)
    ordinary = asyncio.create_task(gate.enter(alone=False))
    other = asyncio.create_task(gate.enter(alone=True))
    assert not await settled(ordinary)
    assert not await settled(other)
    await gate.leave(alone=True)
    await asyncio.wait_for(other, 1)
    assert not await settled(ordinary)
    await gate.leave(alone=True)
    await asyncio.wait_for(ordinary, 1)


async def test_entering_without_waiting_waits_for_nobody() -> None:
    """Neither beside a lone attempt, nor before one that waits to be alone."""
    gate = LoneGate()
    assert gate.try_enter()
    lone = asyncio.create_task(gate.enter(alone=True))
    assert not await settled(lone)
    assert not gate.try_enter()
    await gate.leave(alone=False)
    await asyncio.wait_for(lone, 1)
    assert not gate.try_enter()
    await gate.leave(alone=True)
    assert gate.try_enter()


async def test_newcomers_do_not_overtake_who_waits_to_be_alone() -> None:
    gate = LoneGate()
    await gate.enter(alone=False)
    lone = asyncio.create_task(gate.enter(alone=True))
    assert not await settled(lone)
    newcomer = asyncio.create_task(gate.enter(alone=False))
    assert not await settled(newcomer)
    await gate.leave(alone=False)
    await asyncio.wait_for(lone, 1)
    await gate.leave(alone=True)
    await asyncio.wait_for(newcomer, 1)


async def test_who_gives_up_waiting_to_be_alone_lets_the_others_in() -> None:
    gate = LoneGate()
    await gate.enter(alone=False)
    lone = asyncio.create_task(gate.enter(alone=True))
    assert not await settled(lone)
    ordinary = asyncio.create_task(gate.enter(alone=False))
    lone.cancel()
    await asyncio.wait_for(ordinary, 1)
