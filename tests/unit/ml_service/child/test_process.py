"""The parent's side, against real processes with the models of the zoo."""

import asyncio
import json
import os
import select
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from ml_service.child.errors import ChildDied, ModelLoadFailed
from ml_service.child.messages import BatchDone, BatchItem, Cancel, Failed, Progress, Said, Stopped, Succeeded
from ml_service.child.process import ModelProcess
from ml_service.model import Batching
from shared.errors import InvalidModel
from shared.states import ErrorCode
from tests.unit.ml_service.child.conftest import ACTOR, Spawn, animal


def items(*wanted: dict[str, Any]) -> list[BatchItem]:
    return [BatchItem(json.dumps(one).encode()) for one in wanted]


def do(action: str, text: str = "", **more: Any) -> dict[str, Any]:
    return {"do": action, "text": text, **more}


def silent(_said: Said) -> None:
    pass


class Heard:
    """Collects what is said; `first` is set by the first word."""

    def __init__(self) -> None:
        self.all: list[Said] = []
        self.first = asyncio.Event()

    @property
    def progress(self) -> list[Progress]:
        return [one.what for one in self.all if isinstance(one.what, Progress)]

    def __call__(self, said: Said) -> None:
        self.all.append(said)
        self.first.set()


SLOW = animal("slow_to_load", "SlowToLoad")


def succeeded(text: str) -> Succeeded:
    return Succeeded(json.dumps({"text": text, "anything": None}, separators=(",", ":")).encode())


