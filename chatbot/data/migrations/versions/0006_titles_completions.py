"""Who gave a conversation its title, and what completions of ``/v1`` have cost."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the table. Titles that are there stay as they are."""
    op.add_column(
        "conversations",
        sa.Column("title_by", sa.String(16), nullable=False, server_default="owner"),
    )
    op.create_table(
        "completion_usage",
        sa.Column(
            "user_id", sa.Uuid, sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("day", sa.Date, primary_key=True),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in ("answers", "errors", "interrupted", "prompt_tokens", "completion_tokens")
        ),
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_table("completion_usage")
    op.drop_column("conversations", "title_by")
