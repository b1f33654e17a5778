"""The tool ``search_documents``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from langchain_core.tools import StructuredTool
from pydantic import BaseModel, Field

from chatbot.data import documents
from chatbot.data.database import Database

NAME = "search_documents"
_MOST = 8


@dataclass(frozen=True)
class Sources:
    """What a tool's result comes from: ``{document_id, name, page, text}`` each."""

    found: list[dict[str, Any]]


class Arguments(BaseModel):
    """What the search is given."""

    query: str = Field(max_length=1_000, description="The words to look for.")
    limit: int = Field(default=5, ge=1, le=_MOST, description="How many passages to return.")


def search_documents(database: Database, user_id: UUID) -> StructuredTool:
    """Make the tool for an account: it finds that account's documents and the mounted ones."""

    def search(query: str, limit: int = 5) -> tuple[str, Sources]:
        with database.read() as session:
            found = documents.search(session, user_id, query, limit)
        if not found:
            return "Nothing was found. Try other words.", Sources([])
        passages = [
            f"[{at}] {one.name}{f', page {one.page}' if one.page else ''}\n{one.text.strip()}"
            for at, one in enumerate(found, 1)
        ]
        sources = [
            {
                "document_id": str(one.document_id),
                "name": one.name,
                "page": one.page,
                "text": one.text.strip(),
            }
            for one in found
        ]
        return "\n\n".join(passages), Sources(sources)

    return StructuredTool.from_function(
        func=search,
        name=NAME,
        description="Search the documents that were uploaded or come with this assistant. Returns "
        "passages with the document's name and page; name them in the answer.",
        args_schema=Arguments,
        response_format="content_and_artifact",
    )
