"""The tool ``time``."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from langchain_core.tools import StructuredTool, ToolException
from pydantic import BaseModel, Field


class Arguments(BaseModel):
    """What the clock is given."""

    timezone: str = Field(
        default="UTC", max_length=64, description="An IANA time zone, such as Europe/Zurich."
    )


def tell(timezone: str = "UTC") -> str:
    """Tell date, weekday and time.

    Raises:
        ToolException: there is no such time zone.
    """
    zone: tzinfo = UTC
    if timezone.strip().upper() not in ("", "UTC", "Z", "GMT"):
        try:
            zone = ZoneInfo(timezone.strip())
        except (OSError, ValueError, KeyError):
            raise ToolException(
                f"There is no time zone {timezone!r}. Name it as the IANA does, or leave it out."
            ) from None
    return datetime.now(UTC).astimezone(zone).strftime("%A, %Y-%m-%d %H:%M:%S %Z (UTC%z)")


def time() -> StructuredTool:
    """Make the tool."""
    return StructuredTool.from_function(
        func=tell,
        name="time",
        description="Tell the present date, weekday and time.",
        args_schema=Arguments,
    )
