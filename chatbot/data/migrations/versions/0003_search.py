"""Search over messages and titles.

SQLite: an FTS5 index, kept by triggers. ``messages`` has no INTEGER PRIMARY KEY, so its rowid may
change (VACUUM does that); ``search_entries`` gives each text a number that stays. A deleted
message takes its entry along by the foreign key, and the entry's trigger takes the index's row.

Postgres: indexes on an expression, which cannot drift. The text is cut, because a tsvector holds
at most 1 MiB; punctuation becomes space, because Postgres would keep e.g. ``example.org`` as one
word, and SQLite makes two of it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# Unfinished answers are not searched: each piece of them would be a new text.
_SQLITE = (
    """
    CREATE VIRTUAL TABLE search_index USING fts5(text, tokenize = "unicode61 remove_diacritics 0")
    """,
    """
    CREATE TRIGGER search_entries_deleted AFTER DELETE ON search_entries BEGIN
        DELETE FROM search_index WHERE rowid = old.id;
    END
    """,
    """
    CREATE TRIGGER search_messages_inserted AFTER INSERT ON messages
    WHEN new.status <> 'streaming' AND new.content <> '' BEGIN
        INSERT INTO search_entries (conversation_id, message_id)
            VALUES (new.conversation_id, new.id);
        INSERT INTO search_index (rowid, text)
            SELECT id, new.content FROM search_entries WHERE message_id = new.id;
    END
    """,
    """
    CREATE TRIGGER search_messages_changed AFTER UPDATE OF content, status ON messages
    WHEN new.content IS NOT old.content OR new.status IS NOT old.status BEGIN
        DELETE FROM search_entries WHERE message_id = new.id;
        INSERT INTO search_entries (conversation_id, message_id)
            SELECT new.conversation_id, new.id
            WHERE new.status <> 'streaming' AND new.content <> '';
        INSERT INTO search_index (rowid, text)
            SELECT id, new.content FROM search_entries WHERE message_id = new.id;
    END
    """,
    """
    CREATE TRIGGER search_titles_inserted AFTER INSERT ON conversations WHEN new.title <> '' BEGIN
        INSERT INTO search_entries (conversation_id) VALUES (new.id);
        INSERT INTO search_index (rowid, text)
            SELECT id, new.title FROM search_entries
            WHERE conversation_id = new.id AND message_id IS NULL;
    END
    """,
    """
    CREATE TRIGGER search_titles_changed AFTER UPDATE OF title ON conversations
    WHEN new.title IS NOT old.title BEGIN
        DELETE FROM search_entries WHERE conversation_id = new.id AND message_id IS NULL;
        INSERT INTO search_entries (conversation_id) SELECT new.id WHERE new.title <> '';
        INSERT INTO search_index (rowid, text)
            SELECT id, new.title FROM search_entries
            WHERE conversation_id = new.id AND message_id IS NULL;
    END
    """,
    """
    INSERT INTO search_entries (conversation_id, message_id)
        SELECT conversation_id, id FROM messages WHERE status <> 'streaming' AND content <> ''
    """,
    """
    INSERT INTO search_entries (conversation_id)
        SELECT id FROM conversations WHERE title <> ''
    """,
    """
    INSERT INTO search_index (rowid, text)
        SELECT entry.id, coalesce(message.content, conversation.title) FROM search_entries entry
        JOIN conversations conversation ON conversation.id = entry.conversation_id
        LEFT JOIN messages message ON message.id = entry.message_id
    """,
)

_POSTGRES = (
    """
    CREATE FUNCTION search_words(text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT to_tsvector('simple'::regconfig, translate(
            left($1, 100000), '!"#$&()*+,-./:;<=>?@[]^_`{|}~\\', repeat(' ', 30)))
    $$
    """,
    "CREATE INDEX search_messages ON messages USING gin (search_words(content))",
    "CREATE INDEX search_titles ON conversations USING gin (search_words(title))",
)


def upgrade() -> None:
    """Make the index, and put all that exists into it."""
    if op.get_bind().dialect.name == "postgresql":
        statements: tuple[str, ...] = _POSTGRES
    else:
        _create_entries()
        statements = _SQLITE
    for statement in statements:
        # As it is: the colons and percent signs in it are no parameters.
        op.get_bind().exec_driver_sql(statement)


def _create_entries() -> None:
    conversation = sa.ForeignKey("conversations.id", ondelete="CASCADE")
    message = sa.ForeignKey("messages.id", ondelete="CASCADE")
    op.create_table(
        "search_entries",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("conversation_id", sa.Uuid, conversation, nullable=False),
        sa.Column("message_id", sa.Uuid, message, unique=True),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_search_entries_conversation_id", "search_entries", ["conversation_id"])


def downgrade() -> None:
    """Drop the index."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX search_messages")
        op.execute("DROP INDEX search_titles")
        op.execute("DROP FUNCTION search_words(text)")
        return
    for name in (
        "search_messages_inserted", "search_messages_changed", "search_titles_inserted",
        "search_titles_changed", "search_entries_deleted",
    ):  # fmt: skip
        op.execute(f"DROP TRIGGER {name}")
    op.drop_table("search_entries")
    op.execute("DROP TABLE search_index")
