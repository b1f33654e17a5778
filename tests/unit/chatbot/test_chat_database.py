from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import func, select, text
from uuid_utils.compat import uuid7

from chatbot.data import conversations, migrate, recovery, run_log
from chatbot.data.database import Database, Encoded
from chatbot.data.tables import EVERYONE, Base, Conversation, Message, Role, Status, User, now
from chatbot.failures import Failure
from tests.chat_application import ROOT
from tests.chat_database import drop_database, opened

HEAD = "0006"


def _in_tables(name: str | None, kind: str, _parents: object) -> bool:
    """Leave out the search's own tables, which only its triggers and queries know."""
    return kind not in ("table", "index") or not str(name).startswith(("search_", "document_index"))


def test_migrations_make_what_the_tables_say(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": _in_tables})
        assert compare_metadata(context, Base.metadata) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    with database.write() as session:
        conversations.create(session, EVERYONE, "kept")
    assert migrate.upgrade(database) == HEAD
    with database.read() as session:
        assert [row.title for row in conversations.listing(session, EVERYONE)] == ["kept"]


def test_two_processes_may_migrate_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from sqlalchemy import make_url; from chatbot.data import migrate;"
        "from chatbot.data.database import Database;"
        "print(migrate.upgrade(Database(make_url(sys.argv[1]))))"
    )
    url = f"sqlite:///{tmp_path / 'chat.db'}"
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, url],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    for process in both:
        output, _ = process.communicate(timeout=60)
        assert process.returncode == 0, output
        assert output.strip().endswith(HEAD)


@pytest.mark.sqlite
def test_sqlite_runs_in_wal_mode_with_foreign_keys(database: Database) -> None:
    with database.read() as session:
        assert session.execute(text("PRAGMA journal_mode")).scalar_one() == "wal"
        assert session.execute(text("PRAGMA foreign_keys")).scalar_one() == 1


def test_moments_come_back_in_utc(database: Database) -> None:
    with database.write() as session:
        made = conversations.create(session, EVERYONE)
    with database.read() as session:
        read = conversations.get(session, made.id, EVERYONE)
        assert read.created_at.utcoffset() is not None
        assert read.created_at == made.created_at


def test_deleting_a_conversation_deletes_its_messages_however_many(database: Database) -> None:
    # SQLite refuses more than 1,000 levels of cascading: a chain of parents must not cascade.
    with database.write() as session:
        kept, gone = (
            conversations.create(session, EVERYONE),
            conversations.create(session, EVERYONE),
        )
        for conversation, count in ((kept, 1), (gone, 1500)):
            parent = None
            for _ in range(count):
                message = Message(
                    conversation_id=conversation.id,
                    parent_id=parent,
                    role=Role.USER,
                    status=Status.COMPLETE,
                )
                session.add(message)
                session.flush()
                parent = message.id
    with database.write() as session:
        conversations.remove(session, gone.id, EVERYONE)
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Message)) == 1
        assert session.scalars(select(Conversation.id)).all() == [kept.id]


def test_answers_of_a_killed_process_become_interrupted(database: Database) -> None:
    run = uuid7()
    with database.write() as session:
        with_run, without = (
            conversations.open_turn(
                session,
                conversations.create(session, EVERYONE).id,
                EVERYONE,
                question="Why?",
                parent_id=None,
                model="m",
            )[1]
            for _ in range(2)
        )
        run_log.begin(session, run, message_id=with_run.id, user_id=EVERYONE, worker="host/1/2")
        said = [[1, "start", {}], [2, "delta", {"content": "Bec"}], [3, "delta", {"content": "au"}]]
        run_log.write(session, run_log.Batch(run, 3, Encoded(json.dumps(said))))
    assert recover_stale(database, timedelta(hours=1), alive=True) == 0
    assert recover_stale(database, timedelta(hours=-1), alive=False) == 0
    assert recovery.recover_gone(database, "host/", lambda _: True) == 0
    assert recovery.recover_gone(database, "another/", lambda _: False) == 0
    assert recovery.recover_gone(database, "host/", lambda _: False) == 1
    assert recovery.recover_gone(database, "host/", lambda _: False) == 0
    with database.write() as session:
        assert recovery.recover_runless(session) == 1
        assert recovery.recover_runless(session) == 0
    with database.read() as session:
        found = {row.id: (row.status, row.content) for row in session.scalars(select(Message))}
        assert found[with_run.id] == (Status.INTERRUPTED, "Becau")
        assert found[without.id] == (Status.INTERRUPTED, "")
        *_, (seq, name, end) = run_log.events_after(session, {run: 0})[run].events
        assert (seq, name, end["status"]) == (4, "end", "interrupted")


