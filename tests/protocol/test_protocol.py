"""The rules hold in every history of some small houses, and breaking one is noticed. `python -m tests.protocol` explores more."""

import re
from pathlib import Path

import pytest

from tests.protocol.catalogue import DAMAGES, HARMLESS, QUICK, SCENARIOS, Damage
from tests.protocol.explore import Verdict, explore


def broken(name: str, damage: Damage) -> Verdict:
    return explore(SCENARIOS[damage.scenario], frozenset({name, *damage.masks}))


@pytest.mark.parametrize("name", QUICK)
def test_the_rules_hold(name: str) -> None:
    """Safety on every step, and every job can end from everywhere; submission's own relay lease included."""
    verdict = explore(SCENARIOS[name])
    assert verdict.wrong is None, "\n".join(verdict.trace)
    assert verdict.houses > 100


@pytest.mark.parametrize("name", DAMAGES)
def test_a_broken_rule_is_noticed(name: str) -> None:
    assert broken(name, DAMAGES[name]).wrong is not None


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_harmless_stays_harmless(name: str) -> None:
    """Whoever comes to rely on one of these finds out here."""
    assert broken(name, HARMLESS[name]).wrong is None


def test_every_damage_that_can_be_done_is_in_the_catalogue() -> None:
    known = set(DAMAGES) | set(HARMLESS) | {name for damage in DAMAGES.values() for name in damage.masks}
    sources = Path(__file__).parent.glob("*.py")
    asked = {name for source in sources for name in re.findall(r'broken\("(\w+)"\)', source.read_text())}
    assert asked == known
