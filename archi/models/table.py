"""The recipes of vLLM, as `archi.models.generate` keeps them: found by the model's name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from archi.models.facts import Variant
from archi.models.names import canonical, plain

TABLE_PATH = Path(__file__).with_name("recipes.json")


@dataclass(frozen=True)
class Recipe:
    """One recipe; attributes as in :class:`archi.models.facts.ModelFacts`.

    ``tool_parser`` and ``reasoning_parser`` stand as the recipe names them, registered or not.
    """

    model_id: str
    min_vllm: str | None
    parameters: int | None
    context_length: int | None
    tool_parser: str | None
    reasoning_parser: str | None
    chat_template: str | None
    tasks: tuple[str, ...]
    variants: tuple[Variant, ...]


@cache
def version() -> str:
    """The vLLM whose recipes these are."""
    return str(_table()["version"])


@cache
def recipes() -> tuple[Recipe, ...]:
    """All recipes, in the order of their ids."""
    return tuple(_recipe(place) for place in range(len(_table()["recipes"])))


def find(model_id: str) -> tuple[Recipe, Variant | None] | None:
    """The recipe of a model or of what it was made from, and the variant that it names."""
    names = _table()["names"]
    found = names.get(plain(model_id)) or names.get(canonical(model_id))
    if found is None:
        return None
    place, variant = found
    recipe = _recipe(place)
    return recipe, None if variant is None else recipe.variants[variant]


@cache
def _table() -> Mapping[str, Any]:
    table: Mapping[str, Any] = json.loads(TABLE_PATH.read_text(encoding="utf-8"))
    return table


@cache
def _recipe(place: int) -> Recipe:
    row = _table()["recipes"][place]
    fields = {**row, "tasks": tuple(row["tasks"])}
    return Recipe(**{**fields, "variants": tuple(Variant(**one) for one in row["variants"])})
