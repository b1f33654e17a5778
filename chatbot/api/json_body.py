"""What no request may carry, whatever it asks for.

A NUL and half of a surrogate pair are texts in Python and in JSON, but not in Postgres and in
UTF-8. JSON that is nested a thousand deep ends in a RecursionError, not in a parse error.
"""

from __future__ import annotations

import math

from flask import request

from chatbot.failures import Failure

MAX_DEPTH = 64
_FORM = "multipart/form-data"
_BODY_METHODS = {"POST", "PUT", "PATCH", "DELETE"}


def check() -> None:
    """Refuse the request that is being handled where its body or its query is not storable.

    A form's fields are checked as well; the content of files is not.

    Raises:
        Failure: 400 for what is not JSON, 415 for another type, 422 for texts and depth.
    """
    sources = [request.args]
    if request.mimetype == _FORM:
        sources.append(request.form)
    for source in sources:
        for key, value in source.items(multi=True):
            _check_text(key, key)
            _check_text(value, key)
    # A chunked body has no length.
    sent = request.content_length or request.headers.get("Transfer-Encoding")
    if request.method not in _BODY_METHODS or not sent or request.mimetype == _FORM:
        return
    if not request.is_json:
        raise Failure(
            "json_expected",
            "The request's body is not JSON.",
            "Send `Content-Type: application/json`.",
            status=415,
        )
    body = parsed()
    if not isinstance(body, dict):
        raise Failure("invalid_body", "The body must be a JSON object.", status=422)
    check_content(body)


def check_content(body: object) -> None:
    """Refuse texts and numbers that cannot be stored or sent on, and depth.

    Raises:
        Failure: 422, which it is and where.
    """
    _check(body, "", 0)


def parsed() -> object:
    """Return the request's JSON.

    Raises:
        Failure: 400, it is none.
    """
    try:
        return request.get_json()
    except RecursionError:
        raise _too_deep() from None


def _check(value: object, where: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise _too_deep()
    if isinstance(value, str):
        _check_text(value, where)
    elif isinstance(value, float) and not math.isfinite(value):
        # Python reads NaN, and 1e999 as infinity; nobody else calls them JSON.
        message = f"{where!r} is no number that JSON has."
        raise Failure("invalid_body", message, "Send a finite number.", status=422, param=where)
    elif isinstance(value, dict):
        for key, inner in value.items():
            _check_text(key, where)
            _check(inner, f"{where}.{key}".lstrip("."), depth + 1)
    elif isinstance(value, list):
        for inner in value:
            _check(inner, where, depth + 1)


def _check_text(text: str, where: str) -> None:
    if "\0" in text or not _encodable(text):
        raise Failure(
            "unstorable_text",
            f"{where.encode(errors='replace').decode()!r} has a character that cannot be stored: "
            "NUL, or half of a surrogate pair.",
            "Leave such characters out.",
            status=422,
            param=where.encode(errors="replace").decode().replace("\0", "?"),
        )


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _too_deep() -> Failure:
    return Failure(
        "body_too_deep", f"The body is nested more than {MAX_DEPTH} levels deep.", status=422
    )
