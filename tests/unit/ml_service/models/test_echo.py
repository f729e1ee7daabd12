import itertools
import json
import math
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml_service.models.echo import LEAK_STEP, LEAK_STEPS, Behave, Echo
from shared.errors import Cancelled, RetryableError
from tests.unit.ml_service.models.recorded_run import RecordedRun

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)

# Another process, for what a test would not survive.
CHILD = """
import sys
from ml_service.models.echo import Echo
from tests.unit.ml_service.models.recorded_run import RecordedRun
item = Echo.Input(behave=sys.argv[1])
print("ready", flush=True)
Echo().predict([item], RecordedRun(items=2, stopped={0}))
"""


def echo(run: RecordedRun | None = None, **document: Any) -> Any:
    (output,) = Echo().predict([Echo.Input(**document)], run or RecordedRun())
    return output.value


@given(json_values)
def test_any_json_comes_back_equal(value: Any) -> None:
    item = Echo.Input.model_validate_json(json.dumps({"value": value}))
    (output,) = Echo().predict([item], RecordedRun())
    back = json.loads(output.model_dump_json())["value"]
    assert back == value
    assert json.dumps(back, sort_keys=True) == json.dumps(value, sort_keys=True)  # 1, 1.0 and true are not the same


def test_it_sleeps_and_says_how_far_it_is() -> None:
    run = RecordedRun()
    start = time.monotonic()
    assert echo(run, value=1, seconds=0.2) == 1
    assert time.monotonic() - start >= 0.2
    assert run.fractions(0) == sorted(run.fractions(0))
    assert len(run.fractions(0)) >= 2


def test_a_batch_sleeps_as_long_as_its_longest_sleeper() -> None:
    start = time.monotonic()
    outputs = Echo().predict([Echo.Input(value=n, seconds=0.2) for n in range(32)], RecordedRun(items=32))
    assert 0.2 <= time.monotonic() - start < 2
    assert [output.value for output in outputs] == list(range(32))


def test_a_cancelled_sleeper_wakes() -> None:
    with pytest.raises(Cancelled):
        echo(RecordedRun(after_progress=lambda run: run.stopped.add(0)), seconds=3600)


def test_the_batch_does_not_wait_for_a_cancelled_sleeper() -> None:
    run = RecordedRun(items=2, after_progress=lambda run: run.stopped.add(0))
    outputs = Echo().predict([Echo.Input(seconds=3600), Echo.Input(value="here", seconds=0.01)], run)
    assert outputs[1].value == "here"


def test_raise_is_an_ordinary_exception() -> None:
    with pytest.raises(RuntimeError, match="as asked"):
        echo(behave="raise")


def test_raise_retryable_says_that_trying_again_may_help() -> None:
    with pytest.raises(RetryableError):
        echo(behave="raise_retryable")


def test_nan_answers_a_number_that_json_does_not_have() -> None:
    assert math.isnan(echo(behave="nan")["nan"])


def test_leak_keeps_its_bytes_and_answers() -> None:
    model = Echo()
    for _ in range(2):
        (output,) = model.predict([Echo.Input(value="v", behave=Behave.LEAK)], RecordedRun())
        assert output.value == "v"
    assert sum(map(len, model._leaked)) == 2 * LEAK_STEP * LEAK_STEPS


def test_hold_gil_lets_no_other_thread_run() -> None:
    done = threading.Event()
    ticks: list[float] = []

    def tick() -> None:
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.001)

    ticker = threading.Thread(target=tick)
    ticker.start()
    assert echo(value="held", behave="hold_gil", seconds=0.5) == "held"
    done.set()
    ticker.join()
    assert max(later - earlier for earlier, later in itertools.pairwise(ticks)) >= 0.45


@pytest.mark.parametrize(("behave", "status"), [("segfault", -signal.SIGSEGV), ("exit", 3)])
def test_crashes_are_real(behave: str, status: int) -> None:
    assert subprocess.run([sys.executable, "-c", CHILD, behave], check=False).returncode == status


def test_hang_does_not_look_at_cancellation() -> None:
    with subprocess.Popen([sys.executable, "-c", CHILD, "hang"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(timeout=0.5)
        child.kill()
