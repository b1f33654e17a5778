"""What all classes of settings have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A group of settings: it can't be changed, and what it does not know it refuses."""

    model_config = ConfigDict(frozen=True, extra="forbid")
