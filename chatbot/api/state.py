"""``/api/state`` and the description itself."""

from __future__ import annotations

from typing import Any

from flask import current_app

from chatbot.api.description import blueprint
from chatbot.api.schemas import ModelState
from chatbot.health import model_state

api = blueprint("state", __name__)


@api.get("/state", responses={"200": ModelState})
def state() -> dict[str, Any]:
    """Say which model is served and whether it answers: what the page's banner shows."""
    return model_state()


@api.get("/openapi.json", doc_ui=False)
def description() -> dict[str, Any]:
    """Describe this API."""
    found: dict[str, Any] = current_app.api_doc  # type: ignore[attr-defined]
    return found
