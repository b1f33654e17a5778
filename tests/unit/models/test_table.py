"""The generated table, registries and templates hold together."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jinja2.sandbox import ImmutableSandboxedEnvironment

from archi import render
from archi.models import generate, lookup, table
from archi.models.families import FAMILIES, family_of, templates
from archi.models.precision import PRECISIONS
from archi.project import ROOT
from archi.settings import from_mapping
from archi.vllm_registry import (
    KV_CACHE_DTYPES,
    MIN_CAPABILITIES,
    QUANTIZATION_METHODS,
    REASONING_PARSERS,
    TOOL_PARSERS,
    VLLM_VERSION,
)

TEMPLATES = ROOT / "images" / "templates"

# Parsers of recipes that the pinned vLLM does not register: of a newer one, or of none.
UNREGISTERED = {"beam", "muse", "step5", "nemotron_json", "nano_v3"}

# Where the family wins over a recipe that says nothing of reasoning, and why.
REASON_UNSAID_IN_THE_RECIPE = {
    "ByteDance-Seed/Seed-OSS-36B-Instruct",  # thinks unless told otherwise
    "openai/gpt-oss-20b",  # its channels are reasoning and answer
    "openai/gpt-oss-120b",
    "pfnet/plamo-3-nict-31b-base",
    "tencent/Hunyuan-A13B-Instruct",  # docs/features/tool_calling.md gives both
}


def test_every_parser_of_a_recipe_is_registered_or_known_to_be_not() -> None:
    for recipe in table.recipes():
        for parser, registered in (
            (recipe.tool_parser, TOOL_PARSERS),
            (recipe.reasoning_parser, REASONING_PARSERS),
        ):
            assert parser is None or parser in registered | UNREGISTERED, recipe.model_id


def test_every_parser_of_a_family_is_registered_or_known_to_be_not() -> None:
    for family in FAMILIES:
        assert (family.tool_parser or "hermes") in TOOL_PARSERS | UNREGISTERED, family.name
        reasoning = family.reasoning_parser
        assert reasoning is None or reasoning in REASONING_PARSERS | UNREGISTERED, family.name


@pytest.mark.parametrize("recipe", table.recipes(), ids=lambda recipe: recipe.model_id)
def test_a_recipes_model_gets_the_recipes_parsers(recipe: table.Recipe) -> None:
    facts = lookup(recipe.model_id)
    assert facts.known
    if recipe.tool_parser and recipe.tool_parser not in UNREGISTERED:
        assert facts.tool_parser == recipe.tool_parser
    if recipe.reasoning_parser and recipe.reasoning_parser not in UNREGISTERED:
        assert facts.reasoning_parser == recipe.reasoning_parser
    if recipe.reasoning_parser is None and recipe.model_id not in REASON_UNSAID_IN_THE_RECIPE:
        assert facts.reasoning_parser is None
    if recipe.chat_template:
        assert facts.chat_template == recipe.chat_template


def test_every_recipe_for_text_belongs_to_a_family() -> None:
    for recipe in table.recipes():
        assert "text" not in recipe.tasks or family_of(recipe.model_id), recipe.model_id


def test_every_variant_has_a_format_that_is_known() -> None:
    for recipe in table.recipes():
        for variant in recipe.variants:
            assert variant.precision in PRECISIONS, variant.model_id


def test_a_variant_is_found_by_its_own_id_with_its_own_format() -> None:
    for recipe in table.recipes():
        for variant in recipe.variants:
            assert lookup(variant.model_id).known, variant.model_id


def test_the_names_in_the_table_are_as_names_are_made_today() -> None:
    kept = json.loads(table.TABLE_PATH.read_text())
    made = {name: list(place) for name, place in generate.names(kept["recipes"]).items()}
    assert kept["names"] == made


def test_every_method_of_a_format_is_one_that_vllm_has() -> None:
    for precision in PRECISIONS.values():
        assert precision.methods <= QUANTIZATION_METHODS, precision.name
    assert MIN_CAPABILITIES.keys() <= QUANTIZATION_METHODS


def test_the_table_says_what_it_was_made_from() -> None:
    assert table.version() == "0.33.0"
    assert VLLM_VERSION == "0.32.0"
    assert {"auto", "fp8"} <= KV_CACHE_DTYPES
    assert len(table.recipes()) == 188


def test_a_pattern_that_is_passed_over_unread_does_not_match() -> None:
    import re

    from archi.models.names import may_match, plain

    names = [plain(one.model_id) for recipe in table.recipes() for one in recipe.variants]
    for family in FAMILIES:
        for name in names:
            assert may_match(family.pattern, name) or not re.search(family.pattern, name)


def test_the_templates_that_families_name_are_there_with_their_licence() -> None:
    for family in FAMILIES:
        assert family.chat_template is None or (TEMPLATES / family.chat_template).is_file()
    assert {path.name for path in TEMPLATES.glob("tool_chat_template_*")} == templates()
    assert "Apache License" in (TEMPLATES / "vllm.LICENSE").read_text()
    assert f"vLLM {VLLM_VERSION}" in (TEMPLATES / "NOTICE").read_text()


@pytest.mark.parametrize(
    "model",
    ["meta-llama/Llama-3.1-8B-Instruct", "google/gemma-4-12B-it", "deepseek-ai/DeepSeek-R1"],
)
def test_a_deployment_gets_its_models_template(model: str) -> None:
    settings = from_mapping("bot", {"services": {"vllm": {"model": model}}})
    name = lookup(model).chat_template
    given = {file.path: file.content for file in render.files(settings)}
    assert given[f"templates/{name}"] == (TEMPLATES / str(name)).read_text()
    command = render.vllm_command(settings)
    path = command[command.index("--chat-template") + 1]
    assert path == f"{render.FILES_PATH}/templates/{name}"


def rendered(name: str, **values: Any) -> str:
    """A template as transformers renders it."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = lambda text: pytest.fail(text)
    environment.globals["strftime_now"] = lambda _: "25 November 2026"
    template = environment.from_string((TEMPLATES / name).read_text())
    return template.render(bos_token="<s>", eos_token="</s>", add_generation_prompt=True, **values)


TOOL = {
    "type": "function",
    "function": {
        "name": "clock_in_town",
        "description": "What time it is.",
        "parameters": {
            "type": "object",
            "properties": {"town": {"type": "string", "description": "Which town."}},
            "required": ["town"],
        },
    },
}
QUESTION = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "How late is it in Bern?"},
]
CALL = {
    "id": "call12345",
    "type": "function",
    "function": {"name": "clock_in_town", "arguments": {"town": "Bern"}},
}
ANSWERED = [
    *QUESTION,
    {"role": "assistant", "content": "", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call12345", "name": "clock_in_town", "content": "ten past"},
]


@pytest.mark.parametrize("name", sorted(templates()))
def test_a_template_tells_the_model_of_its_tools(name: str) -> None:
    text = rendered(name, messages=QUESTION, tools=[TOOL])
    assert "clock_in_town" in text
    assert "How late is it in Bern?" in text
    assert "Be brief." in text


@pytest.mark.parametrize("name", sorted(templates()))
def test_a_template_gives_the_model_what_its_tools_answered(name: str) -> None:
    assert "ten past" in rendered(name, messages=ANSWERED, tools=[TOOL])


@pytest.mark.parametrize("name", sorted(templates()))
def test_a_template_serves_a_conversation_without_tools(name: str) -> None:
    turns = [*QUESTION, {"role": "assistant", "content": "Late."}, *QUESTION[1:]]
    text = rendered(name, messages=turns)
    assert "Late." in text
    assert text.count("How late is it in Bern?") == 2
