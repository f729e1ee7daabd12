import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import main
from tests.benchmarks.bench import Bench, Benchmark
from tests.benchmarks.figure import Figure
from tests.benchmarks.figures import ALL
from tests.benchmarks.runner import measure
from tests.benchmarks.samples import Samples
from tests.benchmarks.scale import FULL, QUICK


def bench(said: list[str]) -> Bench:
    return Bench(QUICK, Path("nowhere"), io.StringIO(), said.append)


async def good(_: Bench) -> Sequence[Figure]:
    return [Figure(name="good", unit="1/s", measured=Samples.of([1.0]))]


async def bad(_: Bench) -> Sequence[Figure]:
    raise RuntimeError("the broker went home")


async def test_one_that_does_not_run_costs_only_its_own_figures() -> None:
    said: list[str] = []
    run = await measure([Benchmark("bad", "", bad), Benchmark("good", "", good)], bench(said))
    assert ([figure.name for figure in run.figures], run.failed) == (["good"], ["bad"])
    assert any("the broker went home" in text for text in said)


def test_the_list_names_every_benchmark_and_measures_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [one.name for one in ALL]


def test_names_are_unique() -> None:
    assert len({one.name for one in ALL}) == len(ALL)


def test_what_is_not_there_to_measure_is_refused_with_what_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "submit,nonsense"])
    assert "no nonsense; there are submit, poll" in capsys.readouterr().err


def test_the_full_form_takes_medians_of_three_rounds_at_least() -> None:
    assert FULL.rounds >= 3
    assert FULL.rows == (10_000, 100_000, 1_000_000)
    assert (FULL.drained, FULL.waiting) == (5000, 2000)
