"""The tables. Every state, limit and invariant that a row can hold by itself is a CHECK; every index says who needs it."""

from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    Interval,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from shared.states import FINISHED, HELD, JobState, Task

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
    }
)

Timestamp = DateTime(timezone=True)


def _one_of(*values: str) -> str:
    return ", ".join(f"'{value}'" for value in sorted(values))


QUEUED = f"state = '{JobState.QUEUED}'"
HELD_STATES = f"state IN ({_one_of(*HELD)})"

jobs = Table(
    "jobs",
    metadata,
    Column("id", Uuid, primary_key=True),  # UUIDv7: sorts by the time of submission
    Column("owner", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("version", Integer, nullable=False),  # resolved at submission
    Column("queue", Text, nullable=False),
    Column("state", Text, nullable=False),
    # json, not jsonb: carried exactly as sent, never looked into (decision 0003).
    Column("input", JSON, nullable=False),
    Column("result", JSON),
    Column("metadata", JSON),
    Column("error", JSONB),  # {code, message, retryable}
    Column("history", JSONB, nullable=False, server_default=text("'[]'")),  # attempts that ended badly, oldest first
    Column("progress", JSONB),  # {fraction, message} of the running attempt
    Column("batch_id", Uuid),
    Column("traceparent", Text),  # W3C trace context of the submission, for whoever publishes it
    # The fence and the budget (rule 1).
    Column("attempt", Integer, nullable=False, server_default=text("0")),  # one more at each claim, never lowered
    Column("charged", Integer, nullable=False, server_default=text("0")),  # bad ends of this job's own doing
    Column("max_attempts", Integer, nullable=False),  # limits `charged`
    Column("free_losses", SmallInteger, nullable=False, server_default=text("0")),  # lost before the start, in a row
    Column("alone", Boolean, nullable=False, server_default=text("false")),  # next attempt runs alone (rule 10)
    # The outbox (rule 2).
    Column("publish_no", Integer, nullable=False, server_default=text("1")),  # one more at each entry into `queued`
    Column("published_at", Timestamp),
    Column("publish_leased_until", Timestamp),  # a relay is publishing this entry (rule 3)
    Column("republished", SmallInteger, nullable=False, server_default=text("0")),  # doubles rule 11's interval
    # Times, all by the database's clock.
    Column("available_at", Timestamp, nullable=False),  # not to be claimed before (back-off)
    Column("queue_ttl", Interval, nullable=False),
    Column("queue_deadline", Timestamp, nullable=False),
    Column("execution_timeout", Interval, nullable=False),
    Column("worker", Uuid),  # the incarnation that holds it
    Column("created_at", Timestamp, nullable=False),
    Column("started_at", Timestamp),  # when the child was given this attempt; NULL until then
    Column("finished_at", Timestamp),
    Column("purge_at", Timestamp),
    Column("revision", Integer, nullable=False, server_default=text("1")),  # one more with every visible change
    CheckConstraint(f"state IN ({_one_of(*JobState)})", name="state"),
    CheckConstraint(f"task IN ({_one_of(*Task)})", name="task"),
    CheckConstraint(f"(state IN ({_one_of(*FINISHED)})) = (finished_at IS NOT NULL)", name="finished"),
    CheckConstraint(f"({HELD_STATES}) = (worker IS NOT NULL)", name="held"),
    CheckConstraint(f"result IS NULL OR state = '{JobState.SUCCEEDED}'", name="result"),
    CheckConstraint(f"(state IN ({_one_of(JobState.FAILED, JobState.EXPIRED)})) = (error IS NOT NULL)", name="error"),
    CheckConstraint("attempt >= 0", name="attempt"),
    CheckConstraint(
        f"charged BETWEEN 0 AND max_attempts AND (charged < max_attempts OR state IN ({_one_of(*FINISHED)}))",
        name="charged",
    ),
    CheckConstraint("max_attempts >= 1", name="max_attempts"),
    # The relay's sweep: what is to be published, the longest due first.
    Index("ix_jobs_unpublished", "available_at", postgresql_where=text(f"{QUEUED} AND published_at IS NULL")),
    # Rule 11: what was published and not claimed, by queue, the oldest first.
    Index(
        "ix_jobs_published", "queue", "published_at", postgresql_where=text(f"{QUEUED} AND published_at IS NOT NULL")
    ),
    # The heartbeat and the reconciler: what an incarnation holds.
    Index("ix_jobs_held", "worker", postgresql_where=text(HELD_STATES)),
    # The reconciler: what has waited past its deadline.
    Index("ix_jobs_queue_deadline", "queue_deadline", postgresql_where=text(QUEUED)),
    # queue_position: who is first in a queue.
    Index("ix_jobs_queue_order", "queue", "id", postgresql_where=text(QUEUED)),
    # Listing: an owner's jobs, newest first (read backwards).
    Index("ix_jobs_owner", "owner", "id"),
)

workers = Table(
    "workers",
    metadata,
    Column("id", Uuid, primary_key=True),  # one incarnation: one life of one worker process
    Column("name", Text, nullable=False),  # host and process id, for people
    Column("device", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("started_at", Timestamp, nullable=False),
    Column("heartbeat_at", Timestamp, nullable=False),
    Column("lease_until", Timestamp, nullable=False),
    Column("models", JSONB, nullable=False, server_default=text("'[]'")),  # [{name, version, state, error}]
    Column("queues", JSONB, nullable=False, server_default=text("'[]'")),  # [{queue, idle, newest_claimed}] (rule 11)
    CheckConstraint("state IN ('alive', 'dead', 'stopped')", name="state"),
    # The reconciler and the catalogue: the few that are alive.
    Index("ix_workers_alive", "lease_until", postgresql_where=text("state = 'alive'")),
)

models = Table(
    "models",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("description", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("tasks", ARRAY(Text), nullable=False),
    Column("input_schema", JSONB, nullable=False),
    Column("output_schema", JSONB, nullable=False),
    Column("training_schema", JSONB),
    Column("example", JSONB),
    Column("queue_ttl", Interval),  # NULL: the system's default, as for the next two
    Column("execution_timeout", Interval),
    Column("max_attempts", Integer),
    Column("metrics", JSONB),
    Column("promoted_at", Timestamp),  # the latest promoted version is the default; if none, the highest
    Column("registered_at", Timestamp, nullable=False),
    CheckConstraint("version >= 1", name="version"),
)

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("queue", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("attributes", JSONB, nullable=False),
    Column("reason", Text, nullable=False),
    Column("received_at", Timestamp, nullable=False),
)
