"""A system to be broken for each module, with one ledger for all that its tests order."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest

from tests.chaos.customer import Customer
from tests.chaos.ledger import Ledger
from tests.chaos.rig import Rig, rig
from tests.chaos.scene import Scene

Stage = Callable[..., AbstractAsyncContextManager[Scene]]


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


__all__ = ["Rig", "Stage", "stage"]
