"""What is known about a model from its id alone; nothing is asked of anybody."""

from __future__ import annotations

from functools import lru_cache

from archi.models import table
from archi.models.architectures import Architecture, architecture_of
from archi.models.facts import ModelFacts, Variant
from archi.models.families import DEFAULT_TOOL_PARSER, NOT_CHAT, Family, family_of
from archi.models.names import canonical, plain, precision_of, size_of
from archi.models.precision import PRECISIONS
from archi.models.table import Recipe
from archi.vllm_registry import REASONING_PARSERS, TOOL_PARSERS, VLLM_VERSION

# Formats that some models are published in from the start, where no recipe of theirs says so.
_NATIVE = (
    ("gpt-oss", "mxfp4"),
    ("DeepSeek R1", "fp8"),
    ("DeepSeek V3", "fp8"),
    ("DeepSeek V3.1", "fp8"),
    ("DeepSeek V3.2", "fp8"),
    ("Kimi K2", "fp8"),
)

# Recipes round, and a variant may be another size of the model: so far they may be apart.
_SAME_SIZE = 0.15


@lru_cache(maxsize=1024)
def lookup(model_id: str) -> ModelFacts:
    """The facts for a Hugging Face model id, by its name; never fails."""
    family, architecture = family_of(model_id), architecture_of(model_id)
    found = table.find(model_id)
    recipe, variant = found or (None, None)
    parameters, parameters_from = _parameters(model_id, architecture, recipe, variant)
    same = recipe if recipe and parameters_from and _close(parameters, recipe.parameters) else None
    tool, reasoning, notes = _parsers(family, recipe)
    precision = _precision(model_id, family, recipe, variant)
    if unreadable := PRECISIONS[precision].unreadable:
        notes += (f"Its weights are {PRECISIONS[precision].words}. {unreadable}",)
    notes += _version_notes(recipe)
    context = same.context_length if same else None
    return ModelFacts(
        tool_parser=tool or DEFAULT_TOOL_PARSER,
        chat_template=family.chat_template if family and tool else None,
        known=family is not None or recipe is not None,
        reasoning_parser=reasoning,
        model_id=model_id,
        family=family.name if family else (recipe.model_id if recipe else None),
        min_vllm=recipe.min_vllm if recipe else None,
        parameters=parameters,
        parameters_from=parameters_from,
        context_length=context or (architecture.context_length if architecture else None),
        precision=precision,
        shape=architecture.shape if architecture else None,
        variants=same.variants if same else (),
        recipe_vram_gb=variant.vram_gb if variant and variant.precision == precision else None,
        notes=notes,
        source=_source(family, architecture, recipe),
    )


def _parameters(
    model_id: str,
    architecture: Architecture | None,
    recipe: Recipe | None,
    variant: Variant | None,
) -> tuple[int | None, str | None]:
    """How many, and where the number is from."""
    if architecture:
        return architecture.parameters, "table"
    named = size_of(model_id)
    if recipe and recipe.parameters:
        # A recipe may carry other sizes of its model as variants.
        other = variant and canonical(variant.model_id) != canonical(recipe.model_id)
        if not other or named is None or _close(named, recipe.parameters):
            return recipe.parameters, "recipe"
    return (named, "name") if named else (None, None)


def _close(one: int | None, other: int | None) -> bool:
    return bool(one and other and abs(one - other) <= _SAME_SIZE * other)


def _parsers(
    family: Family | None, recipe: Recipe | None
) -> tuple[str | None, str | None, tuple[str, ...]]:
    """Tool-call and reasoning parser that the pinned vLLM has, and what to say about them."""
    notes: tuple[str, ...] = ()
    if family:
        tool, reasoning = family.tool_parser, family.reasoning_parser
        notes += (family.note,) if family.note else ()
    elif recipe:
        tool, reasoning = recipe.tool_parser, recipe.reasoning_parser
        notes += (NOT_CHAT,) if tool is None and "text" not in recipe.tasks else ()
    else:
        return None, None, (_UNKNOWN,)
    if tool and tool not in TOOL_PARSERS:
        notes += (_lacks("tool-call parser", tool, "tool calls come as text"),)
        tool = None
    if reasoning and reasoning not in REASONING_PARSERS:
        notes += (_lacks("reasoning parser", reasoning, "reasoning stands in the answer"),)
        reasoning = None
    return tool, reasoning, notes


_UNKNOWN = (
    f"The name tells no family that archi knows. Assumed: tool calls in the format of "
    f"{DEFAULT_TOOL_PARSER}, answers without a reasoning part, the model's own chat template. If "
    "that is wrong, set tool_parser, reasoning_parser and chat_template."
)


def _lacks(kind: str, name: str, effect: str) -> str:
    return f"vLLM {VLLM_VERSION} has no {kind} {name}: {effect}."


def _precision(
    model_id: str, family: Family | None, recipe: Recipe | None, variant: Variant | None
) -> str:
    """The variant's format, else the name's, else the one that the model is published in."""
    named = precision_of(model_id)
    if variant and variant.precision in PRECISIONS:
        # A repack says by its name what became of it; "int4" is all that a recipe says of AWQ.
        repacked = plain(variant.model_id) != plain(model_id) or variant.precision == "int4"
        return named if named and repacked else variant.precision
    native = dict(_NATIVE).get(family.name) if family else None
    return named or native or "bf16"


def _version_notes(recipe: Recipe | None) -> tuple[str, ...]:
    if recipe is None or recipe.min_vllm is None or not newer_than_pinned(recipe.min_vllm):
        return ()
    wanted = "an unreleased vLLM" if recipe.min_vllm == "nightly" else f"vLLM {recipe.min_vllm}"
    return (
        f"Its recipe asks for {wanted}; archi runs {VLLM_VERSION}. Mend: name an image that has it "
        "in services.vllm.image, or take another model.",
    )


def newer_than_pinned(version: str) -> bool:
    """Whether a model asks for a newer vLLM than archi runs; ``nightly`` is newer than all."""
    if version == "nightly":
        return True
    return _numbers(version) > _numbers(VLLM_VERSION)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _source(family: Family | None, architecture: Architecture | None, recipe: Recipe | None) -> str:
    parts = []
    if recipe:
        parts.append(f"recipe {recipe.model_id} of vLLM {table.version()}")
    if architecture:
        parts.append(f"archi's table of architectures ({architecture.shape.source})")
    if family:
        parts.append(f"the family's name (vLLM {VLLM_VERSION})")
    return "; ".join(parts) or "the name alone"


def attention_heads(model_id: str) -> int | None:
    """How many attention heads a model has, which tensor parallelism deals out; None: unknown."""
    shape = lookup(model_id).shape
    return shape.heads if shape else None


def largest_tensor_parallel_size(model_id: str, most: int) -> int | None:
    """The most GPUs, up to ``most``, over which a model's heads are dealt out evenly.

    None where its heads are unknown.
    """
    shape = lookup(model_id).shape
    return shape.largest_split(most) if shape else None


def quantization_of(model_id: str) -> str | None:
    """How a model's weights are quantised, as its name says: ``awq``, ``gptq``…; None: unsaid."""
    named = precision_of(model_id)
    return named if named in _STATED_BY_NAME else None


# Names that mean one way of quantising; 4 bits or INT8 may be many.
_STATED_BY_NAME = ("awq", "gptq", "fp8", "mxfp4", "nvfp4")


def reads(method: str, precision: str) -> bool:
    """Whether vLLM's quantisation ``method`` can be that of weights in the format ``precision``."""
    return method.startswith(precision) or method in PRECISIONS[precision].methods
