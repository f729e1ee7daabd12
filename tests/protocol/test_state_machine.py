"""The statements against the model, driven by hypothesis. `TORCHRELAY_EXAMPLES=1000` drives them for longer."""

import os

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from deploy.local.postgres import Postgres
from tests.protocol.machine import Protocol
from tests.protocol.real import Real

EXAMPLES = int(os.environ.get("TORCHRELAY_EXAMPLES", "150"))
STEPS = 40


@pytest.mark.timeout(200 + EXAMPLES)
def test_the_statements_do_what_the_rules_say_in_every_order(postgres: Postgres, migrated: str) -> None:
    """Rules 1 to 11 and 13: after each step each row is the model's, and in the end every job has ended."""
    postgres.create_database("protocol", template=migrated)
    with Real(postgres.url("protocol")) as real:
        run_state_machine_as_test(
            lambda: Protocol(real),  # type: ignore[arg-type]  # a class is asked for, anything that makes one is taken
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                derandomize=EXAMPLES <= 150,
                deadline=None,
                database=None,
                phases=(Phase.generate, Phase.shrink),
                suppress_health_check=list(HealthCheck),
            ),
        )
