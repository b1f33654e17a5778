"""The generator, on source distributions that are small enough to read."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
import yaml

from archi.models import generate, registries
from archi.models.source_distribution import SourceDistribution

RECIPE = """
meta: {tasks: [text]}
model:
  model_id: org/Model-8B
  min_vllm_version: "0.9.0"
  parameter_count: "8.2B"
  context_length: 4096
  base_args: ["--reasoning-parser=qwen3"]
features:
  tool_calling:
    args:
      - "--tool-call-parser"
      - "hermes"
      - "--chat-template"
      - "examples/tool_chat_template_llama3.1_json.jinja"
variants:
  default: {precision: bf16, vram_minimum_gb: 20}
  fp4: {precision: fp4, model_id: org/Model-8B-FP4, vram_minimum_gb: 6}
  npu: {precision: int8, model_id: Eco-Tech/Model-8B-w8a8, vram_minimum_gb: 10}
"""

FILES = {
    "recipes/models/org/Model-8B.yaml": RECIPE,
    "vllm/tool_parsers/__init__.py": '_TOOL_PARSERS_TO_REGISTER = {"hermes": ("a", "B")}',
    "vllm/reasoning/__init__.py": '_REASONING_PARSERS_TO_REGISTER = {"qwen3": ("a", "B")}',
    "vllm/config/cache.py": 'CacheDType = Literal["auto", "fp8"]',
    "vllm/model_executor/layers/quantization/__init__.py": (
        'QuantizationMethods = Literal["fp8", "awq"]'
    ),
    "vllm/model_executor/layers/quantization/fp8.py": """
class Fp8Config:
    def get_name(self):
        return "fp8"
    def get_min_capability(cls):
        # Turing and up
        return 75
class Other:
    def get_min_capability(cls):
        return 10
""",
    "examples/tool_chat_template_x.jinja": "{{ messages }}",
    "LICENSE": "Apache License",
    "README.md": "not wanted",
}


@pytest.fixture
def distribution(tmp_path: Path) -> SourceDistribution:
    path = tmp_path / "vllm-1.2.3.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in FILES.items():
            member = tarfile.TarInfo(f"vllm-1.2.3/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return SourceDistribution(path)


def test_only_what_is_wanted_is_read(distribution: SourceDistribution) -> None:
    assert distribution.version == "1.2.3"
    with pytest.raises(KeyError):
        distribution.text("README.md")
    assert distribution.templates() == {"tool_chat_template_x.jinja": "{{ messages }}"}


def test_a_recipe_becomes_a_row() -> None:
    assert generate.recipe_row(yaml.safe_load(RECIPE)) == {
        "model_id": "org/Model-8B",
        "min_vllm": "0.9.0",
        "parameters": 8_200_000_000,
        "context_length": 4096,
        "tool_parser": "hermes",
        "reasoning_parser": "qwen3",
        "chat_template": "tool_chat_template_llama3.1_json.jinja",
        "tasks": ["text"],
        "variants": [
            {"model_id": "org/Model-8B", "precision": "bf16", "vram_gb": 20},
            {"model_id": "org/Model-8B-FP4", "precision": "nvfp4", "vram_gb": 6},
        ],
    }


def test_names_lead_to_recipe_and_variant() -> None:
    row = generate.recipe_row(yaml.safe_load(RECIPE))
    assert generate.names([row]) == {"model-8b": (0, 0), "model-8b-fp4": (0, 1)}


@pytest.mark.parametrize(
    ("text", "number"),
    [("8.2B", 8_200_000_000), ("350M", 350_000_000), ("2.4T", 2_400_000_000_000), ("8-16B", None)],
)
def test_numbers_of_parameters_are_read(text: str, number: int | None) -> None:
    assert generate.parameters(text) == number


def test_the_registry_is_a_module_of_names(distribution: SourceDistribution) -> None:
    made: dict[str, object] = {}
    exec(registries.registry(distribution), made)  # it is code that archi imports
    assert made["VLLM_VERSION"] == "1.2.3"
    assert made["TOOL_PARSERS"] == {"hermes"}
    assert made["REASONING_PARSERS"] == {"qwen3"}
    assert made["QUANTIZATION_METHODS"] == {"fp8", "awq"}
    assert made["KV_CACHE_DTYPES"] == {"auto", "fp8"}
    assert made["MIN_CAPABILITIES"] == {"fp8": 75}


def test_what_the_next_vllm_has_moved_is_said() -> None:
    with pytest.raises(ValueError, match="vLLM has moved it"):
        registries.dictionary_keys("a = 1", "_PARSERS")
    with pytest.raises(ValueError, match="vLLM has moved it"):
        registries.literal_names("a = 1", "CacheDType")
