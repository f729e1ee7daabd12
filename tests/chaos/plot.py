"""A run as a picture: what was broken when, and memory and threads of each process."""

from pathlib import Path

from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture

from tests.chaos.run import Outcome

FAULT = "#c0392b"


def draw(outcome: Outcome, title: str, path: Path) -> None:
    """path: its suffix says whether it becomes SVG or PNG."""
    kinds = sorted({one.kind for one in outcome.injected})
    heights = [0.8 + 0.2 * len(kinds), 3.0, 2.0]
    picture = Picture(figsize=(11, sum(heights) + 0.8), layout="constrained")
    picture.suptitle(title, fontsize=9)
    faults, memory, threads = picture.subplots(3, 1, sharex=True, gridspec_kw={"height_ratios": heights})
    _faults(faults, outcome, kinds)
    _lives(memory, outcome, "memory", "Resident memory, MB")
    _lives(threads, outcome, "threads", "Threads")
    threads.set_xlabel("seconds", fontsize=8)
    memory.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    picture.savefig(path)


def _faults(ax: Axes, outcome: Outcome, kinds: list[str]) -> None:
    _head(ax, f"{len(outcome.injected)} faults")
    for one in outcome.injected:
        place = kinds.index(one.kind)
        ax.plot([one.at, one.at + (one.lasted or 0)], [place, place], color=FAULT, linewidth=3, alpha=0.5)
        ax.plot([one.at], [place], color=FAULT, marker="|", markersize=6)
    ax.set_yticks(range(len(kinds)), kinds)
    ax.invert_yaxis()


def _lives(ax: Axes, outcome: Outcome, what: str, heading: str) -> None:
    """One colour a part; a line ends where its process does."""
    _head(ax, heading)
    parts = sorted({life.part for life in outcome.lives})
    colours = colormaps["tab10"]
    named: set[str] = set()
    for life in outcome.lives:
        label = None if life.part in named else life.part
        named.add(life.part)
        ax.plot(
            [one.at for one in life.samples],
            [getattr(one, what) for one in life.samples],
            color=colours(parts.index(life.part)),
            linewidth=1,
            label=label,
        )
    ax.set_ylim(bottom=0)


def _head(ax: Axes, heading: str) -> None:
    ax.set_title(heading, loc="left", fontsize=10, fontweight="bold")
    ax.tick_params(labelsize=7)
