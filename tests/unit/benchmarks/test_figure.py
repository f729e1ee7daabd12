import pytest

from tests.benchmarks.figure import Aim, Figure, Of
from tests.benchmarks.samples import Samples


def figure(measured: float, limit: float | None = None, aim: Aim | None = None) -> Figure:
    beside = None if limit is None else Samples.of([limit])
    return Figure(name="x", unit="1/s", measured=Samples.of([measured]), limit=beside, aim=aim)


@pytest.mark.parametrize(("measured", "met"), [(49.0, False), (50.0, True), (51.0, True)])
def test_a_ratio_meets_its_aim_from_that_value_on(measured: float, met: bool) -> None:  # noqa: FBT001
    assert figure(measured, 100.0, Aim(0.5)).met is met


@pytest.mark.parametrize(("measured", "met"), [(4.9, True), (5.0, True), (5.1, False)])
def test_what_should_be_small_meets_its_aim_up_to_that_value(measured: float, met: bool) -> None:  # noqa: FBT001
    assert figure(measured, aim=Aim(5.0, Of.MEASURED, at_most=True)).met is met


def test_an_aim_for_what_is_measured_heeds_no_limit() -> None:
    assert figure(3000.0, 9000.0, Aim(3000.0, Of.MEASURED)).met is True


def test_without_an_aim_nothing_is_met_or_missed() -> None:
    assert figure(1.0, 2.0).met is None
