import pytest

from tests.benchmarks.samples import Samples, percentile


def test_the_median_is_not_moved_by_one_bad_round() -> None:
    assert Samples.of([10.0, 11.0, 500.0]).median == 11.0


def test_the_spread_is_a_share_of_the_median() -> None:
    samples = Samples.of([8.0, 10.0, 12.0])
    assert (samples.low, samples.high, samples.spread) == (8.0, 12.0, 0.4)


def test_a_ratio_is_taken_round_by_round() -> None:
    """A round in which the machine was slow for both counts as any other."""
    assert Samples.of([50.0, 5.0, 60.0]).over(Samples.of([100.0, 10.0, 100.0])).values == (0.5, 0.5, 0.6)


def test_a_ratio_needs_as_many_rounds_on_both_sides() -> None:
    with pytest.raises(ValueError, match="shorter"):
        Samples.of([1.0, 2.0]).over(Samples.of([1.0]))


def test_without_a_round_there_is_nothing_to_say() -> None:
    with pytest.raises(ValueError, match="no samples"):
        Samples.of([])


@pytest.mark.parametrize(
    ("share", "expected"), [(0.0, 1.0), (0.5, 50.0), (0.99, 99.0), (0.991, 100.0), (1.0, 100.0)], ids=str
)
def test_a_percentile_is_a_value_that_was_measured(share: float, expected: float) -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], share) == expected


def test_a_percentile_of_one_value_is_that_value() -> None:
    assert percentile([3.0], 0.99) == 3.0
