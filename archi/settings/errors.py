"""Refusals that name the key, the value and the mend."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from archi.settings.checks import SECRET_VALUE, Unshown, shown
from archi.settings.rules import Inconsistent

SECRET_KEYS = (
    "hf_token",
    "vllm_api_key",
    "postgres_password",
    "session_key",
    "oidc_client_secret",
    "tls_key",
    "metrics_token",
    "env_secrets",
)
"""Settings that are secrets: their values are never shown."""


class SettingsError(Exception):
    """The settings can't be used; the text is meant for the person who wrote them.

    Attributes:
        problems: a sentence or two each.

    """

    def __init__(
        self, problems: Sequence[str], head: str = "The settings of this stack can't be used:"
    ) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join([head, *(f"  - {problem}" for problem in self.problems)]))


def explain(error: ValidationError, root: type[BaseModel]) -> SettingsError:
    """Turn pydantic's report into ours: one line a problem, keys as the stack file writes them."""
    problems = [line for detail in error.errors() for line in _lines(detail, root)]
    return SettingsError(list(dict.fromkeys(problems)))


def key(location: Sequence[str | int]) -> str:
    """The place of a setting as the stack file writes it: ``archi:services.vllm.model``."""
    return "archi:" + ".".join(_part(part) for part in location) if location else "archi"


# What pydantic calls a mistake -> what is wanted; its context holds the bounds.
_WANTED: tuple[tuple[str, Callable[[dict[str, Any]], str]], ...] = (
    (r"int_", lambda _: "a whole number is wanted"),
    (r"float_|finite_number", lambda _: "a number is wanted"),
    (r"bool_", lambda _: "true or false is wanted"),
    (r"string_type|string_sub_type", lambda _: "a text is wanted; put it in quotes"),
    (r"string_unicode", lambda _: "a text of valid characters is wanted"),
    (r"string_too_short", lambda _: "it is empty; leave the key out"),
    (r"literal_error", lambda context: f"choose one of {context['expected']}"),
    (r"greater_than_equal", lambda context: f"it is at least {context['ge']}"),
    (r"greater_than", lambda context: f"it is more than {context['gt']}"),
    (r"less_than_equal", lambda context: f"it is at most {context['le']}"),
    (r"less_than", lambda context: f"it is less than {context['lt']}"),
    (r"dict_type|model_type|mapping_type", lambda _: "keys with values are wanted here"),
    (r"(tuple|list)_type", lambda _: "a list is wanted, such as [one, two]"),
    (r"too_short", lambda _: "it is empty; leave the key out"),
)


def _lines(detail: ErrorDetails, root: type[BaseModel]) -> list[str]:
    raised = detail.get("ctx", {}).get("error")
    if isinstance(raised, Inconsistent):
        return raised.problems
    location, unknown = _place(detail["loc"], root)
    place = key(location)
    if detail["type"] == "extra_forbidden" or unknown:
        return [f"{place}: unknown key. {_known(location, root)}"]
    if detail["type"] == "missing":
        return [f"{place}: is missing; add it."]
    message = _message(detail)
    if isinstance(raised, Unshown) or (location and location[0] in SECRET_KEYS):
        return [f"{place}: its value is refused: {message}."]
    return [f"{place}: {shown(detail['input'])} is refused: {message}."]


def _message(detail: ErrorDetails) -> str:
    if raised := detail.get("ctx", {}).get("error"):
        return str(raised).rstrip(".")
    for pattern, wanted in _WANTED:
        if re.match(pattern, detail["type"]):
            return wanted(detail.get("ctx", {}))
    message = detail["msg"]
    return f"{message[:1].lower()}{message[1:]}"


def _place(
    location: Sequence[str | int], root: type[BaseModel]
) -> tuple[tuple[str | int, ...], bool]:
    """The keys that the user wrote, without pydantic's names of a union's branches."""
    parts = [part for part in location if part != "[key]"]
    written: list[str | int] = []
    model: type[BaseModel] | None = root
    position = 0
    while position < len(parts):
        part = parts[position]
        written.append(part)
        position += 1
        if model is None:
            continue
        if str(part) not in model.model_fields:
            return tuple(written), True
        annotation = model.model_fields[str(part)].annotation
        if (_is_mapping(annotation) and position < len(parts)) or (
            _is_list(annotation) and position < len(parts) and isinstance(parts[position], int)
        ):
            written.append(parts[position])
            position += 1
        model = next(_models(annotation), None)
        if _branches(annotation):
            # A union's branch is named between; what is below it is the user's again.
            position += 1
    return tuple(written), False


def _branches(annotation: Any) -> bool:  # noqa: ANN401 - a type form
    """Whether pydantic names a branch of a union in its places for such a field."""
    value = get_args(annotation)[1] if get_origin(annotation) is dict else annotation
    choices = [choice for choice in get_args(value) if choice is not type(None)]
    return "Union" in str(get_origin(value)) and len(choices) > 1


def _is_mapping(annotation: Any) -> bool:  # noqa: ANN401 - a type form
    return get_origin(annotation) is dict


def _is_list(annotation: Any) -> bool:  # noqa: ANN401 - a type form
    return any(get_origin(part) is tuple for part in (annotation, *get_args(annotation)))


def _known(location: Sequence[str | int], root: type[BaseModel]) -> str:
    names = sorted(_model_at(location[:-1], root).model_fields)
    if not location[:-1]:
        names.remove("name")
    near = difflib.get_close_matches(str(location[-1])[:64], names, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {key((*location[:-1], near[0]))}?"
    return f"Known here: {', '.join(names)}."


def _model_at(path: Sequence[str | int], root: type[BaseModel]) -> type[BaseModel]:
    """The settings class that holds the keys below ``path``."""
    model, parts = root, iter(path)
    for part in parts:
        annotation = model.model_fields[str(part)].annotation
        model = next(_models(annotation))
        if get_origin(annotation) is dict:
            next(parts, None)  # the mapping's own key, which is free
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:  # noqa: ANN401 - a type form
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _part(part: str | int) -> str:
    text = str(part)
    if len(text) > 60 or not text.isprintable() or SECRET_VALUE.search(text):
        return shown(text, 60)
    return text
