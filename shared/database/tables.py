"""The tables. Every state, limit and invariant that a row can hold by itself is a CHECK; every index says who needs it."""

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
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

from shared.states import FINISHED, HELD, RETRYABLE, JobState, Task

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
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
    # A result that is too large to stand here is a blob, and this its pointer.
    Column("result_key", Text),
    Column("result_size", BigInteger),  # bytes
    Column("result_sha256", Text),
    Column("metadata", JSON),
    Column("error", JSONB),  # {code, message, retryable}
    Column("history", JSONB, nullable=False, server_default=text("'[]'")),  # attempts that ended badly, oldest first
    Column("progress", JSONB),  # {fraction, message} of the running attempt
    Column("batch_id", Uuid),
    Column("webhook", JSONB),  # {url, events}: who is to be told of its end
    # Of the submission: the first job of a batch carries the batch's. Kept as long as the row.
    Column("idempotency_key", Text),  # its route and the client's key
    Column("idempotency_hash", Text),  # SHA-256 of the body's JSON with sorted keys
    Column("traceparent", Text),  # W3C trace context of the submission, for whoever publishes it
    # Its events: moves between states stand in the row, one write with the move; the rest is in `events` (decision 0013).
    Column("last_seq", Integer, nullable=False, server_default=text("0")),  # of the latest event, without holes
    Column("trail", JSONB, nullable=False, server_default=text("'[]'")),  # [{seq, at, state, attempt}], oldest first
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
    # Retention: first the result goes, then the row. What goes next goes at `purge_at`.
    Column("result_retention", Interval, nullable=False, server_default=text("'7 days'")),
    Column("row_retention", Interval, nullable=False, server_default=text("'30 days'")),
    Column("purge_at", Timestamp),
    Column("revision", Integer, nullable=False, server_default=text("1")),  # one more with every visible change
    CheckConstraint(f"state IN ({_one_of(*JobState)})", name="state"),
    CheckConstraint(f"task IN ({_one_of(*Task)})", name="task"),
    CheckConstraint(f"(state IN ({_one_of(*FINISHED)})) = (finished_at IS NOT NULL)", name="finished"),
    CheckConstraint(f"({HELD_STATES}) = (worker IS NOT NULL)", name="held"),
    CheckConstraint(f"result IS NULL OR state = '{JobState.SUCCEEDED}'", name="result"),
    CheckConstraint(
        f"result_key IS NULL OR (state = '{JobState.SUCCEEDED}' AND result IS NULL AND result_size IS NOT NULL)",
        name="result_key",
    ),
    CheckConstraint("(idempotency_key IS NULL) = (idempotency_hash IS NULL)", name="idempotency"),
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
    # queue_position: who is first in a queue. With the owner: how many of each wait, for the cap of waiting jobs. With
    # `available_at`: since when they wait, for the statistics.
    Index(
        "ix_jobs_queue_order",
        "queue",
        "id",
        postgresql_include=["owner", "available_at"],
        postgresql_where=text(QUEUED),
    ),
    # Listing: an owner's jobs, newest first (read backwards).
    Index("ix_jobs_owner", "owner", "id"),
    # Listing by a state that is rare: without it, all of an owner's jobs are looked at.
    Index("ix_jobs_rare", "owner", "state", "id", postgresql_where=text(f"state IN ({_one_of(*RETRYABLE)})")),
    # Listing what was submitted together, and answering such a submission again.
    Index("ix_jobs_batch", "batch_id", "id", postgresql_where=text("batch_id IS NOT NULL")),
    # The same submission twice is one.
    Index(
        "ix_jobs_idempotency",
        "owner",
        "idempotency_key",
        unique=True,
        postgresql_where=text("idempotency_key IS NOT NULL"),
    ),
    # Retention: what is to be purged next.
    Index("ix_jobs_purge", "purge_at", postgresql_where=text("purge_at IS NOT NULL")),
    # The reconciler: what a service of the release before has ended, without a word on when it is to be purged. Few.
    Index("ix_jobs_unnoted", "id", postgresql_where=text("finished_at IS NOT NULL AND purge_at IS NULL")),
    # Statistics: what a queue has finished lately. With the state: how many ended how, without a look at the rows.
    Index(
        "ix_jobs_finished",
        "queue",
        "finished_at",
        postgresql_include=["state"],
        postgresql_where=text("finished_at IS NOT NULL"),
    ),
)