def recover_stale(database: Database, after: timedelta, *, alive: bool) -> int:
    """What is found as if so much time had passed."""
    with database.write() as session:
        return recovery.recover_stale(session, now() + after, lambda _: alive)


def test_answers_of_a_worker_that_is_not_heard_of_become_interrupted(database: Database) -> None:
    with database.write() as session:
        conversation = conversations.create(session, EVERYONE)
        _, answer = conversations.open_turn(
            session, conversation.id, EVERYONE, question="Why?", parent_id=None, model="m"
        )
        run_log.begin(session, uuid7(), message_id=answer.id, user_id=EVERYONE, worker="host/1/2")
    assert recover_stale(database, timedelta(hours=1), alive=False) == 1
    assert recover_stale(database, timedelta(hours=1), alive=False) == 0
    with database.read() as session:
        assert session.get_one(Message, answer.id).status == Status.INTERRUPTED


def test_a_second_answer_takes_the_place_of_the_first(database: Database) -> None:
    with database.write() as session:
        conversation = conversations.create(session, EVERYONE)
        history, first = conversations.open_turn(
            session, conversation.id, EVERYONE, question="Why?", parent_id=None, model="m"
        )
        with pytest.raises(Failure, match="still being written"):
            conversations.open_turn(
                session, conversation.id, EVERYONE, question="And?", parent_id=None, model="m"
            )
        first.status = Status.STOPPED
        _, second = conversations.open_turn(
            session, conversation.id, EVERYONE, question=None, parent_id=history[-1].id, model="m"
        )
        path = conversations.path(session, conversation.id)
        assert [row.id for row in path] == [history[-1].id, second.id]


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("What  is\nthis?", "What is this?"),
        ("word " * 40, "word " * 10 + "word…"),
        ("x" * 300, "x" * 59 + "…"),
    ],
)
def test_a_title_is_the_first_words_of_the_question(question: str, title: str) -> None:
    assert conversations.title_from(question) == title


def test_what_was_there_before_accounts_belongs_to_everyone(tmp_path: Path) -> None:
    found = opened(tmp_path)
    migrate.upgrade(found, "0001")
    conversation, message = uuid7().hex, uuid7().hex
    with found.write() as session:
        session.execute(
            text("INSERT INTO conversations VALUES (:id, 'old', '2026-01-01', '2026-01-01')"),
            {"id": conversation},
        )
        session.execute(
            text(
                "INSERT INTO messages (id, conversation_id, role, status, content, reasoning,"
                " created_at) VALUES (:id, :of, 'user', 'complete', 'Hi', '', '2026-01-01')"
            ),
            {"id": message, "of": conversation},
        )
    migrate.upgrade(found)
    with found.read() as session:
        (kept,) = conversations.listing(session, EVERYONE)
        assert (kept.title, kept.settings) == ("old", {})
        assert [row.content for row in conversations.path(session, kept.id)] == ["Hi"]
    found.close()
    drop_database(tmp_path)


def test_another_accounts_conversation_is_not_found(database: Database) -> None:
    with database.write() as session:
        other = User(name="other")
        session.add(other)
        session.flush()
        made = conversations.create(session, other.id)
        assert conversations.listing(session, EVERYONE) == []
        for act in (conversations.get, conversations.remove):
            with pytest.raises(Failure, match="no such conversation"):
                act(session, made.id, EVERYONE)
