"""Every endpoint does what the application's own description says, whatever it is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig
from schemathesis.schemas import BaseSchema

from chatbot.api.description import described_app
from chatbot.app import APIS
from tests.chat_application import Chat
from tests.scripted_vllm import ScriptedVllm

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

# Well-formed requests that these may refuse: a branch that ends in an answer has nothing to
# answer, a whole answer nothing to continue, a question no rating, and a file no known content.
CHOOSY = {
    "send_message",
    "continue_message",
    "rate_answer",
    "import_conversations",
    "upload_document",
}

CONFIG = {"seed": 1, "generation": {"deterministic": True, "max-examples": 10}}


class Known:
    """Ids that exist: random ones would only ever be told that there is no such thing."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat
        self._ids: dict[str, str] = {}

    def ids(self) -> dict[str, str]:
        """A conversation and an answer of it; new ones where the last case deleted them."""
        url = f"/api/conversations/{self._ids.get('conversation_id', UUID(int=0))}"
        if self._chat.client.get(url).status_code != 200:
            conversation = self._chat.new()
            message = self._chat.ask(conversation, "Hello?")["id"]
            self._ids = {"conversation_id": conversation, "message_id": message}
        return self._ids


class Served:
    """The application of the test that runs: cases are generated before there is any."""

    app: Flask

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        return self.app(environ, start_response)


def described() -> BaseSchema:
    app = described_app("chatbot")
    for part in APIS:
        app.register_api(part)
    config = SchemathesisConfig.from_dict(CONFIG)
    return schemathesis.openapi.from_dict(app.api_doc, config=config)


served = Served()
schema = described()
schema.app = served


@pytest.fixture
def known(chat_with: Callable[..., Chat], vllm: ScriptedVllm) -> Known:
    chat = chat_with(vllm.base_url)
    served.app = chat.client.application
    return Known(chat)


@schema.parametrize()
@settings(suppress_health_check=list(HealthCheck))
def test_every_endpoint_keeps_to_the_description(case: schemathesis.Case, known: Known) -> None:
    for name, exists in known.ids().items():
        if name in case.path_parameters and is_id(case.path_parameters[name]):
            case.path_parameters[name] = exists
    operation = case.operation.definition.raw["operationId"]
    excluded = [CHECKS.get_one("positive_data_acceptance")] if operation in CHOOSY else []
    case.call_and_validate(excluded_checks=excluded)


def is_id(value: object) -> bool:
    """Whether it is an id, and none of those that are left as they are, to be unknown."""
    try:
        return UUID(str(value)).int % 4 > 0
    except ValueError:
        return False