# Progress, logs and metrics of a job. Its moves between states are in `jobs.trail`; both count with `jobs.last_seq`.
events = Table(
    "events",
    metadata,
    Column("job_id", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("type", Text, nullable=False),
    Column("at", Timestamp, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("data", JSONB, nullable=False),
    CheckConstraint("type IN ('log', 'metrics', 'progress')", name="type"),
)

# A file that a client has sent; its bytes are the blob `key`.
uploads = Table(
    "uploads",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("owner", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("size", BigInteger, nullable=False),  # bytes
    Column("content_type", Text, nullable=False),  # as sniffed
    Column("sha256", Text, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    # Retention: uploads that no job refers to any more, the oldest first.
    Index("ix_uploads_created_at", "created_at"),
)

# Which uploads a job's input refers to: they stay as long as the job does.
job_uploads = Table(
    "job_uploads",
    metadata,
    Column("job_id", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("upload_id", Uuid, ForeignKey("uploads.id"), primary_key=True),
    # Retention: whether anybody refers to an upload.
    Index("ix_job_uploads_upload_id", "upload_id"),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),  # trk_<id>_<secret>
    Column("owner", Text, nullable=False),
    Column("name", Text, nullable=False),  # for people
    Column("scopes", ARRAY(Text), nullable=False),
    Column("secret_sha256", LargeBinary, nullable=False),
    Column("created_at", Timestamp, nullable=False),
    Column("revoked_at", Timestamp),
)

# What an owner's webhooks are signed with; after a rotation the old secret signs along for a while.
webhook_secrets = Table(
    "webhook_secrets",
    metadata,
    Column("owner", Text, primary_key=True),
    Column("secret", Text, nullable=False),  # whsec_…
    Column("previous", Text),
    Column("previous_until", Timestamp),
    Column("created_at", Timestamp, nullable=False),
)

# One event that somebody is to be told of. Written with the move itself: what has happened is told, whatever crashes.
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Uuid, primary_key=True),  # the webhook-id, the same in every try
    Column("job_id", Uuid, ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("owner", Text, nullable=False),
    Column("event", Text, nullable=False),  # job.succeeded, …
    Column("url", Text, nullable=False),
    Column("host", Text, nullable=False),  # of the URL: one that is slow must not hold up the others
    Column("job", JSON),  # its columns at that moment; gone once nobody has to be told any more
    Column("state", Text, nullable=False, server_default=text("'pending'")),
    Column("tries", JSONB, nullable=False, server_default=text("'[]'")),  # [{at, status, error, seconds}]
    Column("next_try_at", Timestamp, nullable=False),
    Column("leased_until", Timestamp),  # an API process is trying
    Column("created_at", Timestamp, nullable=False),
    Column("finished_at", Timestamp),
    CheckConstraint("state IN ('delivered', 'failed', 'pending')", name="state"),
    CheckConstraint("(state = 'pending') = (finished_at IS NULL)", name="finished"),
    CheckConstraint("(state = 'pending') = (job IS NOT NULL)", name="job"),
    # The dispatcher: what is due.
    Index("ix_webhook_deliveries_due", "next_try_at", postgresql_where=text("state = 'pending'")),
    # A job's log of deliveries.
    Index("ix_webhook_deliveries_job_id", "job_id"),
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
    Column("queue_ttl", Interval),  # NULL: the system's default, as for the next four
    Column("execution_timeout", Interval),
    Column("max_attempts", Integer),
    Column("result_retention", Interval),
    Column("row_retention", Interval),
    Column("max_queue_ttl", Interval),  # NULL: the system's cap alone, as for the next two
    Column("max_execution_timeout", Interval),
    Column("max_max_attempts", Integer),
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
    # Listing, newest first, and retention. With the queue: how many of each are kept, without a look at the rows.
    Index("ix_dead_letters_received_at", "received_at", "id", postgresql_include=["queue"]),
)
