"""Models say how long what is left of their jobs is kept, and the most that a submission may ask for.

Columns that may be NULL, which is what a worker of the release before leaves in them: the system's settings hold.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("models", sa.Column("result_retention", sa.Interval(), nullable=True))
    op.add_column("models", sa.Column("row_retention", sa.Interval(), nullable=True))
    op.add_column("models", sa.Column("max_queue_ttl", sa.Interval(), nullable=True))
    op.add_column("models", sa.Column("max_execution_timeout", sa.Interval(), nullable=True))
    op.add_column("models", sa.Column("max_max_attempts", sa.Integer(), nullable=True))


def downgrade() -> None:
    op.drop_column("models", "max_max_attempts")
    op.drop_column("models", "max_execution_timeout")
    op.drop_column("models", "max_queue_ttl")
    op.drop_column("models", "row_retention")
    op.drop_column("models", "result_retention")
