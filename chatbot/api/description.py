"""The OpenAPI description of the application's own API, and what every endpoint shares."""

from __future__ import annotations

from typing import Any, NoReturn

from flask import request
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


class _DescribedApp(OpenAPI):
    """flask-openapi3's application, where parts may share an address with different methods."""

    def register_api(self, api: APIBlueprint, **options: Any) -> None:  # noqa: ANN401 - Flask's
        """Add a part, and keep the methods that others have described."""
        known = dict(self.paths)
        super().register_api(api, **options)
        for path, item in known.items():
            added = self.paths[path]
            methods = {name: getattr(added, name) for name in added.model_fields_set}
            self.paths[path] = item.model_copy(update=methods)


def described_app(name: str) -> OpenAPI:
    """Make the Flask application whose description lies at ``/api/openapi.json``."""
    return _DescribedApp(
        name,
        info=_INFO,
        # Left out they would be null, which no description may say.
        security_schemes={},
        doc_prefix="/api",
        doc_ui=False,
        validation_error_model=Error,
        validation_error_callback=_refuse,
    )


def blueprint(name: str, import_name: str, max_bytes: int | None = None) -> APIBlueprint:
    """Make a part of the API under ``/api``. Its views take ``path``, ``query`` and ``body``.

    ``max_bytes`` is the largest request that it takes, where that is not everyone's limit.
    """
    made = APIBlueprint(
        name,
        import_name,
        url_prefix="/api",
        operation_id_callback=_operation_id,
        # Said here: flask-openapi3 itself would describe it as a list of errors.
        abp_responses={"422": Error},
    )
    if max_bytes is not None:
        made.before_request(lambda: setattr(request, "max_content_length", max_bytes))
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
