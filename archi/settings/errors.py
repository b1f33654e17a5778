"""Refusals that name the key, the value and the mend."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails


class SettingsError(Exception):
    """The stack's settings can't be used; the text is meant for the person who wrote them."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        head = "The settings of this stack can't be used:"
        super().__init__("\n".join([head, *(f"  - {problem}" for problem in self.problems)]))


def explain(error: ValidationError, root: type[BaseModel]) -> SettingsError:
    """Turn pydantic's report into ours: one line a problem, keys as the stack file writes them."""
    return SettingsError([_line(detail, root) for detail in error.errors()])


def key(location: Sequence[str | int]) -> str:
    """The place of a setting as the stack file writes it: ``archi:services.vllm.model``."""
    return "archi:" + ".".join(str(part) for part in location) if location else "archi"


def _line(detail: ErrorDetails, root: type[BaseModel]) -> str:
    location = tuple(part for part in detail["loc"] if part != "[key]")
    place = key(location)
    if detail["type"] == "extra_forbidden":
        return f"{place}: unknown key. {_known(location, root)}"
    if detail["type"] == "missing":
        return f"{place}: is missing; add it."
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "value_error" and not location:
        return message  # said about the whole, and names its keys itself
    return f"{place}: {detail['input']!r} is refused: {message[:1].lower()}{message[1:]}"


def _known(location: Sequence[str | int], root: type[BaseModel]) -> str:
    names = sorted(_model_at(location[:-1], root).model_fields)
    near = difflib.get_close_matches(str(location[-1]), names, n=1, cutoff=0.6)
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
