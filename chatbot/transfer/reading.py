"""From a file to archives: archi's own, Open WebUI's and ChatGPT's."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from pydantic import ValidationError

from chatbot.api import json_body
from chatbot.failures import Failure
from chatbot.transfer import foreign
from chatbot.transfer.archive import FORMAT, VERSION, Archive, ArchivedConversation

MAX_CONVERSATIONS = 10_000
_SHOWN = 80


def read(content: bytes) -> list[ArchivedConversation]:
    """Return the conversations of a file.

    Raises:
        Failure: 422, it is none of the formats, or a value in it is wrong; says where.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(f"it is not UTF-8 (byte {error.start})") from None
    found = [
        conversation
        for where, value in _values(text)
        for conversation in _conversations(where, value)
    ]
    if not found:
        raise _unreadable("it holds no conversation")
    if len(found) > MAX_CONVERSATIONS:
        raise _refusal("", f"the file holds {len(found):,} conversations", MAX_CONVERSATIONS)
    return found


def _values(text: str) -> list[tuple[str, Any]]:
    """Return the file's JSON values, each with where it stands."""
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    # Nobody writes a conversation's JSON so that its first line is whole and others follow.
    if len(lines) > 1 and lines[0][1].rstrip().endswith("}") and lines[0][1].startswith("{"):
        return [(f"line {number}", _parse(line, f"line {number}")) for number, line in lines]
    whole = _parse(text, "")
    if isinstance(whole, list):
        return [(str(at), value) for at, value in enumerate(whole)]
    return [("", whole)]


def _parse(text: str, where: str) -> Any:  # noqa: ANN401 - any JSON
    try:
        value = json.loads(text)
    except RecursionError:
        raise _unreadable("it is nested too deep", where) from None
    except ValueError as error:
        raise _unreadable(f"it is not JSON: {error}", where) from None
    json_body.check_content(value)
    return value


def _conversations(where: str, value: Any) -> list[ArchivedConversation]:  # noqa: ANN401 - JSON
    if not isinstance(value, dict):
        raise _unreadable(f"{_quoted(value)} stands where a conversation should", where)
    try:
        if "format" in value:
            return [Archive.model_validate(value).conversation]
        for kind in foreign.KINDS:
            if kind.matches(value):
                return [kind.read(value)]
    except ValidationError as error:
        _refuse(where, error)
    except foreign.Odd as error:
        raise _unreadable(str(error), where) from None
    raise _unreadable("it is none of the formats that are known", where)


def _refuse(where: str, error: ValidationError) -> NoReturn:
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    key = ": ".join(part for part in (where, path) if part)
    raise Failure(
        "invalid_archive",
        f"{key}: {first['msg']}; it is {_quoted(first['input'])}. Nothing was imported.",
        "Mend that value, or export the conversations again.",
        status=422,
        param="file",
    )


def _quoted(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _unreadable(why: str, where: str = "") -> Failure:
    return Failure(
        "unreadable_archive",
        f"{where}: {why}." if where else f"The file cannot be imported: {why}.",
        f"Send an export of this application (JSON, or JSON Lines: format {FORMAT!r}, version "
        f"{VERSION}), of Open WebUI, or ChatGPT's conversations.json. Nothing was imported.",
        status=422,
        param="file",
    )


def _refusal(where: str, what: str, most: int) -> Failure:
    return Failure(
        "archive_too_large",
        f"{where}{what}; at most {most:,} are taken at once. Nothing was imported.",
        "Split the file: each line of an export is a conversation of its own.",
        status=413,
        param="file",
    )


def too_large(most: int) -> Failure:
    """Say that a file has too many bytes."""
    return _refusal("", "the file is too large (bytes)", most)
