"""Exports hold everything, imports take it all or nothing, and both know their limits."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select
from uuid_utils.compat import uuid7

from chatbot.data.database import Database
from chatbot.data.tables import EVERYONE, Conversation, Document, Message, Role, Status, User
from chatbot.failures import Failure
from chatbot.transfer import export, reading, storing
from chatbot.transfer.archive import Archive, ArchivedConversation
from tests.chat_application import Chat

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 2),
    max_value=datetime(2199, 1, 1),
    timezones=st.just(UTC),
)
SHA = "ab" * 32


@st.composite
def calls(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "call_id": draw(TEXTS),
        "name": draw(TEXTS),
        "arguments": draw(st.dictionaries(TEXTS, TEXTS | st.integers(-9, 9) | st.none())),
        "content_offset": draw(st.integers(0, 99)),
        "status": draw(st.sampled_from(["complete", "error", "stopped"])),
        "result": draw(TEXTS),
        "sources": draw(st.lists(st.just({"name": "a.pdf", "page": 3, "text": "t"}), max_size=2)),
        "started_at": draw(MOMENTS),
        "duration_ms": draw(st.none() | st.integers(0, 10**6)),
    }


@st.composite
def archives(draw: st.DrawFn) -> ArchivedConversation:
    """Conversations whose trees have any shape."""
    messages: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0, 6))):
        answer = draw(st.booleans())
        above = draw(st.none() | st.sampled_from(messages)) if messages else None
        message = {
            "id": uuid7(),
            "parent_id": above["id"] if above else None,
            "role": "assistant" if answer else "user",
            "status": draw(st.sampled_from(["complete", "stopped", "interrupted", "error"])),
            "content": draw(TEXTS),
            "reasoning": draw(TEXTS),
            "created_at": draw(MOMENTS),
        }
        if answer:
            message |= {
                "model": draw(st.none() | TEXTS),
                "agent": draw(st.none() | TEXTS),
                "finish_reason": draw(st.sampled_from([None, "stop", "length"])),
                "usage": draw(st.none() | st.just({"prompt_tokens": 3, "estimated": True})),
                "timings": draw(st.none() | st.just({"tokens_per_second": 1.5})),
                "tool_calls": draw(st.lists(calls(), max_size=2)),
                "feedback": draw(
                    st.none()
                    | st.fixed_dictionaries(
                        {
                            "rating": st.sampled_from([1, -1]),
                            "comment": TEXTS,
                            "created_at": MOMENTS,
                        }
                    )
                ),
            }
        messages.append(message)
    return ArchivedConversation.model_validate(
        {
            "title": draw(TEXTS),
            "settings": draw(
                st.sampled_from(
                    [{}, {"system_prompt": "Be brief.", "sampling": {"temperature": 0.5}}]
                )
            ),
            "created_at": draw(MOMENTS),
            "updated_at": draw(MOMENTS),
            "messages": messages,
        }
    )


def without_ids(archived: ArchivedConversation) -> dict[str, Any]:
    """What must survive: everything but ids, of which only what they connect counts."""
    places = {message.id: place for place, message in enumerate(archived.messages)}
    shown = archived.model_dump()
    for message in shown["messages"]:
        message["parent_id"] = places.get(message["parent_id"])
        del message["id"]
    return shown


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(archived=st.lists(archives(), min_size=1, max_size=3))
def test_what_is_imported_is_exported_the_same(
    database: Database, archived: list[ArchivedConversation]
) -> None:
    lines = [Archive(conversation=one).model_dump_json() for one in archived]
    read = reading.read("\n".join(lines).encode())
    with database.write() as session:
        stored = storing.store(session, EVERYONE, read)
    with database.read() as session:
        again = [
            export.archive_of(session, session.get_one(Conversation, made)).conversation
            for made in stored.conversations
        ]
    assert [without_ids(one) for one in again] == [without_ids(one) for one in archived]
    old = {message.id for one in archived for message in one.messages}
    assert not old & {message.id for one in again for message in one.messages}


def test_a_conversation_comes_back_with_branches_settings_and_feedback(chat: Chat) -> None:
    conversation = chat.new()
    url = f"/api/conversations/{conversation}"
    chat.client.patch(url, json={"settings": {"system_prompt": "Be brief."}})
    chat.ask(conversation, "One?")
    answer = chat.messages(conversation)[-1]["id"]
    chat.client.put(f"/api/messages/{answer}/feedback", json={"rating": -1, "comment": "No."})
    list(chat.events(chat.post(conversation, content="Another?", parent_id=None)))
    exported = chat.client.get(f"{url}/export")
    assert exported.headers["Content-Disposition"].startswith('attachment; filename="one.json"')
    [made] = chat.import_file(exported.data).json["conversations"]
    assert made != conversation
    old, new = (
        json.loads(chat.client.get(f"/api/conversations/{each}/export").data)["conversation"]
        for each in (conversation, made)
    )
    assert without_ids(ArchivedConversation.model_validate(old)) == without_ids(
        ArchivedConversation.model_validate(new)
    )
    assert [row["content"] for row in chat.messages(made)] == ["Another?", "Hello from the script."]
    assert chat.ask(made, "And now?")["status"] == "complete"
    assert chat.client.get("/api/search?q=another").json["hits"]


def test_all_conversations_come_line_by_line_and_only_ones_own(chat: Chat) -> None:
    for question in ("One?", "Two?"):
        chat.ask(chat.new(), question)
    with chat.parts.database.write() as session:
        other = User(name="other")
        session.add(other)
        session.flush()
        session.add(Conversation(user_id=other.id, title="secret"))
    exported = chat.client.get("/api/export")
    assert exported.mimetype == "application/x-ndjson"
    titles = [json.loads(line)["conversation"]["title"] for line in exported.data.splitlines()]
    assert titles == ["Two?", "One?"]
    imported = chat.import_file(exported.data)
    assert (imported.status_code, imported.json["messages"]) == (201, 4)
    listed = chat.client.get("/api/conversations").json["conversations"]
    assert sorted(row["title"] for row in listed) == ["One?", "One?", "Two?", "Two?"]


def test_an_answer_in_progress_is_exported_as_interrupted(database: Database) -> None:
    with database.write() as session:
        conversation = Conversation(user_id=EVERYONE)
        session.add(conversation)
        session.flush()
        session.add(
            Message(conversation_id=conversation.id, role=Role.ASSISTANT, status=Status.STREAMING)
        )
    with database.read() as session:
        [message] = export.archive_of(session, conversation).conversation.messages
    assert message.status == Status.INTERRUPTED


def test_attachments_are_found_again_by_their_content(database: Database) -> None:
    message = {
        "id": str(uuid7()),
        "parent_id": None,
        "role": "user",
        "status": "complete",
        "content": "Read them.",
        "created_at": "2026-01-01T00:00:00Z",
        "attachments": [
            {"name": "a.txt", "media_type": "text/plain", "size": 1, "sha256": sha}
            for sha in (SHA, "cd" * 32, "ef" * 32)
        ],
    }
    archive = {
        "format": "archi-chat",
        "version": 1,
        "conversation": {
            "title": "",
            "created_at": "2026-01-01T00:00:00Z",
            "updated_at": "2026-01-01T00:00:00Z",
            "messages": [message],
        },
    }
    with database.write() as session:
        other = User(name="other")
        session.add(other)
        session.flush()
        # One's own, and another account's of the same content as the second.
        for owner, sha in ((EVERYONE, SHA), (other.id, "cd" * 32)):
            session.add(
                Document(user_id=owner, name="b.txt", media_type="text/plain", size=1, sha256=sha)
            )
    with database.write() as session:
        stored = storing.store(session, EVERYONE, reading.read(json.dumps(archive).encode()))
    assert stored.missing == 2
    with database.read() as session:
        made = session.get_one(Conversation, stored.conversations[0])
        [again] = export.archive_of(session, made).conversation.messages
    assert [attached.sha256 for attached in again.attachments] == [SHA]


def archive(**message: Any) -> str:
    row = {
        "id": str(uuid7()),
        "parent_id": None,
        "role": "user",
        "status": "complete",
        "content": "Hello?",
        "created_at": "2026-01-01T00:00:00Z",
        **message,
    }
    conversation = {
        "title": "One",
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "messages": [row],
    }
    return json.dumps({"format": "archi-chat", "version": 1, "conversation": conversation})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (archive(role="system"), "line 2: conversation.messages.0.role: "),
        (archive(status="streaming"), "'streaming'"),
        (archive(parent_id=str(uuid7())), "does not come before it"),
        (archive(created_at="9999-12-31T23:59:59Z"), "between 1970 and 2200"),
        (archive(colour="red"), "messages.0.colour"),
        (archive(content="x" * 1_000_001), "messages.0.content"),
        (archive(content=chr(0)), "cannot be stored"),
        (archive(usage={"prompt_tokens": 1}).replace("1}", "1e999}"), "is no number"),
        (archive().replace('"version": 1', '"version": 2'), "line 2: version"),
        ('{"some": "thing"}', "none of the formats"),
        ("[" * 100_000, "nested too deep"),
        ("{", "not JSON"),
        ("7", "7 stands where a conversation should"),
    ],
)
def test_one_wrong_value_refuses_the_whole_file_and_says_where(
    chat: Chat, content: str, says: str
) -> None:
    refused = chat.import_file(f"{archive()}\n{content}\n")
    assert refused.status_code == 422
    error = refused.json["error"]
    assert says in error["message"]
    assert error["next_step"]
    with chat.parts.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Conversation)) == 0


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[]", b"\n\n"])
def test_a_file_without_conversations_is_refused(content: bytes) -> None:
    with pytest.raises(Failure, match="cannot be imported"):
        reading.read(content)


def test_a_file_that_is_too_large_is_refused(chat: Chat) -> None:
    for size in (16 * 2**20 + 1, 40 * 2**20):
        refused = chat.import_file(b"x" * size)
        assert refused.status_code == 413
        assert refused.json["error"]["code"]
    assert chat.client.post("/api/import", json={}).status_code in (415, 422)


def test_markdown_is_one_branch_for_people(chat: Chat) -> None:
    conversation = chat.new()
    chat.ask(conversation, "One?")
    first = chat.messages(conversation)[-1]["id"]
    list(chat.events(chat.post(conversation, content="Another?", parent_id=None)))
    url = f"/api/conversations/{conversation}/export?format=markdown"
    newest = chat.client.get(url)
    assert newest.mimetype == "text/markdown"
    assert newest.text.startswith("# One?\n\n## Question\n\n*")
    assert "\n\nAnother?\n\n## Answer\n\n*" in newest.text
    assert newest.text.endswith("\n\nHello from the script.\n")
    assert "\n\nOne?\n" in chat.client.get(f"{url}&leaf={first}").text
    assert chat.client.get(f"{url}&leaf={UUID(int=4)}").status_code == 404
