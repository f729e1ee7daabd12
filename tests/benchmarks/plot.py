"""The figures as a picture: rates as shares of their limits, times, growth by rows, memory; the aims in red."""

from collections.abc import Callable, Sequence
from pathlib import Path

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from tests.benchmarks.figure import Figure, Of
from tests.benchmarks.samples import Samples

OURS, LIMIT, AIM = "#2563a8", "#9aa5b1", "#c0392b"
_BAR = 0.34  # inches
_GROWTH = 4.0  # inches
_LEAST = 1e-3  # a logarithmic axis has no zero

Panel = Callable[[Axes, Sequence[Figure]], None]


def draw(figures: Sequence[Figure], title: str, path: Path) -> None:
    """path: its suffix says whether it becomes SVG or PNG."""
    panels = [(heading, panel, chosen) for heading, panel, chosen in _panels(figures) if chosen]
    heights = [_GROWTH if panel is _growth else 1.0 + _BAR * len(chosen) for _, panel, chosen in panels]
    picture = Picture(figsize=(9, sum(heights) + 0.6), layout="constrained")
    picture.suptitle(title, fontsize=9)
    rows = picture.subplots(len(panels), 1, squeeze=False, gridspec_kw={"height_ratios": heights})
    for (ax,), (heading, panel, chosen) in zip(rows, panels, strict=True):
        ax.set_title(heading, loc="left", fontsize=10, fontweight="bold")
        ax.tick_params(labelsize=8)
        panel(ax, chosen)
    picture.savefig(path)


def _panels(figures: Sequence[Figure]) -> list[tuple[str, Panel, list[Figure]]]:
    growth = [one for one in figures if one.growth is not None]
    others = [one for one in figures if one.growth is None]
    return [
        ("Share of the limit", _shares, [one for one in others if one.unit.endswith("/s")]),
        ("Milliseconds (grey: the limit)", _milliseconds, [one for one in others if one.unit == "ms"]),
        ("Growth: time of a statement ÷ that with the fewest rows", _growth, growth),
        ("Megabytes (grey: idle)", _amounts, [one for one in others if one.unit == "MB"]),
    ]


def _shares(ax: Axes, figures: Sequence[Figure]) -> None:
    _bars(ax, [one.name for one in figures], [one.ratio or one.measured for one in figures])
    for place, one in enumerate(figures):
        if one.aim is not None:
            value = one.aim.value if one.aim.of is Of.RATIO else one.aim.value / (one.limit or one.measured).median
            _mark(ax, place, value, AIM)
    ax.axvline(1.0, color=LIMIT, linewidth=1)


def _amounts(ax: Axes, figures: Sequence[Figure]) -> None:
    _bars(ax, [one.name for one in figures], [one.measured for one in figures])
    for place, one in enumerate(figures):
        if one.limit is not None:
            _mark(ax, place, one.limit.median, LIMIT)
        if one.aim is not None and one.aim.of is Of.MEASURED:
            _mark(ax, place, one.aim.value, AIM)


def _milliseconds(ax: Axes, figures: Sequence[Figure]) -> None:
    _amounts(ax, figures)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter("")


def _growth(ax: Axes, figures: Sequence[Figure]) -> None:
    lines: dict[str, list[tuple[int, float]]] = {}
    for one in figures:
        if one.ratio is not None and one.growth is not None:
            line = lines.setdefault(one.growth.statement, [(one.growth.fewest, 1.0)])
            line.append((one.growth.rows, one.ratio.median))
    colours = colormaps["tab20"]
    for name, points in lines.items():
        rows, ratios = zip(*points, strict=True)
        ax.plot(rows, ratios, marker="o", markersize=3, linewidth=1, label=name, color=colours(len(ax.lines)))
    ax.axhline(1.2, color=AIM, linewidth=1)
    ax.set_xscale("log")
    ax.set_xlabel("rows", fontsize=8)
    ax.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)


def _bars(ax: Axes, names: Sequence[str], samples: Sequence[Samples]) -> None:
    """Medians, with the range of the rounds."""
    middles = [max(one.median, _LEAST) for one in samples]
    below = [middle - max(one.low, _LEAST) for middle, one in zip(middles, samples, strict=True)]
    above = [one.high - middle for middle, one in zip(middles, samples, strict=True)]
    places = range(len(names))
    ax.barh(places, middles, color=OURS, height=0.6, xerr=[below, above], error_kw={"linewidth": 1, "capsize": 2})
    ax.set_yticks(places, names)
    ax.invert_yaxis()


def _mark(ax: Axes, place: int, value: float, colour: str) -> None:
    ax.plot([value, value], [place - 0.42, place + 0.42], color=colour, linewidth=2)