async def ended(pid: int) -> bool:
    """Whether a process that is not our child ends within five seconds."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        readable, _, _ = await asyncio.to_thread(select.select, [descriptor], [], [], 5.0)
        return bool(readable)
    finally:
        os.close(descriptor)


# Starting


async def test_a_child_describes_itself_and_becomes_ready(actor: ModelProcess) -> None:
    description = await actor.described()
    assert (description.name, description.version, description.queue) == ("actor", 3, "stage")
    assert description.input_schema["properties"]["do"]["type"] == "string"
    assert await actor.batching() == Batching(max_size=32, max_wait=0.02)
    assert await actor.ready() == "cpu"
    assert actor.alive


async def test_a_model_without_torch_never_pays_for_it_and_signals_are_the_parents(actor: ModelProcess) -> None:
    outcome = (await actor.run(items(do("environment")), silent))[0]
    assert isinstance(outcome, Succeeded)
    assert json.loads(outcome.result)["anything"] == {"torch": False, "ignored": ["SIGINT", "SIGTERM"]}


async def test_torch_gets_its_threads_inference_mode_and_device(spawn: Spawn) -> None:
    child = await spawn(animal("torch_user", "TorchUser"), threads=1)
    device = await child.ready()
    outcome = (await child.run(items({}), silent))[0]
    assert isinstance(outcome, Succeeded)
    assert json.loads(outcome.result) == {
        "device": device,
        "files": ["torch-user", "1"],
        "threads": 1,
        "inference": True,
    }


async def test_a_lost_device_ends_the_child_and_is_named(spawn: Spawn) -> None:
    child = await spawn(animal("torch_user", "TorchUser"))
    with pytest.raises(ChildDied) as caught:
        await child.run(items({}, {"break_device": True}), silent)
    assert caught.value.reason == (
        "its device was lost: AcceleratorError: CUDA error: an illegal memory access was encountered"
    )
    assert caught.value.outcomes == {}


async def test_who_waits_in_vain_does_not_disturb_the_others(spawn: Spawn) -> None:
    child = await spawn(SLOW)
    for wait in (child.described, child.ready):
        impatient, patient = asyncio.create_task(wait()), asyncio.create_task(wait())
        await asyncio.sleep(0)  # both have begun to wait
        impatient.cancel()
        await asyncio.wait({impatient, patient})
        assert impatient.cancelled()
        assert patient.exception() is None


async def test_a_class_that_cannot_be_imported_is_refused(spawn: Spawn) -> None:
    child = await spawn(animal("unimportable", "Unimportable"))
    with pytest.raises(InvalidModel, match="ModuleNotFoundError: No module named 'no_such_package'"):
        await child.described()
    with pytest.raises(InvalidModel):
        await child.ready()


async def test_a_class_that_breaks_the_interface_is_refused_with_what_to_do(spawn: Spawn) -> None:
    child = await spawn(animal("nameless", "Nameless"))
    with pytest.raises(InvalidModel, match="Nameless: name is missing: give it"):
        await child.described()


async def test_a_failed_load_says_why_without_the_machines_paths(spawn: Spawn, tmp_path: Path) -> None:
    child = await spawn(animal("unloadable", "Unloadable"))
    assert (await child.described()).name == "unloadable"
    with pytest.raises(ModelLoadFailed) as caught:
        await child.ready()
    assert "FileNotFoundError" in caught.value.message
    assert "<model repository>/unloadable/1/weights.safetensors" in caught.value.message
    assert str(tmp_path) not in caught.value.message


async def test_a_child_that_dies_while_loading_is_told_from_a_failed_load(spawn: Spawn) -> None:
    child = await spawn(animal("dies_loading", "DiesLoading"))
    with pytest.raises(ChildDied, match="exited with code 9"):
        await child.ready()


async def test_a_model_that_fails_its_own_example_fails_to_load_if_it_is_warmed_up(spawn: Spawn) -> None:
    cold = animal("cold", "Cold")
    with pytest.raises(ModelLoadFailed, match="ValueError: too cold"):
        await (await spawn(cold, warm_up=True)).ready()
    assert await (await spawn(cold, warm_up=False)).ready() == "cpu"


# Running


async def test_results_come_back_in_their_places(actor: ModelProcess) -> None:
    outcomes = await actor.run(items(*(do("echo", str(number)) for number in range(32))), silent)
    assert outcomes == {number: succeeded(str(number)) for number in range(32)}


async def test_one_poison_in_a_batch_of_eight_fails_alone(actor: ModelProcess) -> None:
    batch = [do("echo", str(number)) for number in range(8)]
    batch[5] = do("break_down", "poison")
    outcomes = await actor.run(items(*batch), silent)
    assert outcomes.pop(5) == Failed(ErrorCode.MODEL_ERROR, "ValueError: cannot stand poison")
    assert outcomes == {number: succeeded(str(number)) for number in range(8) if number != 5}


async def test_every_way_to_fail_has_its_outcome_beside_a_neighbour_that_succeeds(actor: ModelProcess) -> None:
    outcomes = await actor.run(
        [
            *items(
                do("refuse", "long"),
                do("postpone"),
                do("exhaust"),
                do("leave"),
                do("not_a_number"),
                do("another_type"),
                do("echo", seconds="many"),
                do("echo", "fine"),
            ),
            BatchItem(b"{"),
        ],
        silent,
    )
    assert outcomes.pop(7) == succeeded("fine")
    failures = [outcome for _, outcome in sorted(outcomes.items()) if isinstance(outcome, Failed)]
    assert [(failure.code.value, failure.retryable) for failure in failures] == [
        ("invalid_input", False),
        ("model_error", True),
        ("out_of_memory", False),
        ("model_error", False),
        ("model_error", False),
        ("model_error", False),
        ("invalid_input", False),
        ("invalid_input", False),
    ]
    messages = [failure.message for failure in failures]
    assert messages[:4] == ["too long for me", "try tomorrow", "MemoryError", "SystemExit: 5"]
    assert "NaN" in messages[4]
    assert "predict returned dict where Actor.Output is wanted" in messages[5]
    assert messages[6].startswith("/seconds: Input should be a valid number")
    assert messages[7].startswith("Invalid JSON")


@pytest.mark.parametrize(("how", "status"), [("echo", "1"), ("break_down", "1"), ("leave", "5"), ("report", "1")])
async def test_a_forked_copy_that_leaves_predict_does_not_answer_for_the_job(
    actor: ModelProcess, how: str, status: str
) -> None:
    heard = Heard()
    assert await actor.run(items(do("echo", "a"), do("fork", how)), heard) == {0: succeeded("a"), 1: succeeded(status)}
    assert heard.all == []


async def test_progress_arrives_first_and_last_but_not_a_thousand_times(actor: ModelProcess) -> None:
    heard = Heard()
    await actor.run(items(do("echo"), do("report")), heard)
    assert {one.item for one in heard.all} == {1}
    assert [one.fraction for one in (heard.progress[0], heard.progress[-1])] == [0.0, 1.0]
    assert heard.progress[0].message == "step 0"
    assert len(heard.all) < 10


async def test_a_cancelled_item_stops_and_its_neighbour_goes_on(actor: ModelProcess) -> None:
    heard = Heard()
    running = asyncio.create_task(actor.run(items(do("echo", "a"), do("hang"), do("echo", "b")), heard))
    await heard.first.wait()
    actor.cancel(1)
    assert await running == {0: succeeded("a"), 1: Stopped(), 2: succeeded("b")}


async def test_a_cancelled_batch_stops_through_check_cancelled(actor: ModelProcess) -> None:
    heard = Heard()
    running = asyncio.create_task(actor.run(items(do("hang"), do("hang")), heard))
    await heard.first.wait()
    actor.cancel(1)
    actor.cancel(0)
    assert await running == {0: Stopped(), 1: Stopped()}


async def test_a_cancel_without_a_batch_leaves_the_next_one_alone(actor: ModelProcess) -> None:
    actor.cancel(0)
    assert await actor.run(items(do("echo", "a")), silent) == {0: succeeded("a")}


async def test_a_run_that_is_cancelled_leaves_a_child_that_serves_the_next_one(actor: ModelProcess) -> None:
    heard = Heard()
    running = asyncio.create_task(actor.run(items(do("hold_the_gil", "last", seconds=0.3)), heard))
    await heard.first.wait()
    running.cancel()
    actor._receive(BatchDone(heard.all[0].batch))  # as if it came in the same turn of the loop
    with pytest.raises(asyncio.CancelledError):
        await running
    # Long enough for the last batch's end to be read before the next one's.
    assert await actor.run(items(do("hold_the_gil", "next", seconds=0.3)), silent) == {0: succeeded("next")}


async def test_a_cancel_for_another_batch_has_no_effect(actor: ModelProcess) -> None:
    heard = Heard()
    running = asyncio.create_task(actor.run(items(do("hang"), do("ask", "still wanted")), heard))
    await heard.first.wait()
    actor._tell(Cancel(heard.all[0].batch - 1, 1))
    actor.cancel(0)
    assert await running == {0: Stopped(), 1: succeeded("still wanted")}


async def widest_gap(work: asyncio.Task[Any]) -> float:
    """The longest time in which the loop did nothing else, in seconds, until `work` is done."""
    widest, last = 0.0, time.monotonic()
    while not work.done():
        await asyncio.sleep(0.005)
        widest, last = max(widest, time.monotonic() - last), time.monotonic()
    return widest


async def test_the_parents_loop_ticks_on_while_the_child_holds_the_gil(actor: ModelProcess) -> None:
    running = asyncio.create_task(actor.run(items(do("hold_the_gil", "done", seconds=2)), silent))
    assert await widest_gap(running) < 1.0
    assert await running == {0: succeeded("done")}


async def test_results_of_tens_of_megabytes_arrive_while_the_loop_ticks_on(actor: ModelProcess) -> None:
    size = 20_000_000
    running = asyncio.create_task(actor.run(items(do("large", str(size)), do("echo", "x" * size)), silent))
    assert await widest_gap(running) < 1.0
    assert await running == {0: succeeded("x" * size), 1: succeeded("x" * size)}


# Dying


@pytest.mark.parametrize(
    ("action", "reason"), [("segfault", "killed by SIGSEGV"), ("die", "exited with code 3")], ids=str
)
async def test_a_crash_is_reported_with_its_reason(spawn: Spawn, action: str, reason: str) -> None:
    child = await spawn(ACTOR)
    with pytest.raises(ChildDied) as caught:
        await child.run(items(do("echo"), do(action)), silent)
    assert caught.value.reason == reason
    assert caught.value.outcomes == {}
    assert not child.alive
    with pytest.raises(ChildDied, match=reason):
        await child.run(items(do("echo")), silent)


async def test_outcomes_that_came_before_the_crash_are_kept(spawn: Spawn) -> None:
    child = await spawn(ACTOR)
    with pytest.raises(ChildDied) as caught:
        await child.run(items(do("echo", "a"), do("echo", "b"), do("break_down"), do("die")), silent)
    # The batch raised and was halved: the first half is done, the second one died.
    assert caught.value.outcomes == {
        0: succeeded("a"),
        1: succeeded("b"),
        2: Failed(ErrorCode.MODEL_ERROR, "ValueError: cannot stand "),
    }


async def test_kill_ends_a_hanging_batch_and_may_be_repeated(spawn: Spawn) -> None:
    child = await spawn(ACTOR)
    heard = Heard()
    running = asyncio.create_task(child.run(items(do("hang_for_ever")), heard))
    await heard.first.wait()
    await asyncio.gather(child.kill(), child.kill())
    with pytest.raises(ChildDied, match="killed by SIGKILL"):
        await running
    await child.kill()
    assert not child.alive


async def test_kill_while_loading_is_seen_by_those_who_wait(spawn: Spawn) -> None:
    child = await spawn(ACTOR)
    waiting = asyncio.gather(child.described(), child.ready(), return_exceptions=True)
    await child.kill()
    assert [type(error) for error in await waiting] == [ChildDied, ChildDied]


async def test_stop_lets_the_batch_finish(spawn: Spawn) -> None:
    child = await spawn(ACTOR)
    heard = Heard()
    running = asyncio.create_task(child.run(items(do("hold_the_gil", "done", seconds=0.3)), heard))
    await heard.first.wait()
    await child.stop(grace=10)
    assert await running == {0: succeeded("done")}
    await child.stop(grace=10)
    with pytest.raises(ChildDied, match="exited with code 0"):
        await child.run(items(do("echo")), silent)


async def test_stop_kills_what_does_not_end_in_time(spawn: Spawn) -> None:
    child = await spawn(ACTOR)
    heard = Heard()
    running = asyncio.create_task(child.run(items(do("hang_for_ever")), heard))
    await heard.first.wait()
    await child.stop(grace=0.1)
    with pytest.raises(ChildDied, match="killed by SIGKILL"):
        await running


async def test_an_idle_child_that_dies_is_not_alive(spawn: Spawn) -> None:
    child = await spawn(ACTOR)
    await child.ready()
    os.kill(child.pid, signal.SIGKILL)
    await child.stop(grace=5)
    assert not child.alive
    assert await child.ready() == "cpu"
    with pytest.raises(ChildDied, match="killed by SIGKILL"):
        await child.run(items(do("echo")), silent)


async def test_a_child_without_a_pipe_ends_by_itself_even_in_a_batch(spawn: Spawn) -> None:
    child = await spawn(ACTOR)
    heard = Heard()
    running = asyncio.create_task(child.run(items(do("hang_for_ever")), heard))
    await heard.first.wait()
    child._writer.close()
    with pytest.raises(ChildDied, match="exited with code 0"):
        await running


async def test_a_message_that_cannot_be_taken_in_ends_the_child(spawn: Spawn) -> None:
    child = await spawn(ACTOR)

    def raising(_said: Said) -> None:
        raise ValueError("what now?")

    with pytest.raises(ChildDied, match="what now"):
        await child.run(items(do("hang_for_ever")), raising)
    assert not child.alive


async def test_a_process_that_the_model_started_keeps_nobody_waiting_and_dies_too(spawn: Spawn) -> None:
    child = await spawn(ACTOR)
    heard = Heard()
    with pytest.raises(ChildDied, match="exited with code 4"):
        await child.run(items(do("leave_a_process")), heard)
    assert await ended(int(heard.progress[0].message or ""))


def open_descriptors() -> set[Path]:
    return set(Path("/proc/self/fd").iterdir())


async def test_a_child_leaves_neither_zombies_nor_descriptors(spawn: Spawn) -> None:
    before = open_descriptors()
    for action in ("die", "echo"):
        child = await spawn(ACTOR)
        await asyncio.gather(child.run(items(do(action)), silent), return_exceptions=True)
        await child.kill()
        with pytest.raises(ProcessLookupError):
            os.kill(child.pid, 0)
    assert open_descriptors() <= before
