"""Alembic's entry: runs the migrations on the connection that `c2m.ledger.store.migrate` holds."""

from alembic import context

from c2m.ledger.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    render_as_batch=True,
)
context.run_migrations()
