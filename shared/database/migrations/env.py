"""What Alembic runs around each migration. The connection is handed over by shared.database.migrate."""

from alembic import context

from shared.database.tables import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
