"""Explores everything, for some minutes: the rules as they stand, and each of them broken."""

import argparse
import sys
import time

from tests.protocol.catalogue import DAMAGES, HARMLESS, SCENARIOS
from tests.protocol.explore import explore


def show(scenario: str, damage: frozenset[str] = frozenset(), *, trace: bool = False) -> bool:
    """-> whether all holds."""
    began = time.monotonic()
    verdict = explore(SCENARIOS[scenario], damage)
    took = time.monotonic() - began
    print(f"{scenario:30} {verdict.houses:9,} houses {took:6.1f} s  {verdict.wrong or 'all holds'}", flush=True)
    for number, label in enumerate(verdict.trace if trace else (), start=1):
        print(f"    {number:2}. {label}")
    return verdict.wrong is None


def everything() -> bool:
    print("The rules as they stand:")
    fine = [show(name) for name in SCENARIOS]
    print("\nBroken in one way, and noticed:")
    for name, damage in DAMAGES.items():
        print(f"  {name}: {damage.what}")
        fine.append(not show(damage.scenario, frozenset({name, *damage.masks})))
    print("\nBroken in one way, and harmless to the rows:")
    for name, damage in HARMLESS.items():
        print(f"  {name}: {damage.what}")
        fine.append(show(damage.scenario, frozenset({name, *damage.masks})))
    return all(fine)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.protocol", description=__doc__)
    parser.add_argument(
        "scenario", nargs="?", choices=SCENARIOS, help="just this one, with the history that shows what is wrong"
    )
    parser.add_argument("damage", nargs="*", help="rules to break: names in tests/protocol/catalogue.py")
    arguments = parser.parse_args()
    unknown = set(arguments.damage) - DAMAGES.keys() - HARMLESS.keys() - {"requeued_only_once"}
    if unknown:
        parser.error(f"no such damage: {', '.join(sorted(unknown))}")
    if arguments.scenario:
        return 0 if show(arguments.scenario, frozenset(arguments.damage), trace=True) else 1
    return 0 if everything() else 1


if __name__ == "__main__":
    sys.exit(main())
