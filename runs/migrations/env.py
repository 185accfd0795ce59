"""Alembic's entry: runs the migrations on the connection that `runs.schema` hands over."""

from alembic import context

from runs.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table="run_schema",
    render_as_batch=True,
)
context.run_migrations()
