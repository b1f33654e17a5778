from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import column, insert, make_url, table, text

from chatbot.data import conversations, migrate, search
from chatbot.data.database import Database
from chatbot.data.tables import EVERYONE, Message, Role, Status, User, now
from tests.chat_application import Chat
from tests.postgres_server import PostgresServer
from tests.scripted_vllm import ScriptedVllm


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        found = Database(make_url(f"sqlite:///{tmp_path / 'chat.db'}"))
    else:
        found = Database(request.getfixturevalue("postgres").new_database())
    migrate.upgrade(found)
    yield found
    found.close()


def write(
    database: Database,
    content: str,
    title: str = "",
    owner: UUID = EVERYONE,
) -> UUID:
    with database.write() as session:
        conversation = conversations.create(session, owner, title)
        session.add(
            Message(
                conversation_id=conversation.id,
                role=Role.USER,
                status=Status.COMPLETE,
                content=content,
            )
        )
        return conversation.id


def found(database: Database, query: str, owner: UUID = EVERYONE, **more: int) -> list[str]:
    with database.read() as session:
        hits = search.find(session, owner, query, **more)
        return [hit.snippet for hit in hits]


def test_words_and_their_beginnings_are_found_in_any_order_and_case(database: Database) -> None:
    write(database, "The Weather in Zürich is fine.")
    for query in ("weather", "WEATH", "zürich weather", "Zürich", "fin the", "in zü"):
        assert found(database, query) == ["The Weather in Zürich is fine."], query
    for query in ("eather", "weather bern", "", "  ", "!?", "*", '"'):
        assert found(database, query) == [], query


def test_what_is_written_without_spaces_is_several_words(database: Database) -> None:
    write(database, "See https://docs.example.org/a_page or max_model_len=2048, it's 3.14%")
    for query in (
        "example",
        "page",
        "model len",
        "2048",
        "docs.example.org",
        "max_model_len",
        "14",
    ):
        assert len(found(database, query)) == 1, query


def test_titles_come_first_then_the_newest_messages(database: Database) -> None:
    write(database, "apples are old")
    write(database, "apples are new")
    write(database, "no fruit", title="On apples")
    assert found(database, "apples") == ["On apples", "apples are new", "apples are old"]
    assert found(database, "apples", limit=1, offset=1) == ["apples are new"]


def test_a_change_and_a_deletion_are_known_at_once(database: Database) -> None:
    with database.write() as session:
        conversation = conversations.create(session, EVERYONE, "first title")
        asked = Message(
            conversation_id=conversation.id,
            role=Role.ASSISTANT,
            status=Status.STREAMING,
            content="unfinished",
        )
        session.add(asked)
    assert found(database, "unfinished") == []
    with database.write() as session:
        answer = session.get_one(Message, asked.id)
        answer.content, answer.status = "finished", Status.COMPLETE
        conversations.get(session, conversation.id, EVERYONE).title = "second title"
    assert found(database, "finished") == ["finished"]
    assert found(database, "first") == []
    assert found(database, "second") == ["second title"]
    with database.write() as session:
        conversations.remove(session, conversation.id, EVERYONE)
    assert found(database, "finished") == []
    assert found(database, "title") == []
    if database.engine.dialect.name == "sqlite":
        with database.read() as session:
            for table in ("search_entries", "search_index"):
                assert session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() == 0


def test_deleting_an_account_empties_the_index(database: Database) -> None:
    with database.write() as session:
        other = User(name="other")
        session.add(other)
        session.flush()
    write(database, "secret plans", owner=other.id)
    assert found(database, "secret") == []
    assert found(database, "secret", other.id) == ["secret plans"]
    with database.write() as session:
        session.delete(session.merge(other))
    assert found(database, "secret", other.id) == []


def write_before(database: Database, content: str, title: str, status: str) -> None:
    """Write to the tables as the second migration has them: not all of today's columns."""
    common = {"id": uuid4().hex, "created_at": now()}
    with database.write() as session:
        for name, row in (
            ("conversations", {**common, "user_id": EVERYONE.hex, "title": title, "settings": "{}",
                               "updated_at": now()}),
            ("messages", {**common, "conversation_id": common["id"], "role": "user",
                          "status": status, "content": content, "reasoning": ""}),
        ):  # fmt: skip
            session.execute(insert(table(name, *(column(key) for key in row))), row)


def test_what_was_there_before_the_index_is_found(tmp_path: Path) -> None:
    database = Database(make_url(f"sqlite:///{tmp_path / 'chat.db'}"))
    migrate.upgrade(database, "0002")
    write_before(database, "an old message", "an old title", "complete")
    write_before(database, "half", "", "streaming")
    migrate.upgrade(database)
    assert found(database, "old") == ["an old title", "an old message"]
    assert found(database, "half") == []
    # Numbers of rows change here, where they are not INTEGER PRIMARY KEY.
    with database.engine.connect() as connection:
        raw = connection.connection.cursor()
        raw.execute("VACUUM")
        raw.execute("INSERT INTO search_index (search_index) VALUES ('integrity-check')")
    assert found(database, "old") == ["an old title", "an old message"]
    database.close()


def test_a_snippet_shows_the_words_and_where_they_are(database: Database) -> None:
    write(database, "x " * 500 + "the Needle\nand more needles" + " y" * 500)
    with database.read() as session:
        [hit] = search.find(session, EVERYONE, "needle")
    assert [hit.snippet[start:end] for start, end in hit.marks] == ["Needle", "needle"]
    assert len(hit.snippet) < 250
    assert (hit.snippet[0], hit.snippet[-1]) == ("…", "…")
    assert "\n" not in hit.snippet


def test_a_very_long_text_can_be_stored_and_found(database: Database) -> None:
    write(database, "needle " + " ".join(f"日本{number}語" for number in range(40_000)))
    write(database, "a" * 200_000)
    assert len(found(database, "needle")) == 1


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(query=st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_no_query_is_an_error(database: Database, query: str) -> None:
    found(database, query)
    found(database, f"\"{query}* OR NEAR(a b) NOT ' & | ! <-> (:* {query}")


@pytest.mark.parametrize(
    "query",
    [
        '"',
        "'",
        "*",
        "a AND",
        "NEAR(",
        "a:b",
        "^x",
        "-",
        "{}",
        "(((",
        "'; DROP TABLE messages; --",
        "\\",
    ],
)
def test_hostile_queries_find_nothing_and_break_nothing(chat: Chat, query: str) -> None:
    response = chat.client.get("/api/search", query_string={"q": query})
    assert (response.status_code, response.json) == (200, {"hits": []})


def test_the_api_says_where_a_message_is(chat: Chat, vllm: ScriptedVllm) -> None:
    conversation = chat.new()
    chat.ask(conversation, "What about bananas?")
    hits: list[dict[str, Any]] = chat.client.get("/api/search?q=banana").json["hits"]
    assert hits[0]["message_id"] is None
    question = chat.messages(conversation)[0]
    assert hits[1]["message_id"] == question["id"]
    assert hits[1]["conversation"]["id"] == conversation
    assert hits[1]["role"] == "user"
    [[start, end]] = hits[1]["marks"]
    assert hits[1]["snippet"][start:end] == "banana"
    assert chat.client.get("/api/search?q=script").json["hits"][0]["role"] == "assistant"
    assert chat.client.get("/api/search").status_code == 422
    assert chat.client.get("/api/search?q=%00").status_code == 422
