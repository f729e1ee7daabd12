"""The randomized run, short: TORCHRELAY_CHAOS_SECONDS makes it longer, TORCHRELAY_CHAOS_SEED another."""

import os
from pathlib import Path

import pytest

from deploy.local.console import Console
from tests.chaos.report import text
from tests.chaos.run import Plan, run

SECONDS = float(os.environ.get("TORCHRELAY_CHAOS_SECONDS", "20"))
SEED = int(os.environ.get("TORCHRELAY_CHAOS_SEED", "1"))


@pytest.mark.timeout(900 + SECONDS)
async def test_whatever_breaks_every_promise_is_kept(tmp_path_factory: pytest.TempPathFactory) -> None:
    plan = Plan(duration=SECONDS, seed=SEED, witnesses=frozenset(), every=3.0)
    console = Console()
    folder: Path = tmp_path_factory.mktemp("chaos")
    outcome = await run(plan, folder, console, lambda words: console.say("chaos", words))
    assert outcome.good, text(outcome)
    assert outcome.injected
    assert outcome.verdict.jobs
