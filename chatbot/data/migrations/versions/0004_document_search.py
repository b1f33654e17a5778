"""Search over the text of documents.

SQLite: an FTS5 index over ``document_chunks``, whose text it does not keep a second time; triggers
keep it. Chunks are never changed, and SQLite fires the trigger also for what a foreign key deletes.

Postgres: an index on an expression, which cannot drift. As in ``search_words`` punctuation becomes
space. Both stem as English is stemmed: what is in other languages is still found by whole words.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_SQLITE = (
    """
    CREATE VIRTUAL TABLE document_index USING fts5(
        text, content = 'document_chunks', content_rowid = 'id',
        tokenize = "porter unicode61 remove_diacritics 2")
    """,
    """
    CREATE TRIGGER document_chunks_inserted AFTER INSERT ON document_chunks BEGIN
        INSERT INTO document_index (rowid, text) VALUES (new.id, new.text);
    END
    """,
    """
    CREATE TRIGGER document_chunks_deleted AFTER DELETE ON document_chunks BEGIN
        INSERT INTO document_index (document_index, rowid, text)
            VALUES ('delete', old.id, old.text);
    END
    """,
    "INSERT INTO document_index (document_index) VALUES ('rebuild')",
)

_POSTGRES = (
    """
    CREATE FUNCTION document_words(text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT to_tsvector('english'::regconfig, translate(
            left($1, 100000), '!"#$&()*+,-./:;<=>?@[]^_`{|}~\\', repeat(' ', 30)))
    $$
    """,
    # A query whose words are or-ed: plainto_tsquery takes what it is given for plain words, and
    # no word holds the ampersand that it joins them by.
    """
    CREATE FUNCTION document_query(text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
        SELECT replace(plainto_tsquery('english'::regconfig, $1)::text, '&', '|')::tsquery
    $$
    """,
    "CREATE INDEX search_document_chunks ON document_chunks USING gin (document_words(text))",
)


def upgrade() -> None:
    """Make the index, and put all that exists into it."""
    postgres = op.get_bind().dialect.name == "postgresql"
    for statement in _POSTGRES if postgres else _SQLITE:
        # As it is: the colons and percent signs in it are no parameters.
        op.get_bind().exec_driver_sql(statement)


def downgrade() -> None:
    """Drop the index."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP INDEX search_document_chunks")
        op.execute("DROP FUNCTION document_query(text)")
        op.execute("DROP FUNCTION document_words(text)")
        return
    op.execute("DROP TRIGGER document_chunks_inserted")
    op.execute("DROP TRIGGER document_chunks_deleted")
    op.execute("DROP TABLE document_index")
