"""The OpenAPI description of the application's own API, and what every endpoint shares."""

from __future__ import annotations

from typing import Any, NoReturn

from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel, ValidationError

from chatbot.api import json_body
from chatbot.api.schemas import Error, refused

_INFO = Info(
    title="archi chat",
    version="1",
    description="Conversations, answers and documents of the chat application. Every error has "
    "the shape `Error`, with what can be done about it in `next_step`.",
)


def described_app(name: str) -> OpenAPI:
    """Make the Flask application whose description lies at ``/api/openapi.json``."""
    return OpenAPI(
        name,
        info=_INFO,
        doc_prefix="/api",
        doc_ui=False,
        validation_error_model=Error,
        validation_error_callback=_refuse,
    )


def blueprint(name: str, import_name: str) -> APIBlueprint:
    """Make a part of the API under ``/api``. Its views take ``path``, ``query`` and ``body``."""
    made = APIBlueprint(name, import_name, url_prefix="/api", operation_id_callback=_operation_id)
    made.before_request(json_body.check)
    return made


def shown(content: BaseModel) -> dict[str, Any]:
    """Return a response's content as Flask turns it into JSON."""
    return content.model_dump(mode="json")


def errors(*statuses: int) -> dict[str | int, type[BaseModel] | dict[Any, Any] | None]:
    """Describe the errors that an endpoint answers with besides 422 (the request is wrong)."""
    return {str(status): Error for status in statuses}


def _operation_id(*, name: str, path: str, method: str) -> str:
    return name


def _refuse(error: ValidationError) -> NoReturn:
    raise refused(error)
