"""Alembic's entry point, always called by ``chatbot.migrate``, which hands it a connection."""

from __future__ import annotations

from alembic import context

from chatbot.data.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # SQLite cannot alter most columns in place; batch mode copies the table.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
