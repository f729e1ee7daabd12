"""A real database that can be made to fail, and a broker in the test's hands."""

import pytest

from tests.contract.database.stage import Stage
from tests.hand_broker import HandBroker
from tests.unsteady_database import UnsteadyDatabase


@pytest.fixture
def db(stage: Stage) -> UnsteadyDatabase:
    return UnsteadyDatabase(stage.db)


@pytest.fixture
def broker() -> HandBroker:
    return HandBroker()
