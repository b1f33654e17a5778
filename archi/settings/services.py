"""``services``: how each service is deployed."""

from __future__ import annotations

from pydantic import Field

from archi.settings.base import Section
from archi.settings.chatbot import ChatbotSettings
from archi.settings.types import ImageReference, Memory, Port
from archi.settings.vllm import VllmSettings


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
