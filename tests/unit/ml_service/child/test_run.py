"""What a model can say and ask while it runs."""

from typing import Any

import numpy as np
import pytest
import torch

from ml_service.child.messages import Log, Metrics, Progress, Saying
from ml_service.child.run import PROGRESS_INTERVAL, PredictRun
from ml_service.child.throttle import BURST, RATE, TAIL
from shared.errors import Cancelled


class Stage:
    """A run over items 4 and 6 of a batch, or over all of one, with a clock that stands still until it is told."""

    def __init__(self, *, whole: bool = False) -> None:
        self.now = 100.0
        self.told: list[tuple[int | None, float, Saying]] = []
        self.cancelled: set[int] = set()
        self.run = PredictRun((4, 6), self._hear, self.cancelled, whole=whole, clock=lambda: self.now)

    @property
    def said(self) -> list[tuple[int | None, float, str | None]]:
        """The progress."""
        return [(item, one.fraction, one.message) for item, _, one in self.told if isinstance(one, Progress)]

    @property
    def lines(self) -> list[str]:
        return [one.message for _, _, one in self.told if isinstance(one, Log)]

    def _hear(self, item: int | None, at: float, what: Saying) -> None:
        self.told.append((item, at, what))


def test_items_are_those_of_the_call_and_reported_as_those_of_the_batch() -> None:
    stage = Stage()
    stage.run.progress(0.5, "half", item=1)
    assert stage.said == [(6, 0.5, "half")]


def test_progress_of_a_whole_batch_is_one_report_and_of_a_part_one_for_each_item() -> None:
    whole, part = Stage(whole=True), Stage()
    whole.run.progress(0.5)
    part.run.progress(0.5)
    assert whole.said == [(None, 0.5, None)]
    assert part.said == [(4, 0.5, None), (6, 0.5, None)]


def test_between_the_first_and_the_last_word_only_four_a_second_get_through() -> None:
    stage = Stage(whole=True)
    for fraction in (0.1, 0.2, 1.0, 1.0):
        stage.run.progress(fraction)
    assert [fraction for _, fraction, _ in stage.said] == [0.1, 1.0]
    stage.now += PROGRESS_INTERVAL
    stage.run.progress(1.0, "tidying up")
    assert stage.said[-1] == (None, 1.0, "tidying up")


def test_one_item_does_not_use_up_anothers_turn() -> None:
    stage = Stage()
    stage.run.progress(0.1, item=0)
    stage.run.progress(0.1, item=1)
    assert [item for item, _, _ in stage.said] == [4, 6]


@pytest.mark.parametrize(("said", "meant"), [(-1.0, 0.0), (7.0, 1.0), (float("nan"), 0.0)])
def test_a_fraction_is_brought_between_0_and_1(said: float, meant: float) -> None:
    stage = Stage(whole=True)
    stage.run.progress(said, "a\0b")
    assert stage.said == [(None, meant, "ab")]


def test_check_cancelled_raises_once_every_item_was_asked_to_stop() -> None:
    stage = Stage()
    stage.cancelled.update({4, 5})
    stage.run.check_cancelled()
    assert stage.run.told == set()
    stage.cancelled.add(6)
    with pytest.raises(Cancelled):
        stage.run.check_cancelled()
    assert stage.run.told == {4, 6}


def test_only_a_cancellation_that_the_model_asked_about_is_one_that_it_knows() -> None:
    stage = Stage()
    stage.cancelled.update({4, 6})
    assert stage.run.cancelled(1)
    assert stage.run.told == {6}


def test_a_line_is_told_of_its_item_and_when_it_was_said() -> None:
    stage = Stage()
    stage.run.log("loaded", level="debug", item=1)
    assert stage.told == [(6, 100.0, Log("debug", "loaded"))]


def test_a_line_of_a_whole_batch_is_one_message_and_of_a_part_one_for_each_item() -> None:
    whole, part = Stage(whole=True), Stage()
    whole.run.log("begun")
    part.run.log("begun")
    assert [item for item, _, _ in whole.told] == [None]
    assert [item for item, _, _ in part.told] == [4, 6]


def test_what_is_no_text_is_shown_as_text_and_what_is_too_long_is_cut() -> None:
    stage = Stage()
    stage.run.log(ValueError("odd"), item=0)
    stage.run.log("x\0" * 5000, item=0)
    odd, long = stage.lines
    assert odd == "odd"
    assert (len(long), "\0" in long) == (1001, False)
    stage.run.log("y" * 5000, item=0)
    assert (len(stage.lines[-1]), stage.lines[-1][-2:]) == (2000, "y…")


