"""Other programs' exports, and what looks like one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatbot.failures import Failure
from chatbot.transfer import reading
from tests.chat_application import Chat

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
KEYS = [
    "chat",
    "history",
    "messages",
    "mapping",
    "message",
    "author",
    "content",
    "parts",
    "parent",
    "parentId",
    "role",
    "title",
    "create_time",
    "current_node",
    "currentId",
    "format",
    "timestamp",
]


def test_open_webuis_export_comes_with_its_branches(chat: Chat) -> None:
    def message(key: str, parent: str | None, role: str, content: str, at: int) -> dict[str, Any]:
        return {"id": key, "parentId": parent, "role": role, "content": content, "timestamp": at}

    rows = [
        message("q", None, "user", "What is it?", 1_700_000_000),
        {**message("b", "q", "assistant", "The second.", 1_700_000_002), "model": "m"},
        {**message("a", "q", "assistant", "The first.", 1_700_000_001), "model": "m"},
        message("n", "a", "user", "And then?", 1_700_000_003),
    ]
    chats = [
        {
            "id": "1",
            "title": "A chat",
            "created_at": 1_700_000_000,
            "updated_at": 1_700_000_009,
            "chat": {
                "title": "A chat",
                "history": {"messages": {row["id"]: row for row in rows}, "currentId": "n"},
            },
        }
    ]
    [made] = chat.import_file(json.dumps(chats)).json["conversations"]
    shown = chat.client.get(f"/api/conversations/{made}").json
    assert (shown["title"], shown["updated_at"][:10]) == ("A chat", "2023-11-14")
    assert [row["content"] for row in chat.messages(made)] == [
        "What is it?",
        "The first.",
        "And then?",
    ]
    tree = chat.client.get(f"/api/conversations/{made}/messages?tree=true").json["messages"]
    assert sorted((row["content"], row["model"]) for row in tree if row["role"] == "assistant") == [
        ("The first.", "m"),
        ("The second.", "m"),
    ]


def test_chatgpts_export_comes_without_its_hidden_messages(chat: Chat) -> None:
    def node(parent: str | None, role: str | None, *parts: Any, **more: Any) -> dict[str, Any]:
        if role is None:
            return {"message": None, "parent": parent, "children": []}
        content = {"content_type": "text", "parts": list(parts)}
        message = {"author": {"role": role}, "content": content, "create_time": 1.7e9, **more}
        return {"message": message, "parent": parent, "children": []}

    mapping = {
        "root": node(None, None),
        "system": node("root", "system", ""),
        "hidden": node(
            "system", "user", "Be kind.", metadata={"is_visually_hidden_from_conversation": True}
        ),
        "q": node("hidden", "user", {"asset_pointer": "file"}, "What is it?"),
        "search": node("q", "assistant", "search('it')", recipient="browser"),
        "found": node("search", "tool", "it is"),
        "a": node("found", "assistant", "It is.", recipient="all", metadata={"model_slug": "gpt"}),
        "other": node("q", "assistant", "It is not."),
        "circle": node("circle", "user", "Round and round."),
    }
    found = [{"title": None, "create_time": 1.7e9, "mapping": mapping, "current_node": "a"}]
    [made] = chat.import_file(json.dumps(found)).json["conversations"]
    assert [(row["content"], row["model"]) for row in chat.messages(made)] == [
        ("What is it?", None),
        ("It is.", "gpt"),
    ]
    tree = chat.client.get(f"/api/conversations/{made}/messages?tree=true").json["messages"]
    assert {row["content"] for row in tree} == {"What is it?", "It is.", "It is not."}


@pytest.mark.parametrize(
    "value",
    [
        {"chat": {}},
        {"chat": {"history": {"messages": []}}},
        {"chat": {"history": {"messages": {"a": 1}}}},
        {"mapping": []},
        {"mapping": {"a": {"message": {"content": "text"}}}},
        {"mapping": {"a": {"message": {"author": "user"}}}},
    ],
)
def test_foreign_files_of_another_shape_are_refused(value: dict[str, Any]) -> None:
    with pytest.raises(Failure, match="is no object"):
        reading.read(json.dumps(value).encode())


@settings(max_examples=200)
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | TEXTS,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(KEYS),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_no_json_is_worse_than_a_refusal(value: Any) -> None:
    content = json.dumps(value).encode()
    try:
        read = reading.read(content)
    except Failure as failure:
        refusal = failure
    else:
        assert read
        return
    assert refusal.status in (413, 422)
