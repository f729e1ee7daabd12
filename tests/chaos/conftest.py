"""A system to be broken for each module, with one ledger for all that its tests order."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.customer import Customer
from tests.chaos.ledger import Ledger
from tests.chaos.rig import rig
from tests.chaos.scene import Scene

HERE = Path(__file__).parent
Stage = Callable[..., AbstractAsyncContextManager[Scene]]


PATIENCE = 300  # seconds for a test: processes are started, leases waited for, and machines are busy


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent == HERE and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(PATIENCE))


@pytest.fixture(scope="session")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """options: of `rig`."""

    @asynccontextmanager
    async def set_up(**options: Any) -> AsyncIterator[Scene]:
        async with rig(tmp_path_factory.mktemp("chaos"), **options) as made:
            ledger = Ledger()
            customer = Customer(made.system.urls, ledger)
            try:
                yield Scene(made, ledger, customer)
            finally:
                await customer.close()

    return set_up
