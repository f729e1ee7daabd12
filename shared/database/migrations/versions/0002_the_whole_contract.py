"""Events, uploads, keys, webhooks, retention, and what makes a submission safe to repeat: what takes long on a large table.

Built beside the traffic, each statement by itself. One that was broken off is done again: what is half there goes first.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0002a"

_QUEUED = sa.text("state = 'queued'")
_FINISHED = sa.text("finished_at IS NOT NULL")
_NEW = "ix_jobs_queue_order_new"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        before = op.get_bind().scalar(sa.text("SHOW lock_timeout"))
        op.execute("SET lock_timeout = 0")  # waits for transactions that began before, and nobody waits behind it
        _build("ix_jobs_batch", ["batch_id", "id"], postgresql_where=sa.text("batch_id IS NOT NULL"))
        _build("ix_jobs_finished", ["queue", "finished_at"], postgresql_include=["state"], postgresql_where=_FINISHED)
        _build(
            "ix_jobs_idempotency",
            ["owner", "idempotency_key"],
            unique=True,
            postgresql_where=sa.text("idempotency_key IS NOT NULL"),
        )
        _build("ix_jobs_purge", ["purge_at"], postgresql_where=sa.text("purge_at IS NOT NULL"))
        _build("ix_jobs_unnoted", ["id"], postgresql_where=sa.text("finished_at IS NOT NULL AND purge_at IS NULL"))
        _build(
            "ix_jobs_rare",
            ["owner", "state", "id"],
            postgresql_where=sa.text("state IN ('cancelled', 'expired', 'failed')"),
        )
        _build(_NEW, ["queue", "id"], postgresql_include=["owner", "available_at"], postgresql_where=_QUEUED)
        _drop("ix_jobs_queue_order")
        op.execute(f"ALTER INDEX {_NEW} RENAME TO ix_jobs_queue_order")
        for check in ("result_key", "idempotency"):
            op.execute(f"ALTER TABLE jobs VALIDATE CONSTRAINT ck_jobs_{check}")
        op.execute(f"SET lock_timeout = '{before}'")


def downgrade() -> None:
    for name in ("ix_jobs_queue_order", "ix_jobs_rare", "ix_jobs_purge", "ix_jobs_unnoted", "ix_jobs_idempotency"):
        op.drop_index(name, table_name="jobs")
    op.drop_index("ix_jobs_finished", table_name="jobs")
    op.drop_index("ix_jobs_batch", table_name="jobs")
    op.create_index("ix_jobs_queue_order", "jobs", ["queue", "id"], postgresql_where=_QUEUED)


def _build(name: str, columns: list[str], *, unique: bool = False, **options: Any) -> None:
    _drop(name)
    op.create_index(name, "jobs", columns, unique=unique, postgresql_concurrently=True, **options)


def _drop(name: str) -> None:
    op.drop_index(name, table_name="jobs", postgresql_concurrently=True, if_exists=True)
