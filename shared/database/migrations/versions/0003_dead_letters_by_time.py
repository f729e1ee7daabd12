"""Dead letters are listed by their time, counted, and purged."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index("ix_dead_letters_received_at", "dead_letters", ["received_at", "id"], postgresql_include=["queue"])


def downgrade() -> None:
    op.drop_index("ix_dead_letters_received_at", table_name="dead_letters")
