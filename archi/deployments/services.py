"""The services that a deployment is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class KnownService:
    """A service as people name it.

    Attributes:
        name: as in ``--services`` and in the label ``archi.role``.
        what: what it is, in a few words.
        default_port: on the host; of Postgres only in host mode, else nothing is published.
        optional: whether a deployment can do without it.
        without: what takes its place then; empty where nothing can.

    """

    name: str
    what: str
    default_port: int
    optional: bool
    without: str


SERVICES = (
    KnownService(
        "chatbot",
        "the chat application: page, API and agent",
        7861,
        True,
        "a model server alone, for other clients",
    ),
    KnownService(
        "vllm-server",
        "the model server, with the GPUs",
        8000,
        True,
        "a vLLM elsewhere: VLLM_BASE_URL",
    ),
    KnownService(
        "postgres",
        "the chat application's database; comes with it",
        5432,
        True,
        "SQLite: services.chatbot.database",
    ),
)

NAMES = tuple(service.name for service in SERVICES)

START_ORDER = ("postgres", "vllm-server", "chatbot")
"""Each after what it needs to answer."""

STOP_GRACE_SECONDS = {"postgres": 60, "vllm-server": 30, "chatbot": 30}
"""Seconds between the signal and the kill, as `components` gives them to Pulumi."""
