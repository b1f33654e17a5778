"""Whether the process is alive, and whether it can really answer."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify
from sqlalchemy.exc import SQLAlchemyError

from chatbot.failures import Failure
from chatbot.model import errors as model_errors
from chatbot.model.server import PROBE_TIMEOUT, ServedModel
from chatbot.services import services

blueprint = Blueprint("health", __name__)


def probe_model() -> ServedModel:
    """Ask the model server for the model, within about five seconds.

    Raises:
        Failure: why it cannot answer.
    """
    parts = services()
    future = parts.loop.submit(parts.server.ready(parts.files.model))
    try:
        served = future.result(PROBE_TIMEOUT + 0.5)
    except TimeoutError:
        future.cancel()
        raise model_errors.unreachable(parts.server.base_url, "no answer in time") from None
    if (failure := parts.pulse.failure) is not None:
        raise failure
    return served


def model_state() -> dict[str, Any]:
    """Describe the model for the page: its name, its state, and what else may answer."""
    pipelines = services().files.pipelines()
    state: dict[str, Any] = {
        "model": pipelines.model,
        "models": pipelines.models(),
        "ready": True,
        "max_model_len": None,
        "error": None,
    }
    served: ServedModel | None
    try:
        served = probe_model()
    except Failure as failure:
        state.update(ready=False, error=failure.detail)
        served = services().server.known(pipelines.model)
    if served is not None:
        state["max_model_len"] = served.max_model_len
        state["models"] = list(dict.fromkeys([*state["models"], *served.others]))
    return state


@blueprint.get("/healthz")
def healthz() -> Response:
    """Say that the process is alive. It asks nobody."""
    return jsonify({"status": "alive"})


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Say whether database and model answer; 503 where one of them does not, and why."""
    parts: dict[str, dict[str, Any]] = {"database": {"ready": True}, "model": {"ready": True}}
    try:
        services().database.ping()
    except SQLAlchemyError as error:
        reason = type(error.__cause__ or error).__name__
        parts["database"] = {"ready": False, "reason": f"The database does not answer ({reason})."}
    model = services().files.model
    try:
        probe_model()
        parts["model"]["model"] = model
    except Failure as failure:
        parts["model"] = {
            "ready": False,
            "model": model,
            "reason": failure.message,
            "next_step": failure.next_step,
        }
    ready = all(part["ready"] for part in parts.values())
    body = {"status": "ready" if ready else "not ready", "parts": parts}
    return jsonify(body), 200 if ready else 503
