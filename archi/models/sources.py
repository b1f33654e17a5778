"""A model's own files, from a hub or a folder: what they say wins over its name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from archi.models import config_json
from archi.models.by_name import lookup
from archi.models.facts import ModelFacts
from archi.models.families import DEFAULT_TOOL_PARSER, family_of
from archi.models.hub import HUB, TIMEOUT_SECONDS, Hub, HubUnread, NoSuchModel, json_object, resolve
from archi.models.names import precision_of
from archi.models.precision import PRECISIONS
from archi.models.safetensors import sizes


@dataclass(frozen=True)
class Files:
    """What was read.

    Attributes:
        origin: where from, for people.
        config: of config.json.
        template: the chat template; None where there is none.
        weights_bytes: size of the weights; None where unknown.
        parameters: how many; None where the headers don't tell.

    """

    origin: str
    config: Mapping[str, Any] = field(default_factory=dict)
    template: str | None = None
    weights_bytes: int | None = None
    parameters: int | None = None


def is_folder(model: str) -> bool:
    """Whether a model is named by a folder, and not by its id on a hub."""
    return model.startswith(("/", "./", "../", "~")) or model in (".", "..")


def read_folder(folder: str) -> ModelFacts:
    """The facts of a model in a folder of this machine.

    Raises:
        NoSuchModel: there is no such folder, or no model in it.

    """
    path = Path(folder).expanduser()
    config = _json_file(path / "config.json")
    if config is None and (path / "params.json").is_file():
        config = {}  # Mistral's own format
    if config is None:
        raise NoSuchModel(
            f"{folder} has no config.json that can be read. Mend: name the folder that holds a "
            "model's config.json, tokenizer and *.safetensors."
        )
    tokenizer = _json_file(path / "tokenizer_config.json") or {}
    template = path / "chat_template.jinja"
    separate = template.read_text(encoding="utf-8") if template.is_file() else None
    size, parameters = _local_weights(path)
    files = Files(folder, config, separate or _template(tokenizer), size, parameters)
    path = path.resolve()
    # Downloads lie in <org>/<repo>/<revision>: there the name is the parent's.
    named = next((place for place in (path, path.parent) if lookup(str(place)).known), path)
    return replace(facts_of(str(named), files), model_id=str(path))


def read_hub(
    model_id: str,
    *,
    endpoint: str | None = None,
    token: str | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> ModelFacts:
    """The facts of a model on a hub.

    Args:
        model_id: ``org/name``.
        endpoint: the hub; None: ``HF_ENDPOINT``, else Hugging Face's.
        token: for gated models; None: ``HF_TOKEN``.
        timeout: seconds that one request may take.

    Raises:
        NoSuchModel: the hub has none of that name, or only for others.
        HubUnread: it does not answer, the model is gated, or its files tell nothing.

    """
    hub = Hub(
        (endpoint or os.environ.get("HF_ENDPOINT") or HUB).rstrip("/"),
        token or os.environ.get("HF_TOKEN") or None,
        timeout,
        model_id,
    )
    resolve(hub.endpoint, timeout)
    config = hub.json("config.json")
    if config is None:  # GGUF files, Mistral's own format, or no model at all
        raise HubUnread(f"{model_id} on {hub.endpoint} has no config.json")
    tokenizer = hub.json("tokenizer_config.json", there=True) or {}
    template = _template(tokenizer) or hub.text("chat_template.jinja", there=True)
    size, parameters = hub.weights()
    return facts_of(model_id, Files(hub.endpoint, config, template, size, parameters))


def facts_of(model_id: str, files: Files) -> ModelFacts:
    """The facts by name, with what the model's own files say in their place."""
    named = _by_name(model_id, files.config)
    precision = config_json.precision_of(files.config) or named.precision
    # A config.json without a word about it may still lie beside quantised files.
    precision = precision_of(model_id) or precision if precision == named.precision else precision
    parameters = files.parameters or _counted(files.weights_bytes, precision)
    facts = replace(
        named,
        model_id=model_id,
        shape=config_json.shape_of(files.config, f"config.json of {model_id}") or named.shape,
        context_length=config_json.context_of(files.config) or named.context_length,
        precision=precision,
        weights_bytes=files.weights_bytes,
        parameters=parameters or named.parameters,
        parameters_from="headers" if parameters else named.parameters_from,
        source=f"config.json and safetensors headers from {files.origin}; {named.source}",
    )
    return _with_template(facts, files.template)


def _counted(weights_bytes: int | None, precision: str) -> int | None:
    """Parameters by the size of the weights, where nothing is packed; an index says no more."""
    bits = PRECISIONS[precision].bits
    if weights_bytes is None or bits is None or PRECISIONS[precision].quantised:
        return None
    return int(weights_bytes * 8 / bits)


def _by_name(model_id: str, config: Mapping[str, Any]) -> ModelFacts:
    """The facts by the name, by the name that config.json has, or by the architecture."""
    facts = lookup(model_id)
    if facts.known:
        return facts
    for other in (config.get("_name_or_path"), config_json.family_name(config)):
        if isinstance(other, str) and other and (family := family_of(other)):
            found = lookup(other)
            note = f"Its name tells no family; its config.json says {other}."
            return replace(
                found,
                notes=(note, *found.notes),
                family=family.name,
                source=f"config.json ({other})",
            )
    return facts


def _with_template(facts: ModelFacts, template: str | None) -> ModelFacts:
    """The parser that the model's chat template asks for, where the name's does not read it."""
    read = config_json.parsers_of_template(template or "")
    if not read or facts.tool_parser in read:
        if not facts.known and read:
            return replace(facts, known=True, notes=(_told_by_template(facts.tool_parser),))
        return facts
    if facts.chat_template:
        return facts  # the template that comes with archi takes the place of the model's
    reasoning = facts.reasoning_parser
    if not facts.known:
        reasoning = config_json.reasoning_of_template(template or "")
    return replace(
        facts,
        tool_parser=read[0],
        known=True,
        reasoning_parser=reasoning,
        notes=(*(facts.notes if facts.known else ()), _told_by_template(read[0])),
    )


def _told_by_template(parser: str) -> str:
    wins = f", not {DEFAULT_TOOL_PARSER}" if parser != DEFAULT_TOOL_PARSER else ""
    return f"Its chat template writes tool calls as {parser} reads them{wins}."


def _template(tokenizer: Mapping[str, Any]) -> str | None:
    """The chat template of a tokenizer_config.json: the one for tools where there are several."""
    found = tokenizer.get("chat_template")
    if isinstance(found, list):
        by_name = {str(one.get("name")): one.get("template") for one in found}
        found = by_name.get("tool_use") or by_name.get("default")
    return found if isinstance(found, str) else None


def _local_weights(folder: Path) -> tuple[int | None, int | None]:
    from huggingface_hub import parse_local_safetensors_file_metadata
    from huggingface_hub.errors import SafetensorsParsingError

    files = sorted(folder.glob("*.safetensors"))
    try:
        return sizes([parse_local_safetensors_file_metadata(file) for file in files])
    except (SafetensorsParsingError, OSError):
        return sum(file.stat().st_size for file in files) or None, None


def _json_file(path: Path) -> Mapping[str, Any] | None:
    try:
        return json_object(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None
