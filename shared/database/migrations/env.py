"""What Alembic runs around each migration. The connection is handed over by shared.database.migrate."""

from alembic import context

from shared.database.tables import metadata

connection = context.config.attributes["connection"]
# A transaction for each: what locks a table lets go of it before the next one begins, which may take long.
context.configure(
    connection=connection, target_metadata=metadata, transactional_ddl=True, transaction_per_migration=True
)
with context.begin_transaction():
    context.run_migrations()
