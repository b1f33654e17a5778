"""What the endpoints of documents and agents take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Self
from uuid import UUID

from flask_openapi3.models.file import FileStorage
from pydantic import BaseModel, ConfigDict, Field

from chatbot.api.schemas import Shown
from chatbot.data.tables import Document


class DocumentPath(BaseModel):
    """The path of one document."""

    document_id: UUID


class UploadForm(BaseModel):
    """The form of an upload."""

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True)

    file: FileStorage = Field(description="The document.")


class ShownDocument(Shown):
    """A document. ``size`` is in bytes; ``mounted``: it is the deployment's, for everyone.

    ``error`` says why its text, or the rest of it, cannot be searched.
    """

    id: UUID
    name: str
    media_type: str
    size: int
    mounted: bool
    error: str | None
    created_at: datetime

    @classmethod
    def of(cls, row: Document) -> Self:
        """Show a row."""
        return cls(
            id=row.id,
            name=row.name,
            media_type=row.media_type,
            size=row.size,
            mounted=row.user_id is None,
            error=row.error,
            created_at=row.created_at,
        )


class DocumentList(BaseModel):
    """Documents, the newest first."""

    documents: list[ShownDocument]


class ShownAgent(BaseModel):
    """What can answer. ``tools`` are names of tools, and of MCP servers for all that they have."""

    name: str
    description: str
    model: str
    tools: list[str]
    default: bool


class ShownProblem(BaseModel):
    """A file of the deployment that is wrong; its last good content is used meanwhile."""

    file: str
    message: str


class AgentList(BaseModel):
    """The agents. Where none is the default one, the model answers alone."""

    agents: list[ShownAgent]
    problems: list[ShownProblem]
