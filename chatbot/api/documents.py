"""Documents under ``/api/documents``: uploading, listing, reading and deleting."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, request

from chatbot.access import audit_trail
from chatbot.access.principal import current
from chatbot.api.description import blueprint, errors, shown
from chatbot.api.document_schemas import (
    DocumentList,
    DocumentPath,
    ShownDocument,
    UploadForm,
)
from chatbot.data import documents
from chatbot.data.audit import Action
from chatbot.documents import mounted
from chatbot.documents.images import check_image
from chatbot.documents.kinds import IMAGES, kind_of
from chatbot.documents.reading import read
from chatbot.failures import Failure
from chatbot.runs.text import storable
from chatbot.services import services

api = blueprint("documents", __name__)

# What a form needs besides the file in it.
_FRAME = 64 * 1024
_MAX_NAME = 255


def allow_uploads(app: Flask) -> None:
    """Let the body of an upload be as large as a document may be; others stay as they are."""
    app.before_request(_allow)


def _allow() -> None:
    if request.path == "/api/documents" and request.method == "POST":
        request.max_content_length = services().settings.max_upload + _FRAME


@api.post("/documents", responses={"201": ShownDocument, **errors(409, 413, 415)})
def upload_document(form: UploadForm) -> tuple[dict[str, Any], int]:
    """Upload a document: text, PDF, or an image. Its type is what its content says.

    `error` of the answer says why its text cannot be searched, where that is so.
    """
    parts = services()
    name = _name(form.file.filename or "")
    most = parts.settings.max_upload
    content = form.file.stream.read(most + 1)
    if len(content) > most:
        raise Failure(
            "document_too_large",
            f"{name} is larger than {most / 2**20:g} MiB.",
            "Upload a smaller file, or deploy with a larger services.chatbot.max_upload.",
            status=413,
            param="file",
        )
    media_type = kind_of(content, name)
    if media_type in IMAGES:
        check_image(content, name)
    # Before the transaction: reading a PDF takes seconds.
    taken = read(content, media_type)
    with parts.database.write() as session:
        made = documents.add(
            session,
            current().user_id,
            name=name,
            media_type=media_type,
            content=content,
            read=taken,
        )
    return shown(ShownDocument.of(made)), 201


@api.get("/documents", responses={"200": DocumentList})
def list_documents() -> dict[str, Any]:
    """List one's documents and those that the deployment has for everyone, the newest first."""
    with services().database.read() as session:
        rows = documents.listing(session, current().user_id)
    return shown(DocumentList(documents=[ShownDocument.of(row) for row in rows]))


@api.get("/documents/<uuid:document_id>", responses={"200": ShownDocument, **errors(404)})
def show_document(path: DocumentPath) -> dict[str, Any]:
    """Show a document's name, type and size."""
    with services().database.read() as session:
        row = documents.get(session, path.document_id, current().user_id)
    return shown(ShownDocument.of(row))


@api.get(
    "/documents/<uuid:document_id>/content",
    responses={
        "200": {
            "description": "The document, as a download.",
            "content": {"application/octet-stream": {}},
        },
        **errors(404),
    },
)
def download_document(path: DocumentPath) -> Response:
    """Download a document."""
    parts = services()
    with parts.database.read() as session:
        row = documents.get(session, path.document_id, current().user_id)
        if row.path is None:
            content = documents.content(session, row.id)
    if row.path is not None:
        folder = parts.settings.documents
        content = mounted.content_of(folder, row.path) if folder else b""
    return Response(
        content,
        # Never what a browser would run: the page shows images from here by their bytes.
        mimetype=row.media_type if row.media_type.startswith("image/") else _BYTES,
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(row.name, safe='')}",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        },
    )


@api.delete("/documents/<uuid:document_id>", responses={"204": None, **errors(403, 404)})
def delete_document(path: DocumentPath) -> tuple[str, int]:
    """Delete a document of one's own."""
    with services().database.write() as session:
        documents.remove(session, path.document_id, current().user_id)
        audit_trail.record(session, Action.DOCUMENT_DELETED, target=str(path.document_id))
    return "", 204


_BYTES = "application/octet-stream"


def _name(told: str) -> str:
    """Return the name to keep: the last part of a path, in printable characters."""
    last = PurePath(told.replace("\\", "/")).name
    kept = "".join(character for character in storable(last) if character.isprintable())
    return kept.strip()[-_MAX_NAME:] or "document"
