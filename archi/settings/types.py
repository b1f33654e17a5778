"""Domain types: strings and numbers that have rules of their own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, RootModel, model_validator

from archi.settings.checks import SECRET_VALUE, Unshown, pattern, shown, text

ServiceName = Literal["chatbot", "vllm-server", "postgres"]

_MODEL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.ASCII)
_MEMORY = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([kmgt])i?b?", re.IGNORECASE | re.ASCII)
_DURATION = re.compile(r"(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})s)?", re.ASCII)
_GPU_ID = re.compile(r"\d{1,4}|(GPU|MIG)-[0-9A-Fa-f-]{1,64}", re.ASCII)
_MIB = {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024 * 1024}

_LONGEST_ID = 96  # huggingface_hub, validate_repo_id
_MOST_SECONDS = 168 * 3600
_MOST_MIB = 64 * 1024 * 1024

# Docker's limit for a host name, which a container's name becomes on the network.
_LONGEST_NAME = 40


def parse_model_id(value: Any) -> str:  # noqa: ANN401 - whatever the stack file holds
    """A Hugging Face model id, ``org/name``.

    Raises:
        ValueError: for anything else; an Ollama-style id comes back with the likely id.

    """
    if not isinstance(value, str):
        raise ValueError("a Hugging Face model id such as Qwen/Qwen3-8B is wanted")
    text = value.strip()
    if ":" in text and "/" in text:
        raise ValueError(
            "this looks like an Ollama name; vLLM uses Hugging Face ids, "
            f"most likely {text.replace(':', '-')[:100]!r}"
        )
    if not _MODEL_ID.fullmatch(text) or ".." in text or "--" in text or len(text) > _LONGEST_ID:
        raise ValueError(
            "a Hugging Face model id has the form org/name, of letters, digits, '-', '_' and '.', "
            "such as Qwen/Qwen3-8B"
        )
    return text


ModelId = Annotated[str, BeforeValidator(parse_model_id)]

VLLM = "vllm"
"""The provider of the model served here."""


@dataclass(frozen=True)
class ModelReference:
    """A model that a pipeline names: ``vllm/<Hugging Face id>``, or ``<provider>/<model>``."""

    provider: str
    model: str

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


_REFERENCE = re.compile(r"[!-~]{1,256}")


def parse_model_reference(value: Any) -> ModelReference:  # noqa: ANN401 - whatever the file holds
    """A model reference of a pipeline. Whether there is such a provider is a rule's to say.

    Raises:
        ValueError: no provider is named, or vLLM's model has an id that :func:`parse_model_id`
            refuses.

    """
    if isinstance(value, ModelReference):
        return value
    provider, slash, model = value.partition("/") if isinstance(value, str) else ("", "", "")
    if not slash or not provider or not model or not _REFERENCE.fullmatch(value):
        raise ValueError(NO_PROVIDER)
    return ModelReference(provider, parse_model_id(model) if provider == VLLM else model)


NO_PROVIDER = "no known provider; write vllm/<Hugging Face id>, such as vllm/Qwen/Qwen3-8B"

NamedModel = Annotated[ModelReference, BeforeValidator(parse_model_reference)]


def parse_deployment_name(value: str) -> str:
    """A deployment's name: it becomes part of container, network and volume names."""
    if not _NAME.fullmatch(value) or len(value) > _LONGEST_NAME:
        raise ValueError(
            "a deployment's name is made of a-z, 0-9 and '-', begins and ends with a letter or "
            f"digit, and has at most {_LONGEST_NAME} characters; choose another stack name"
        )
    return value


DeploymentName = Annotated[str, BeforeValidator(parse_deployment_name)]

Port = Annotated[int, Field(ge=1, le=65535)]
"""A TCP port of the host."""


def parse_memory(value: Any) -> int:  # noqa: ANN401 - whatever the stack file holds
    """Memory in MiB from Docker's notation: ``512m``, ``8g``, ``1.5g``."""
    match = _MEMORY.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError("memory is a number with a unit, such as 512m or 8g")
    mib = float(match[1]) * _MIB[match[2].lower()]
    if not 1 <= mib <= _MOST_MIB:
        raise ValueError("memory is at least 1m and at most 64t")
    return round(mib)


Memory = Annotated[int, BeforeValidator(parse_memory)]
"""An amount of memory in MiB."""


def parse_duration(value: Any) -> int:  # noqa: ANN401 - whatever the stack file holds
    """A duration in seconds from Go's notation: ``90s``, ``10m``, ``1h30m``."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) and value.strip() else None
    if match is None:
        raise ValueError("a duration is written like 90s, 10m or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = hours * 3600 + minutes * 60 + seconds
    if not 1 <= total <= _MOST_SECONDS:
        raise ValueError("a duration is at least 1s and at most 168h")
    return total


Duration = Annotated[int, BeforeValidator(parse_duration)]
"""A span of time in seconds."""


class GpuIds(RootModel[tuple[str, ...]], frozen=True):
    """Which GPUs vllm-server gets: ``all``, ``none``, or indices and UUIDs.

    ``root`` is ``("all",)`` for all, empty for none, else the ids in the order given.
    """

    @model_validator(mode="before")
    @classmethod
    def _parse(cls, value: Any) -> tuple[str, ...]:  # noqa: ANN401 - whatever the stack file holds
        parts = value if isinstance(value, (list, tuple)) else str(value).split(",")
        if isinstance(value, (dict, bool, float)) or value is None:
            parts = [""]
        ids = tuple(str(part).strip() for part in parts)
        if ids in ((), ("",)):
            raise ValueError("write all, none, or ids such as 0,1")
        if len(ids) == 1 and ids[0].lower() in ("all", "none"):
            return ("all",) if ids[0].lower() == "all" else ()
        for part in ids:
            if not _GPU_ID.fullmatch(part):
                raise ValueError(
                    f"{shown(part, 40)} is no GPU id; write all, none, indices such as 0,1, "
                    "or UUIDs as nvidia-smi -L prints them"
                )
        twice = sorted({part for part in ids if ids.count(part) > 1})
        if twice:
            raise ValueError(f"{twice[0]} is named twice; name each GPU once")
        return ids

    @property
    def every(self) -> bool:
        """Whether all GPUs of the host are asked for."""
        return self.root == ("all",)

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids asked for; empty for ``all`` and ``none``."""
        return () if self.every else self.root

    def __bool__(self) -> bool:
        return bool(self.root)

    def __str__(self) -> str:
        return ",".join(self.root) or "none"


