"""What a model can say and ask while it runs."""

import pytest

from ml_service.child.run import PROGRESS_INTERVAL, PredictRun
from shared.errors import Cancelled

Said = list[tuple[int | None, float, str | None]]


class Stage:
    """A run over items 4 and 6 of a batch, or over all of one, with a clock that stands still until it is told."""

    def __init__(self, *, whole: bool = False) -> None:
        self.now = 100.0
        self.said: Said = []
        self.cancelled: set[int] = set()
        self.run = PredictRun((4, 6), self._hear, self.cancelled, whole=whole, clock=lambda: self.now)

    def _hear(self, item: int | None, fraction: float, message: str | None) -> None:
        self.said.append((item, fraction, message))


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