def test_numbers_of_any_kind_are_metrics() -> None:
    stage = Stage(whole=True)
    stage.run.metrics({"loss": np.float32(0.5), "of": torch.tensor(2), "epoch": 3, "x": np.array(1)}, step=np.int64(7))
    assert [what for _, _, what in stage.told] == [Metrics({"loss": 0.5, "of": 2.0, "epoch": 3, "x": 1.0}, 7)]


@pytest.mark.parametrize(
    ("values", "step", "error"),
    [
        ({"loss": float("nan")}, None, ValueError),
        ({"loss": float("-inf")}, None, ValueError),
        ({"loss": 10**400}, None, ValueError),
        ({"loss": "0.1"}, None, TypeError),
        ({"loss": None}, None, TypeError),
        ({"loss": np.array([1.0, 2.0])}, None, (TypeError, ValueError)),
        ({"": 1}, None, ValueError),
        ({"x" * 65: 1}, None, ValueError),
        ({"a\0b": 1}, None, ValueError),
        ({"a\ud800": 1}, None, ValueError),
        ({1: 1}, None, TypeError),
        ({}, None, ValueError),
        ({str(number): 1 for number in range(33)}, None, ValueError),
        ([("loss", 1)], None, TypeError),
        ({"loss": 1}, -1, ValueError),
        ({"loss": 1}, 2**53, ValueError),
        ({"loss": 1}, 0.5, TypeError),
    ],
)
def test_what_are_no_metrics_is_said_to_the_model(values: Any, step: Any, error: Any) -> None:
    stage = Stage(whole=True)
    with pytest.raises(error):
        stage.run.metrics(values, step=step)
    stage.run.end()
    assert stage.told == []


def test_a_level_or_item_that_there_is_not_is_said_to_the_model() -> None:
    stage = Stage()
    with pytest.raises(ValueError, match="level is one of"):
        stage.run.log("x", level="fatal")  # type: ignore[arg-type]  # a model's code need not be typed
    with pytest.raises(IndexError):
        stage.run.log("x", item=2)
    with pytest.raises(IndexError):
        stage.run.metrics({"loss": 1}, item=2)


def test_of_a_million_lines_the_first_and_the_last_come_through_and_the_rest_is_counted() -> None:
    stage = Stage(whole=True)
    for number in range(1_000_000):
        stage.run.log(number)
    assert stage.lines == [str(number) for number in range(BURST)]
    stage.run.end()
    left_out = 1_000_000 - BURST - TAIL
    assert stage.lines[BURST:] == [f"{left_out:,} lines left out", *map(str, range(1_000_000 - TAIL, 1_000_000))]


def test_in_the_long_run_so_many_lines_a_second_come_through_in_order_and_all_are_accounted_for() -> None:
    stage = Stage(whole=True)
    for number in range(100_000):
        stage.now = 100.0 + number / 1000
        stage.run.log(number)
    assert len(stage.lines) <= BURST + 100 * RATE
    stage.run.end()
    numbers = [int(line) for line in stage.lines if line.isdigit()]
    notes = [int(line.split()[0].replace(",", "")) for line in stage.lines if line.endswith("lines left out")]
    assert numbers == sorted(numbers)
    assert len(numbers) + sum(notes) == 100_000


def test_lines_kept_back_come_out_with_the_next_word_once_there_is_room() -> None:
    stage = Stage(whole=True)
    for number in range(BURST + 3):
        stage.run.log(number)
    assert len(stage.lines) == BURST
    stage.now += 1
    stage.run.progress(0.5)
    assert stage.lines[BURST:] == ["50", "51", "52"]
    assert {at for _, at, one in stage.told if isinstance(one, Log)} == {100.0}, "when they were said"


def test_metrics_have_a_throttle_of_their_own_and_each_item_has() -> None:
    stage = Stage()
    for number in range(1000):
        stage.run.log(number, item=0)
        stage.run.metrics({"loss": number}, step=number, item=0)
    stage.run.log("of the other", item=1)
    assert stage.lines[-1] == "of the other"
    assert sum(isinstance(what, Metrics) for _, _, what in stage.told) == BURST
    stage.run.end()
    assert f"{1000 - BURST - TAIL} metrics left out" in stage.lines
    assert stage.told[-1][2] == Metrics({"loss": 999}, 999)
