"""The database as the chat application sees it."""

from __future__ import annotations

from archi.render.places import LOOPBACK, postgres_port
from archi.settings import Settings

POSTGRES_USER = "archi"
POSTGRES_DATABASE = "archi"


def database_url(settings: Settings) -> str:
    """The database's address, without its password, which is a file."""
    host = LOOPBACK if settings.host_mode else "postgres"
    return f"postgresql://{POSTGRES_USER}@{host}:{postgres_port(settings)}/{POSTGRES_DATABASE}"
