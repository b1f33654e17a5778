"""The OpenAPI description of the application's own API, and what every endpoint shares."""

from __future__ import annotations

from typing import Any, NoReturn

from flask import request
from flask_openapi3.blueprint import APIBlueprint
from flask_openapi3.models.info import Info
from flask_openapi3.openapi import OpenAPI
from pydantic import BaseModel, ValidationError

from chatbot.api.schemas import Error, refused
from chatbot.failures import Failure

_INFO = Info(
    title="archi chat",
    version="1",
    description="Conversations, answers and documents of the chat application. Every error has "
    "the shape `Error`, with what can be done about it in `next_step`.",
)
_BODY_METHODS = {"POST", "PUT", "PATCH"}


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
    made.before_request(_expect_json)
    return made


def shown(content: BaseModel) -> dict[str, Any]:
    """Return a response's content as Flask turns it into JSON."""
    return content.model_dump(mode="json")


def errors(*statuses: int) -> dict[str | int, type[BaseModel] | dict[Any, Any] | None]:
    """Describe the errors that an endpoint answers with besides 422."""
    return {str(status): Error for status in statuses}


def _operation_id(*, name: str, path: str, method: str) -> str:
    return name


def _expect_json() -> None:
    """Refuse a body that is not JSON; forms are for uploads only, whose views say so."""
    if request.method not in _BODY_METHODS or not request.content_length:
        return
    if not request.is_json and request.mimetype != "multipart/form-data":
        raise Failure(
            "json_expected",
            "The request's body is not JSON.",
            "Send `Content-Type: application/json`.",
            status=415,
        )


def _refuse(error: ValidationError) -> NoReturn:
    raise refused(error)
