"""Branches, settings, feedback and attachments of conversations, as the API shows them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from chatbot.data.tables import Document, ToolCall, ToolStatus, User
from tests.chat_application import Chat
from tests.scripted_vllm import ScriptedVllm


def document(chat: Chat, owner: UUID | None = None, name: str = "notes.txt") -> str:
    """Put a document's row down; without an owner it is the deployment's own."""
    with chat.parts.database.write() as session:
        row = Document(user_id=owner, name=name, media_type="text/plain", size=3, sha256="0" * 64)
        session.add(row)
        session.flush()
        return str(row.id)


def test_the_first_event_shows_what_the_question_carries(chat: Chat) -> None:
    attached = document(chat)
    response = chat.post(chat.new(), content="What is in it?", attachments=[attached])
    name, start = next(events := chat.events(response))
    list(events)
    assert name == "start"
    assert [row["id"] for row in start["question"]["attachments"]] == [attached]
    assert (start["answer"]["tool_calls"], start["answer"]["attachments"]) == ([], [])


def test_a_snapshot_shows_tool_calls_and_feedback(chat: Chat) -> None:
    events = chat.post(chat.new(), content="Hello?").get_data(as_text=True)
    last = [line for line in events.split("\n") if line.startswith("id: ")][-1][4:]
    listed = chat.client.get("/api/conversations").json["conversations"][0]["id"]
    answer = chat.messages(listed)[-1]["id"]
    with chat.parts.database.write() as session:
        session.add(
            ToolCall(
                id=uuid7(),
                message_id=UUID(answer),
                call_id="call-1",
                name="clock",
                arguments={},
                status=ToolStatus.COMPLETE,
                result="noon",
            )
        )
    chat.client.put(f"/api/messages/{answer}/feedback", json={"rating": 1, "comment": "Good."})
    again = chat.client.get(f"/api/messages/{answer}/events", headers={"Last-Event-ID": last})
    (name, snapshot), (end, _) = chat.events(again)
    assert (name, end) == ("snapshot", "end")
    assert [call["result"] for call in snapshot["message"]["tool_calls"]] == ["noon"]
    assert snapshot["message"]["feedback"]["comment"] == "Good."
    assert snapshot["message"] == chat.messages(listed)[-1]


def test_only_documents_that_one_may_read_can_be_attached(chat: Chat) -> None:
    with chat.parts.database.write() as session:
        other = User(name="other")
        session.add(other)
        session.flush()
    for unknown in (document(chat, other.id), str(uuid7())):
        refused = chat.post(chat.new(), content="Read it.", attachments=[unknown])
        assert refused.status_code == 404
        assert refused.json["error"]["param"] == "attachments"


def test_an_edited_question_begins_a_branch_and_both_stay(chat: Chat, vllm: ScriptedVllm) -> None:
    conversation = chat.new()
    chat.ask(conversation, "One?")
    chat.ask(conversation, "Two?")
    first = chat.messages(conversation)
    list(chat.events(chat.post(conversation, content="Another two?", parent_id=first[1]["id"])))
    list(chat.events(chat.post(conversation, content="Quite another?", parent_id=None)))
    url = f"/api/conversations/{conversation}/messages"
    assert chat.messages(conversation)[0]["content"] == "Quite another?"
    assert [turn["content"] for turn in vllm.requests[-1]["messages"]][1:] == ["Quite another?"]
    old = chat.client.get(url, query_string={"leaf": first[-1]["id"]}).json["messages"]
    assert old == first
    tree: list[dict[str, Any]] = chat.client.get(f"{url}?tree=true").json["messages"]
    assert len(tree) == 8
    roots = [row["content"] for row in tree if row["parent_id"] is None]
    assert roots == ["One?", "Quite another?"]
    siblings = [row["content"] for row in tree if row["parent_id"] == first[1]["id"]]
    assert siblings == ["Two?", "Another two?"]
    assert chat.client.get(url, query_string={"leaf": str(uuid7())}).status_code == 404


def test_settings_are_merged_kept_and_taken_away(chat: Chat) -> None:
    conversation = chat.new()
    url = f"/api/conversations/{conversation}"
    wanted = {"system_prompt": "Be brief.", "sampling": {"temperature": 0.5, "max_tokens": 9}}
    assert chat.client.patch(url, json={"settings": wanted}).json["settings"]["sampling"] == {
        "temperature": 0.5,
        "max_tokens": 9,
    }
    changed = chat.client.patch(url, json={"settings": {"sampling": None}}).json
    assert changed["settings"] == {"system_prompt": "Be brief."}
    assert chat.client.get(url).json == changed


@pytest.mark.parametrize(
    "settings", [{"temperature": 1}, {"sampling": {"temperature": 3}}, {"agent": " "}]
)
def test_settings_that_nothing_takes_are_refused(chat: Chat, settings: dict[str, Any]) -> None:
    url = f"/api/conversations/{chat.new()}"
    refused = chat.client.patch(url, json={"settings": settings})
    assert refused.status_code == 422
    assert refused.json["error"]["param"].startswith("settings.")


def test_feedback_is_changed_taken_back_and_only_for_answers(chat: Chat) -> None:
    conversation = chat.new()
    chat.ask(conversation, "Hello?")
    question, answer = chat.messages(conversation)
    url = f"/api/messages/{answer['id']}/feedback"
    for rating in (1, -1):
        assert chat.client.put(url, json={"rating": rating}).json["rating"] == rating
    assert chat.messages(conversation)[1]["feedback"]["rating"] == -1
    for _ in range(2):
        assert chat.client.delete(url).status_code == 204
    assert chat.messages(conversation)[1]["feedback"] is None
    of_question = f"/api/messages/{question['id']}/feedback"
    assert chat.client.put(of_question, json={"rating": 1}).status_code == 422
    assert chat.client.put(url, json={"rating": 2}).status_code == 422


def test_lists_come_in_parts_that_neither_repeat_nor_miss(chat: Chat) -> None:
    made = [chat.new() for _ in range(7)]
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 3}
    while True:
        part = chat.client.get("/api/conversations", query_string=query).json
        seen += [row["id"] for row in part["conversations"]]
        if part["next"] is None:
            break
        query["before"] = part["next"]
    assert seen == made[::-1]


def test_deleting_everything_needs_its_word(chat: Chat) -> None:
    chat.ask(chat.new(), "Hello?")
    url = "/api/conversations"
    assert chat.client.delete(url, json={"confirm": "yes"}).status_code == 422
    done = chat.client.delete(url, json={"confirm": "delete all conversations"})
    assert done.json == {"deleted": 1}
    assert chat.client.get(url).json == {"conversations": [], "next": None}
