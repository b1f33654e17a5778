"""``services``: how each service is deployed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from archi.settings.addresses import IpAddress
from archi.settings.base import Section
from archi.settings.types import ImageReference, Memory, Port
from archi.settings.vllm import VllmSettings

LOOPBACK = "127.0.0.1"


class ChatbotSettings(Section):
    """``services.chatbot``: the chat application."""

    port: Port = Field(7861, description="Port on the host.", examples=[7862])
    bind: IpAddress = Field(
        LOOPBACK,
        description="Address of the host on which the port is reached. Only loopback addresses: "
        "the chat has no login yet.",
        examples=["127.0.0.1"],
    )
    database: Literal["postgres", "sqlite"] = Field(
        "postgres",
        description="Where conversations are kept: `postgres`, a server of their own; `sqlite`, a "
        "file on a volume.",
        examples=["sqlite"],
    )
    max_streams: Annotated[int, Field(ge=1, le=512)] = Field(
        32, description="Answers that may be in progress at once.", examples=[64]
    )
    memory: Memory = Field(1024, description="Memory limit of the container.", examples=["2g"])


class PostgresSettings(Section):
    """``services.postgres``: the chat application's database."""

    image: ImageReference | None = Field(
        None,
        description="An image of your own; its user 999 must own `/var/lib/postgresql/data`.",
        examples=["postgres:15.15-bookworm"],
    )
    port: Port = Field(
        5432,
        description="Port on the host's loopback address in host mode; else it is not published.",
        examples=[5433],
    )
    memory: Memory = Field(512, description="Memory limit of the container.", examples=["2g"])


class Services(Section):
    """``services``: how each service is deployed."""

    vllm: VllmSettings = Field(VllmSettings(), description="The model server.")
    chatbot: ChatbotSettings = Field(ChatbotSettings(), description="The chat application.")
    postgres: PostgresSettings = Field(PostgresSettings(), description="The database.")
