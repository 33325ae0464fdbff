"""Alembic's entry: it is given an open connection by `app.migrations.run`."""

from alembic import context

from app.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=False,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