Revision = Annotated[
    str,
    pattern(r"(?!.*\.\.)[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", "write a branch, a tag or a commit"),
]
"""A revision of a model's repository; it becomes the name of a folder."""

ServedName = Annotated[
    str,
    pattern(
        r"[A-Za-z0-9][A-Za-z0-9_./:-]{0,127}",
        "a name is made of letters, digits, '-', '_', '.', ':' and '/', such as assistant",
    ),
]
"""The name under which a model is served."""

VariableName = Annotated[
    str,
    pattern(
        r"[A-Za-z_][A-Za-z0-9_]{0,127}",
        "a variable's name is made of letters, digits and '_', and begins with no digit",
    ),
]
"""The name of an environment variable."""

_IMAGE = (
    r"(?:[a-zA-Z0-9.-]+(?::\d{1,5})?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
ImageReference = Annotated[
    str,
    pattern(_IMAGE, "an image is written [registry/]name:tag, such as vllm/vllm-openai:v0.32.0"),
]
"""A Docker image reference (distribution/reference, without its rarer forms)."""

RegistryName = Annotated[
    str,
    pattern(
        r"[A-Za-z0-9][A-Za-z0-9.-]*(:\d{1,5})?(/[a-z0-9]+([._/-][a-z0-9]+)*)?",
        "a registry is written host[:port][/path], without https://",
    ),
]
"""Where images are pulled from."""

_LONGEST_WORD = 256


def parse_word(value: str) -> str:
    """A name or a word that something else gives its meaning."""
    if not value or value != value.strip() or not value.isprintable():
        raise ValueError("one line of printable characters is wanted, without spaces around it")
    if len(value) > _LONGEST_WORD:
        raise ValueError(f"it has at most {_LONGEST_WORD} characters")
    return value


Word = Annotated[str, text(parse_word)]

GroupName = Annotated[
    str, pattern(r"[^,\x00-\x1f\x7f]{1,256}", "a group's name is one line without a comma")
]
"""A group of an OpenID Connect provider."""

ScopeName = Annotated[
    str,
    pattern(r"[!#-\[\]-~]{1,128}", "a scope is a word, such as groups"),  # RFC 6749, 3.3
]

DomainName = Annotated[
    str,
    pattern(
        r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+",
        "a domain is written like example.org",
    ),
]

_SHORT_NAME = r"[a-z][a-z0-9_-]{0,39}"
ServerName = Annotated[
    str,
    pattern(
        _SHORT_NAME, "a server's name is made of a-z, 0-9, '-' and '_', and begins with a letter"
    ),
]
ProviderName = Annotated[
    str,
    pattern(
        _SHORT_NAME, "a provider's name is made of a-z, 0-9, '-' and '_', and begins with a letter"
    ),
]
ToolName = Annotated[
    str,
    pattern(r"[A-Za-z0-9_.-]{1,128}", "a tool's name is made of letters, digits, '-', '_' and '.'"),
]
HeaderName = Annotated[
    str, pattern(r"[A-Za-z0-9-]{1,64}", "a header's name is made of letters, digits and '-'")
]


def parse_header_value(value: str) -> str:
    """A header's value, in which ``${NAME}`` stands for a secret."""
    if not re.fullmatch(r"[ -~]{1,512}", value):
        raise Unshown("a header's value is one line of letters, digits and signs")
    if SECRET_VALUE.search(value):
        raise Unshown(
            "this looks like a secret; put it into archi:env_secrets and write ${ITS_NAME} here"
        )
    return value


HeaderValue = Annotated[str, text(parse_header_value)]

UlimitName = Literal[
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
]
"""What Docker knows (docker/go-units, ulimit.go)."""


def parse_context_length(value: Any) -> int | str:  # noqa: ANN401 - whatever the stack file holds
    """A context length in tokens, or ``auto``."""
    number = int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value) else value
    if isinstance(number, int) and not isinstance(number, bool) and 1 <= number < _MOST_TOKENS:
        return number
    if value == "auto":
        return "auto"
    raise ValueError("a number of tokens from 1 on is wanted, such as 16384, or auto")


_MOST_TOKENS = 10**9
ContextLength = Annotated[int | str, BeforeValidator(parse_context_length)]


def parse_ulimit(value: Any) -> Any:  # noqa: ANN401 - whatever the stack file holds
    """One number for soft and hard limit, or a mapping of both."""
    number = isinstance(value, int) and not isinstance(value, bool)
    if number and value >= -1:
        return {"soft": value, "hard": value}
    if isinstance(value, dict):
        return value
    raise ValueError("a number is wanted, -1 for unlimited, or soft and hard with a number each")
