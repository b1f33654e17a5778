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
    return tuple(_recipe(row) for row in _table()["recipes"])


def find(model_id: str) -> tuple[Recipe, Variant | None] | None:
    """The recipe of a model or of what it was made from, and the variant that it names."""
    return _by_name().get(plain(model_id)) or _by_name().get(canonical(model_id))


@cache
def _table() -> Mapping[str, Any]:
    table: Mapping[str, Any] = json.loads(TABLE_PATH.read_text(encoding="utf-8"))
    return table


def _recipe(row: Mapping[str, Any]) -> Recipe:
    fields = {**row, "tasks": tuple(row["tasks"])}
    return Recipe(**{**fields, "variants": tuple(Variant(**one) for one in row["variants"])})


@cache
def _by_name() -> dict[str, tuple[Recipe, Variant | None]]:
    found: dict[str, tuple[Recipe, Variant | None]] = {}
    for recipe in recipes():
        for variant in recipe.variants:
            found.setdefault(plain(variant.model_id), (recipe, variant))
    for recipe in recipes():
        same = [one for one in recipe.variants if one.model_id == recipe.model_id]
        found[plain(recipe.model_id)] = (recipe, same[0] if same else None)
    for recipe in recipes():
        found.setdefault(canonical(recipe.model_id), (recipe, None))
    return found
