"""What was submitted before: found by the key that came with it, for whoever sends it again."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Text, Uuid, bindparam, select

from shared.database.fence import rows_given
from shared.database.jobs import JOB_COLUMNS, LISTED_COLUMNS, job_of
from shared.database.pool import Database
from shared.database.statement import Statement
from shared.database.tables import jobs
from shared.job import Job

_asked = rows_given("asked", {"owner": Text, "key": Text})
_FIND = Statement(
    "find_submissions",
    select(*JOB_COLUMNS, jobs.c.idempotency_key, jobs.c.idempotency_hash)
    .join_from(_asked, jobs, (jobs.c.owner == _asked.c.owner) & (jobs.c.idempotency_key == _asked.c.key))
    .where(jobs.c.idempotency_key.is_not(None)),
)
_READ_BATCH = Statement(
    "read_batch",
    select(*LISTED_COLUMNS)
    .where(jobs.c.owner == bindparam("owner", type_=Text), jobs.c.batch_id == bindparam("batch_id", type_=Uuid))
    .order_by(jobs.c.id),
)


@dataclass(frozen=True, slots=True)
class Submitted:
    """job: as it is now; of a batch, the one that carries its key. digest: of the body that it came with."""

    job: Job
    digest: str


async def find_submissions(db: Database, asked: Sequence[tuple[str, str]]) -> list[Submitted | None]:
    """asked: (owner, idempotency key). -> in the order given; None: nothing was submitted under it, or it is gone."""
    owners, keys = [owner for owner, _ in asked], [key for _, key in asked]
    found = {
        (row["owner"], row["idempotency_key"]): Submitted(job_of(row), row["idempotency_hash"])
        for row in await db.fetch(_FIND, owner=owners, key=keys)
    }
    return [found.get(one) for one in asked]


async def read_batch(db: Database, owner: str, batch_id: UUID) -> list[Job]:
    """What there still is of it, in the order of its submission, without results."""
    return [job_of(row) for row in await db.fetch(_READ_BATCH, owner=owner, batch_id=batch_id)]
