"""Alembic's entry: the caller hands over an open connection, so that one code path serves start-up and tests."""

from alembic import context

from activities.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
