"""Other programs' exports as archives: Open WebUI's chats and ChatGPT's conversations.

Of both the questions, the answers and the branches are taken; tools, images and hidden messages
are left out, and what follows them is put after what came before them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from chatbot.data.conversations import MAX_TITLE_CHARS
from chatbot.data.tables import Role, Status, now
from chatbot.transfer.archive import ArchivedConversation, ArchivedMessage

_ROLES = {"user": Role.USER, "assistant": Role.ASSISTANT}
# What is later than this as seconds since 1970 (the year 5138) is milliseconds.
_SECONDS = 1e11


class Odd(Exception):
    """The file is not what its form promises; the text says how."""


@dataclass(frozen=True)
class Kind:
    """A program's export: how one of its conversations is known, and how it is read."""

    name: str
    matches: Callable[[Mapping[str, Any]], bool]
    read: Callable[[Mapping[str, Any]], ArchivedConversation]


@dataclass(frozen=True)
class _Node:
    """A message of a tree, ``role`` None where it is left out."""

    parent: str | None
    role: Role | None
    content: str
    model: str | None
    at: Any


def _open_webui(found: Mapping[str, Any]) -> ArchivedConversation:
    chat = found["chat"]
    history = _mapping(chat.get("history"), "chat.history")
    rows = _mapping(history.get("messages"), "chat.history.messages")
    nodes = {}
    for key, value in rows.items():
        row = _mapping(value, f"chat.history.messages.{key}")
        content = row.get("content")
        nodes[key] = _Node(
            parent=_text(row.get("parentId")),
            role=_ROLES.get(str(row.get("role"))) if content else None,
            content=content if isinstance(content, str) else "",
            model=_text(row.get("model")),
            at=row.get("timestamp"),
        )
    return _archived(
        title=_text(found.get("title")) or _text(chat.get("title")) or "",
        created=found.get("created_at") or chat.get("timestamp"),
        updated=found.get("updated_at"),
        nodes=nodes,
        current=_text(history.get("currentId")),
    )


def _chatgpt(found: Mapping[str, Any]) -> ArchivedConversation:
    nodes = {}
    for key, value in _mapping(found["mapping"], "mapping").items():
        row = _mapping(value, f"mapping.{key}")
        message = _mapping(row.get("message") or {}, f"mapping.{key}.message")
        content = _mapping(message.get("content") or {}, f"mapping.{key}.message.content")
        parts = content.get("parts")
        said = [part for part in parts if isinstance(part, str)] if isinstance(parts, list) else []
        text = "\n\n".join(part for part in said if part)
        author = _mapping(message.get("author") or {}, f"mapping.{key}.message.author")
        about = _mapping(message.get("metadata") or {}, f"mapping.{key}.message.metadata")
        hidden = about.get("is_visually_hidden_from_conversation") is True
        # What an assistant says to a tool has the tool as its recipient.
        aside = hidden or message.get("recipient", "all") != "all" or not text
        nodes[key] = _Node(
            parent=_text(row.get("parent")),
            role=None if aside else _ROLES.get(str(author.get("role"))),
            content=text,
            model=_text(about.get("model_slug")),
            at=message.get("create_time"),
        )
    return _archived(
        title=_text(found.get("title")) or "",
        created=found.get("create_time"),
        updated=found.get("update_time"),
        nodes=nodes,
        current=_text(found.get("current_node")),
    )


KINDS = (
    Kind("Open WebUI", lambda found: isinstance(found.get("chat"), dict), _open_webui),
    Kind("ChatGPT", lambda found: "mapping" in found, _chatgpt),
)


def _archived(
    *, title: str, created: object, updated: object, nodes: dict[str, _Node], current: str | None
) -> ArchivedConversation:
    began = _moment(created, now())
    ids: dict[str, UUID | None] = {}
    messages = []
    for key in _parents_first(nodes, current):
        node = nodes[key]
        parent = ids.get(node.parent) if node.parent is not None else None
        if node.role is None:
            ids[key] = parent
            continue
        made = ids[key] = uuid7()
        messages.append(
            ArchivedMessage(
                id=made,
                parent_id=parent,
                role=node.role,
                status=Status.COMPLETE,
                content=node.content,
                model=node.model if node.role is Role.ASSISTANT else None,
                created_at=_moment(node.at, began),
            )
        )
    last = max((message.created_at for message in messages), default=began)
    return ArchivedConversation(
        title=title[:MAX_TITLE_CHARS],
        created_at=began,
        updated_at=_moment(updated, last),
        messages=messages,
    )


def _parents_first(nodes: Mapping[str, _Node], current: str | None) -> Iterator[str]:
    """Yield the nodes of a tree, the branch that was last looked at as the last one."""
    shown: set[str] = set()
    while current is not None and current in nodes and current not in shown:
        shown.add(current)
        current = nodes[current].parent
    children: dict[str | None, list[str]] = {}
    for key, node in nodes.items():
        parent = node.parent if node.parent in nodes else None
        children.setdefault(parent, []).append(key)
    # From a stack the last one comes first. What hangs on a circle is never reached.
    waiting = _stacked(children.get(None, []), shown)
    while waiting:
        key = waiting.pop()
        yield key
        waiting += _stacked(children.get(key, []), shown)


def _stacked(keys: list[str], shown: set[str]) -> list[str]:
    return [key for key in keys if key in shown] + [key for key in keys[::-1] if key not in shown]


def _moment(value: object, otherwise: datetime) -> datetime:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return otherwise
    seconds = value / 1000 if value > _SECONDS else value
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return otherwise


def _mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Odd(f"`{where}` is no object")
    return value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
