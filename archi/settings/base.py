"""What all classes of settings have in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Section(BaseModel):
    """A group of settings: it can't be changed, and what it does not know it refuses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_said(cls, value: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        """``vllm:`` with nothing below it: YAML's null, and nothing but defaults."""
        return {} if value is None else value
