"""What a run came to: Markdown for people, JSON for everything else."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from tests.chaos.recovery import Recovery, percentiles
from tests.chaos.run import RECOVERED_WITHIN, Outcome
from tests.chaos.vitals import Life


def document(outcome: Outcome, **about: Any) -> bytes:
    """about: when, where, of which source."""
    verdict = outcome.verdict
    whole = {
        **about,
        "good": outcome.good,
        "plan": outcome.plan,
        "took": outcome.took,
        "drained_in": outcome.drained_in,
        "jobs": verdict.jobs,
        "states": verdict.states,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "wrong": verdict.wrong,
        "failures": outcome.failures,
        "clients": outcome.clients,
        "recovery": {
            name: {"jobs": len(seconds), "p50": p50, "p99": p99, "longest": max(seconds)}
            for name, seconds, (p50, p99) in _recovered(outcome.recoveries)
        },
        "late": outcome.late,
        "faults": outcome.injected,
        "lives": outcome.lives,
    }
    return msgspec.json.format(msgspec.json.encode(whole, enc_hook=_encoded), indent=1)


def text(outcome: Outcome, **about: Any) -> str:
    """Markdown."""
    verdict, plan = outcome.verdict, outcome.plan
    summary = [
        ("duration", f"{plan.duration:.0f} s, then {outcome.drained_in:.0f} s until the last job had ended"),
        ("seed", str(plan.seed)),
        *((name, str(value)) for name, value in about.items()),
        ("parts", f"{plan.apis} API processes, {plan.workers} workers, {plan.clients} clients"),
        ("faults injected", f"{len(outcome.injected):,}"),
        ("jobs accepted", f"{verdict.jobs:,} ({_counted(verdict.states)})"),
        ("requests that clients had to repeat", f"{outcome.clients.get('requests repeated', 0):,}"),
        ("**lost**", f"**{len(verdict.lost)}**"),
        ("**doubled**", f"**{len(verdict.doubled)}**"),
        ("**wrong**", f"**{len(verdict.wrong)}**"),
        *_recovery_rows(outcome.recoveries),
        ("undisturbed recoveries over the promised", f"{len(outcome.late)} (lease + 10 s = {RECOVERED_WITHIN:g} s)"),
    ]
    parts = [
        _table(("", ""), summary),
        _table(("fault", "times"), [(kind, str(count)) for kind, count in sorted(_by_kind(outcome).items())]),
        _table(
            ("process", "lived", "memory, first and last third", "threads", "flat"),
            [_life_row(life) for life in outcome.lives if life.growth is not None]
            or [("none lived for long enough to be judged", "", "", "", "")],
        ),
    ]
    for heading, found in (
        ("lost", verdict.lost),
        ("doubled", verdict.doubled),
        ("wrong", verdict.wrong),
        ("failures of the run", outcome.failures),
    ):
        if found:
            parts.append("\n".join([f"{heading}:", "", *(f"- {one}" for one in found[:50])]))
    return "\n\n".join(parts) + "\n"


def _by_kind(outcome: Outcome) -> Counter[str]:
    return Counter(one.kind for one in outcome.injected)


def _recovered(recoveries: Iterable[Recovery]) -> list[tuple[str, list[float], tuple[float, float]]]:
    by_name: defaultdict[str, list[float]] = defaultdict(list)
    for one in recoveries:
        name = f"{one.kind}, {'nothing else broken' if one.undisturbed else 'in the midst of other faults'}"
        by_name[name] += one.seconds
    found = [(name, seconds, percentiles(seconds)) for name, seconds in sorted(by_name.items())]
    return [(name, seconds, both) for name, seconds, both in found if both is not None]


def _recovery_rows(recoveries: Sequence[Recovery]) -> list[tuple[str, str]]:
    return [
        (f"back on the way: {name}", f"p50 {p50:.1f} s, p99 {p99:.1f} s, of {len(seconds):,} jobs")
        for name, seconds, (p50, p99) in _recovered(recoveries)
    ]


def _life_row(life: Life) -> tuple[str, ...]:
    assert life.growth is not None
    assert life.threads is not None
    before, after = life.growth
    first, last = life.threads
    lived = life.samples[-1].at - life.samples[0].at
    return (
        f"{life.part} ({life.pid})",
        f"{lived / 60:.1f} min",
        f"{before:.0f} MB, {after:.0f} MB",
        f"{first:g}, {last:g}",
        "yes" if life.flat else "**NO**",
    )


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.most_common())


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def _encoded(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    raise NotImplementedError
