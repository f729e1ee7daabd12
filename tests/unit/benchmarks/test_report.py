import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.benchmarks.figure import Aim, Figure, Growth, Of
from tests.benchmarks.plot import draw
from tests.benchmarks.report import document, number, table
from tests.benchmarks.samples import Samples

SUBMIT = Figure(
    name="submit",
    unit="1/s",
    measured=Samples.of([4000.0, 5000.0, 5500.0]),
    limit=Samples.of([10_000.0, 10_000.0, 10_000.0]),
    limit_is="nothing stored",
    aim=Aim(0.5),
    reference="0.26",
)
SEEN = Figure(name="seen p50", unit="ms", measured=Samples.of([7.0, 8.0, 9.0]), aim=Aim(5.0, Of.MEASURED, at_most=True))
DRAINED = Figure(
    name="drain", unit="jobs/s", measured=Samples.of([2000.0]), limit=Samples.of([8000.0]), aim=Aim(3000.0, Of.MEASURED)
)
GROWN = Figure(
    name="claim, 1,000,000 rows",
    unit="ms",
    measured=Samples.of([1.1]),
    limit=Samples.of([1.0]),
    aim=Aim(1.2, at_most=True),
    growth=Growth("claim", 1_000_000, 10_000),
)
MEMORY = Figure(name="memory API", unit="MB", measured=Samples.of([90.0]), limit=Samples.of([80.0]))
ALL = [SUBMIT, SEEN, DRAINED, GROWN, MEMORY]


def cells(figure: Figure) -> list[str]:
    return [cell.strip() for cell in table([figure]).splitlines()[2].split("  ") if cell.strip()]


def test_a_line_has_the_figure_its_limit_their_ratio_and_the_aim() -> None:
    assert cells(SUBMIT) == ["submit", "5,000 1/s", "10,000 1/s", "0.50", "≥ 0.5", "met", "0.26", "0.40 - 0.55"]


def test_where_the_aim_is_about_what_was_measured_so_is_the_spread() -> None:
    assert cells(SEEN) == ["seen p50", "8.00 ms", "≤ 5 ms", "MISSED", "7.00 - 9.00"]
    assert cells(DRAINED)[3:] == ["0.25", "≥ 3,000 jobs/s", "MISSED", "2,000 - 2,000"]


def test_columns_stand_under_their_headings() -> None:
    heading, rule, *lines = table(ALL).splitlines()
    assert heading.startswith("figure")
    starts = [place for place in range(len(rule)) if rule[place] == "-" and (place == 0 or rule[place - 1] == " ")]
    assert all(line[start - 1 : start].strip() == "" for line in lines for start in starts if start)


@pytest.mark.parametrize(
    ("value", "text"), [(0.031, "0.03"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12,346")], ids=str
)
def test_numbers_have_about_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_the_document_holds_every_round_and_where_it_was_measured() -> None:
    read = json.loads(document(ALL, form="full", machine={"cores": 2}))
    assert (read["form"], read["machine"]["cores"], len(read["figures"])) == ("full", 2, len(ALL))
    submit = read["figures"][0]
    assert submit["measured"]["rounds"] == [4000.0, 5000.0, 5500.0]
    assert submit["ratio"] == {
        "median": 0.5,
        "low": 0.4,
        "high": 0.55,
        "spread": pytest.approx(0.3),
        "rounds": [0.4, 0.5, 0.55],
    }
    assert (submit["met"], submit["aim"], submit["limit_is"]) == (True, "≥ 0.5", "nothing stored")
    assert read["figures"][1]["limit"] is None


@pytest.mark.parametrize("figures", [ALL, [SEEN], [GROWN]], ids=["all", "one without a limit", "growth alone"])
def test_the_plot_shows_what_there_is(figures: list[Figure], tmp_path: Path) -> None:
    draw(figures, "2026, full form", tmp_path / "plot.svg")
    ET.parse(tmp_path / "plot.svg")
