"""Export and import of conversations: ``/api/export``, ``/api/import``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import quote
from uuid import UUID

from flask import Response
from flask_openapi3.models.file import FileStorage
from pydantic import BaseModel, ConfigDict, Field

from chatbot.access.principal import current
from chatbot.api.description import blueprint, errors, shown
from chatbot.api.schemas import ConversationPath, Query
from chatbot.data import conversations
from chatbot.data.message_details import MessageDetails
from chatbot.services import services
from chatbot.transfer import export, reading, storing
from chatbot.transfer.markdown import markdown_of

MAX_FILE_BYTES = 16 * 2**20
# What a form needs besides the file in it.
_FRAME = 64 * 1024

api = blueprint("transfer", __name__, max_bytes=MAX_FILE_BYTES + _FRAME)

_LINES = "application/x-ndjson"
_FILE = {
    "description": "The file.",
    "content": {
        "application/json": {"schema": {"type": "object"}},
        "text/markdown": {"schema": {"type": "string"}},
    },
}
_ALL = {
    "description": "A conversation in each line, the one with the newest message first.",
    "content": {_LINES: {}},
}


class ExportFormat(Query):
    """As what: JSON holds all branches and can be imported; Markdown is the newest branch."""

    format: Literal["json", "markdown"] = "json"
    leaf: UUID | None = Field(
        default=None, description="The last message of the branch, for Markdown."
    )


class ImportForm(BaseModel):
    """The form of an import."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    file: FileStorage = Field(
        description="An export of this application (JSON or JSON Lines), of Open WebUI, or "
        f"ChatGPT's conversations.json, of at most {MAX_FILE_BYTES // 2**20} MiB."
    )


class Imported(BaseModel):
    """What an import has made; ``missing_attachments`` name documents that are not here."""

    conversations: list[UUID]
    messages: int
    missing_attachments: int


@api.get("/conversations/<uuid:conversation_id>/export", responses={"200": _FILE, **errors(404)})
def export_conversation(path: ConversationPath, query: ExportFormat) -> Response:
    """Export a conversation."""
    owner = current().user_id
    with services().database.read() as session:
        conversation = conversations.get(session, path.conversation_id, owner)
        if query.format == "json":
            content = export.archive_of(session, conversation).model_dump_json()
        else:
            branch = conversations.path(session, path.conversation_id, query.leaf)
            if query.leaf is not None and not branch:
                raise conversations.message_not_found("leaf")
            details = MessageDetails.of(session, path.conversation_id)
            content = markdown_of(conversation, branch, details)
    suffix = "json" if query.format == "json" else "md"
    media_type = "application/json" if query.format == "json" else "text/markdown"
    return Response(content, mimetype=media_type, headers=_download(conversation.title, suffix))


@api.get("/export", responses={"200": _ALL, **errors(503)})
def export_all() -> Response:
    """Export all of one's conversations, as JSON Lines."""
    parts = services()
    owner = current().user_id
    with parts.database.read() as session:
        wanted = export.conversation_ids(session, owner)
    # It holds a request thread for as long as the client reads, as a stream of events does.
    seat = parts.seats.take()

    def lines() -> Iterator[bytes]:
        for conversation_id in wanted:
            # Never open while the client reads: a slow one would keep the connection.
            with parts.database.read() as session:
                archive = export.archive_if_there(session, conversation_id, owner)
            if archive is not None:
                yield archive.model_dump_json().encode() + b"\n"

    response = Response(lines(), mimetype=_LINES, headers=_download("conversations", "jsonl"))
    response.call_on_close(seat.leave)
    return response


@api.post("/import", responses={"201": Imported, **errors(400, 413, 415)})
def import_conversations(form: ImportForm) -> tuple[dict[str, Any], int]:
    """Import the conversations of a file: all of them, or none where one is wrong."""
    content = form.file.stream.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise reading.too_large(MAX_FILE_BYTES)
    # Before the transaction, which keeps others from writing.
    found = reading.read(content)
    with services().database.write() as session:
        stored = storing.store(session, current().user_id, found)
    return shown(
        Imported(
            conversations=stored.conversations,
            messages=stored.messages,
            missing_attachments=stored.missing,
        )
    ), 201


def _download(title: str, suffix: str) -> dict[str, str]:
    plain = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-").lower()[:60] or "conversation"
    whole = quote(f"{title or 'conversation'}.{suffix}", safe="")
    named = f"attachment; filename=\"{plain}.{suffix}\"; filename*=UTF-8''{whole}"
    return {"Content-Disposition": named, "X-Content-Type-Options": "nosniff"}
