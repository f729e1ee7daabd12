"""What the tests of the statements begin with."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from shared.database.pool import Database
from shared.job import Job
from tests.contract.database.stage import Stage

MakeJobs = Callable[..., Awaitable[list[Job]]]


@pytest.fixture
def db(stage: Stage) -> Database:
    return stage.db


@pytest.fixture
async def worker(stage: Stage) -> UUID:
    return await stage.worker()


@pytest.fixture
def make_jobs(stage: Stage) -> MakeJobs:
    return stage.jobs
