"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("attributes", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letters")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("input", sa.JSON(), nullable=False),
        sa.Column("result", sa.JSON(), nullable=True),
        sa.Column("metadata", sa.JSON(), nullable=True),
        sa.Column("error", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("history", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("progress", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("batch_id", sa.Uuid(), nullable=True),
        sa.Column("traceparent", sa.Text(), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("charged", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("max_attempts", sa.Integer(), nullable=False),
        sa.Column("free_losses", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("alone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("publish_no", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("publish_leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("republished", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("available_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("queue_ttl", sa.Interval(), nullable=False),
        sa.Column("queue_deadline", sa.DateTime(timezone=True), nullable=False),
        sa.Column("execution_timeout", sa.Interval(), nullable=False),
        sa.Column("worker", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("purge_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint(
            "(state IN ('cancelled', 'expired', 'failed', 'succeeded')) = (finished_at IS NOT NULL)",
            name=op.f("ck_jobs_finished"),
        ),
        sa.CheckConstraint("(state IN ('cancelling', 'running')) = (worker IS NOT NULL)", name=op.f("ck_jobs_held")),
        sa.CheckConstraint("(state IN ('expired', 'failed')) = (error IS NOT NULL)", name=op.f("ck_jobs_error")),
        sa.CheckConstraint(
            "charged BETWEEN 0 AND max_attempts AND "
            "(charged < max_attempts OR state IN ('cancelled', 'expired', 'failed', 'succeeded'))",
            name=op.f("ck_jobs_charged"),
        ),
        sa.CheckConstraint("result IS NULL OR state = 'succeeded'", name=op.f("ck_jobs_result")),
        sa.CheckConstraint(
            "state IN ('cancelled', 'cancelling', 'expired', 'failed', 'queued', 'running', 'succeeded')",
            name=op.f("ck_jobs_state"),
        ),
        sa.CheckConstraint("task IN ('inference', 'training')", name=op.f("ck_jobs_task")),
        sa.CheckConstraint("attempt >= 0", name=op.f("ck_jobs_attempt")),
        sa.CheckConstraint("max_attempts >= 1", name=op.f("ck_jobs_max_attempts")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index(
        "ix_jobs_held", "jobs", ["worker"], unique=False, postgresql_where=sa.text("state IN ('cancelling', 'running')")
    )
    op.create_index("ix_jobs_owner", "jobs", ["owner", "id"], unique=False)
    op.create_index(
        "ix_jobs_published",
        "jobs",
        ["queue", "published_at"],
        unique=False,
        postgresql_where=sa.text("state = 'queued' AND published_at IS NOT NULL"),
    )
    op.create_index(
        "ix_jobs_queue_deadline", "jobs", ["queue_deadline"], unique=False, postgresql_where=sa.text("state = 'queued'")
    )
    op.create_index(
        "ix_jobs_queue_order", "jobs", ["queue", "id"], unique=False, postgresql_where=sa.text("state = 'queued'")
    )
    op.create_index(
        "ix_jobs_unpublished",
        "jobs",
        ["available_at"],
        unique=False,
        postgresql_where=sa.text("state = 'queued' AND published_at IS NULL"),
    )
    op.create_table(
        "models",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("queue", sa.Text(), nullable=False),
        sa.Column("tasks", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("input_schema", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("output_schema", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("training_schema", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("example", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("queue_ttl", sa.Interval(), nullable=True),
        sa.Column("execution_timeout", sa.Interval(), nullable=True),
        sa.Column("max_attempts", sa.Integer(), nullable=True),
        sa.Column("metrics", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("promoted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_models_version")),
        sa.PrimaryKeyConstraint("name", "version", name=op.f("pk_models")),
    )
    op.create_table(
        "workers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("models", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.Column("queues", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'[]'"), nullable=False),
        sa.CheckConstraint("state IN ('alive', 'dead', 'stopped')", name=op.f("ck_workers_state")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workers")),
    )
    op.create_index(
        "ix_workers_alive", "workers", ["lease_until"], unique=False, postgresql_where=sa.text("state = 'alive'")
    )


def downgrade() -> None:
    op.drop_index("ix_workers_alive", table_name="workers", postgresql_where=sa.text("state = 'alive'"))
    op.drop_table("workers")
    op.drop_table("models")
    op.drop_index(
        "ix_jobs_unpublished", table_name="jobs", postgresql_where=sa.text("state = 'queued' AND published_at IS NULL")
    )
    op.drop_index("ix_jobs_queue_order", table_name="jobs", postgresql_where=sa.text("state = 'queued'"))
    op.drop_index("ix_jobs_queue_deadline", table_name="jobs", postgresql_where=sa.text("state = 'queued'"))
    op.drop_index(
        "ix_jobs_published",
        table_name="jobs",
        postgresql_where=sa.text("state = 'queued' AND published_at IS NOT NULL"),
    )
    op.drop_index("ix_jobs_owner", table_name="jobs")
    op.drop_index("ix_jobs_held", table_name="jobs", postgresql_where=sa.text("state IN ('cancelling', 'running')"))
    op.drop_table("jobs")
    op.drop_table("dead_letters")
