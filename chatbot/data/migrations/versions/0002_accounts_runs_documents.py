"""Accounts and who owns what; runs and their events; tools, documents, feedback, keys, audit."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_EVERYONE = UUID(int=0)
_MOMENT = sa.DateTime(timezone=True)


def _id() -> sa.Column[Any]:
    return sa.Column("id", sa.Uuid, primary_key=True)


def _reference(
    column: str,
    to: str,
    *,
    ondelete: str = "CASCADE",
    nullable: bool = False,
    primary_key: bool = False,
) -> sa.Column[Any]:
    key = sa.ForeignKey(f"{to}.id", ondelete=ondelete)
    return sa.Column(column, sa.Uuid, key, nullable=nullable, primary_key=primary_key)


def _text(column: str, length: int | None = None, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(column, sa.String(length) if length else sa.Text, nullable=nullable)


def _moment(column: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(column, _MOMENT, nullable=nullable)


def _number(column: str, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(column, sa.Integer, nullable=nullable)


def _json(column: str) -> sa.Column[Any]:
    return sa.Column(column, sa.JSON, nullable=False)


def upgrade() -> None:
    """Create the tables, and give all that exists to the account of everyone."""
    _create_users()
    _give_conversations_an_owner()
    _create_runs()
    _create_documents()
    _create_keys_and_audit()


def _create_users() -> None:
    users = op.create_table(
        "users",
        _id(),
        _text("name", 200),
        _text("role", 16),
        _text("password_hash", 200, nullable=True),
        _text("oidc_issuer", 500, nullable=True),
        _text("oidc_subject", 255, nullable=True),
        _moment("created_at"),
        _moment("last_login_at", nullable=True),
        _moment("sessions_from"),
        _moment("disabled_at", nullable=True),
        sa.UniqueConstraint("name"),
        sa.UniqueConstraint("oidc_issuer", "oidc_subject"),
    )
    moment = datetime.now(UTC)
    everyone = {"id": _EVERYONE, "name": "everyone", "role": "user"}
    op.bulk_insert(users, [{**everyone, "created_at": moment, "sessions_from": moment}])


def _give_conversations_an_owner() -> None:
    with op.batch_alter_table("conversations") as table:
        table.drop_index("ix_conversations_updated_at")
        table.add_column(sa.Column("user_id", sa.Uuid, nullable=True))
        table.add_column(sa.Column("settings", sa.JSON, nullable=True))
    conversations = sa.table(
        "conversations", sa.column("user_id", sa.Uuid), sa.column("settings", sa.JSON)
    )
    op.execute(conversations.update().values(user_id=_EVERYONE, settings={}))
    with op.batch_alter_table("conversations") as table:
        table.alter_column("user_id", existing_type=sa.Uuid, nullable=False)
        table.alter_column("settings", existing_type=sa.JSON, nullable=False)
        table.create_foreign_key(
            "fk_conversations_user_id", "users", ["user_id"], ["id"], ondelete="CASCADE"
        )
        table.create_index("ix_conversations_user_id_updated_at", ["user_id", "updated_at"])
    op.add_column("messages", _text("agent", 200, nullable=True))


def _create_runs() -> None:
    op.create_table(
        "tool_calls",
        _id(),
        _reference("message_id", "messages"),
        _text("call_id", 200),
        _text("name", 200),
        _json("arguments"),
        _number("content_offset"),
        _text("status", 16),
        _text("result"),
        _json("sources"),
        _moment("started_at"),
        _number("duration_ms", nullable=True),
    )
    op.create_index("ix_tool_calls_message_id", "tool_calls", ["message_id"])
    op.create_table(
        "runs",
        _id(),
        _reference("message_id", "messages"),
        _reference("user_id", "users"),
        _text("worker", 200),
        _moment("started_at"),
        _moment("heartbeat_at"),
        _moment("reader_seen_at", nullable=True),
        _moment("stop_requested_at", nullable=True),
        _moment("ended_at", nullable=True),
    )
    op.create_index("ix_runs_message_id", "runs", ["message_id"])
    op.create_index("ix_runs_ended_at", "runs", ["ended_at"])
    op.create_table(
        "run_events",
        _reference("run_id", "runs", primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        _json("events"),
    )
    op.create_table(
        "feedback",
        _reference("message_id", "messages", primary_key=True),
        sa.Column("rating", sa.SmallInteger, nullable=False),
        _text("comment"),
        _moment("created_at"),
    )


def _create_documents() -> None:
    op.create_table(
        "documents",
        _id(),
        _reference("user_id", "users", nullable=True),
        sa.Column("path", sa.String(1000), unique=True),
        _text("name", 255),
        _text("media_type", 100),
        sa.Column("size", sa.BigInteger, nullable=False),
        _text("sha256", 64),
        _text("error", nullable=True),
        _moment("created_at"),
    )
    op.create_index("ix_documents_user_id_created_at", "documents", ["user_id", "created_at"])
    op.create_table(
        "document_contents",
        _reference("document_id", "documents", primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "document_chunks",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer, "sqlite"),
            primary_key=True,
            autoincrement=True,
        ),
        _reference("document_id", "documents"),
        _number("position"),
        _number("page", nullable=True),
        _text("text"),
    )
    op.create_index("ix_document_chunks_document_id", "document_chunks", ["document_id"])
    op.create_table(
        "attachments",
        _reference("message_id", "messages", primary_key=True),
        _reference("document_id", "documents", primary_key=True),
        _number("position"),
    )
    op.create_index("ix_attachments_document_id", "attachments", ["document_id"])


def _create_keys_and_audit() -> None:
    op.create_table(
        "api_keys",
        _id(),
        _reference("user_id", "users"),
        _text("name", 200),
        _text("prefix", 16),
        sa.Column("sha256", sa.String(64), nullable=False, unique=True),
        _moment("created_at"),
        _moment("last_used_at", nullable=True),
        _moment("expires_at", nullable=True),
        _moment("revoked_at", nullable=True),
    )
    op.create_index("ix_api_keys_user_id", "api_keys", ["user_id"])
    op.create_table(
        "audit_events",
        _id(),
        _moment("at"),
        _reference("user_id", "users", ondelete="SET NULL", nullable=True),
        _text("user_name", 200),
        _text("action", 64),
        _text("target", 255),
        _text("address", 64),
        _text("request_id", 64),
        _json("detail"),
    )
    op.create_index("ix_audit_events_at", "audit_events", ["at"])


def downgrade() -> None:
    """Drop what was added, and with it accounts, keys and documents; conversations stay."""
    for name in (
        "audit_events", "api_keys", "attachments", "document_chunks", "document_contents",
        "documents", "feedback", "run_events", "runs", "tool_calls",
    ):  # fmt: skip
        op.drop_table(name)
    with op.batch_alter_table("messages") as table:
        table.drop_column("agent")
    with op.batch_alter_table("conversations") as table:
        table.drop_constraint("fk_conversations_user_id", type_="foreignkey")
        table.drop_index("ix_conversations_user_id_updated_at")
        table.drop_column("user_id")
        table.drop_column("settings")
        table.create_index("ix_conversations_updated_at", ["updated_at"])
    op.drop_table("users")
