"""How many questions, completions and uploads an account and an address may ask for in a minute."""

from __future__ import annotations

from flask import Flask, request

from chatbot.access.principal import current
from chatbot.access.rates import Rate
from chatbot.access.settings import AccessSettings
from chatbot.services import services

UPLOADS_PER_MINUTE = 60

# Behind one address there may be a whole office.
_ADDRESS_FACTOR = 10
_MINUTE = 60

_QUESTIONS = "questions"
_COMPLETIONS = "completions"
_UPLOADS = "uploads"
_TITLES = "titles"

# What is counted, by method and rule.
COUNTED = {
    ("POST", "/api/conversations/<uuid:conversation_id>/messages"): _QUESTIONS,
    ("POST", "/api/messages/<uuid:message_id>/continue"): _QUESTIONS,
    ("POST", "/api/conversations/<uuid:conversation_id>/title"): _TITLES,
    ("POST", "/v1/chat/completions"): _COMPLETIONS,
    ("POST", "/api/documents"): _UPLOADS,
}


def install(app: Flask) -> None:
    """Count what each account and each address asks for; comes after the gate."""
    app.before_request(_count)


def _count() -> None:
    if request.url_rule is None:
        return
    what = COUNTED.get((request.method, request.url_rule.rule))
    if what is None:
        return
    parts = services()
    amount = _per_minute(parts.settings.access, what)
    if amount:
        parts.rates.take(Rate(what, amount, _MINUTE), str(current().user_id))
        address = Rate(f"{what} from this address", amount * _ADDRESS_FACTOR, _MINUTE)
        parts.rates.take(address, request.remote_addr or "")


def _per_minute(settings: AccessSettings, what: str) -> int:
    if what == _UPLOADS:
        return UPLOADS_PER_MINUTE if settings.guarded else 0
    return settings.completions if what == _COMPLETIONS else settings.questions
