"""Domain types: strings and numbers that have rules of their own."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, RootModel, model_validator

_MODEL_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_MEMORY = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt])i?b?", re.IGNORECASE)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_GPU_ID = re.compile(r"\d+|(GPU|MIG)-[0-9A-Fa-f-]+")
_MIB = {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024 * 1024}

# Docker's limit for a host name, which a container's name becomes on the network.
_LONGEST_NAME = 40


def parse_model_id(value: Any) -> str:  # noqa: ANN401 - whatever the stack file holds
    """A Hugging Face model id, ``org/name``.

    Raises:
        ValueError: for anything else; an Ollama-style id comes back with the likely id.

    """
    if not isinstance(value, str):
        raise ValueError("a Hugging Face model id such as Qwen/Qwen3-8B is wanted")  # noqa: TRY004
    text = value.strip()
    if ":" in text and "/" in text:
        raise ValueError(
            "this looks like an Ollama name; vLLM uses Hugging Face ids, "
            f"most likely {text.replace(':', '-')!r}"
        )
    if not _MODEL_ID.fullmatch(text) or ".." in text or "--" in text:
        raise ValueError("a Hugging Face model id has the form org/name, such as Qwen/Qwen3-8B")
    return text


ModelId = Annotated[str, BeforeValidator(parse_model_id)]

_VLLM_PREFIX = "vllm/"


def parse_model_reference(value: Any) -> str:  # noqa: ANN401 - whatever the stack file holds
    """A model reference of a pipeline, ``vllm/<Hugging Face id>``; gives the bare id.

    Raises:
        ValueError: for another provider, or an id that :func:`parse_model_id` refuses.

    """
    if not isinstance(value, str) or not value.startswith(_VLLM_PREFIX):
        raise ValueError(
            "no known provider; write vllm/<Hugging Face id>, such as vllm/Qwen/Qwen3-8B"
        )
    return parse_model_id(value.removeprefix(_VLLM_PREFIX))


ModelReference = Annotated[str, BeforeValidator(parse_model_reference)]
"""A model that a pipeline names, without its ``vllm/`` prefix."""


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
    mib = round(float(match[1]) * _MIB[match[2].lower()])
    if mib < 1:
        raise ValueError("memory is at least 1m")
    return mib


Memory = Annotated[int, BeforeValidator(parse_memory)]
"""An amount of memory in MiB."""


def parse_duration(value: Any) -> int:  # noqa: ANN401 - whatever the stack file holds
    """A duration in seconds from Go's notation: ``90s``, ``10m``, ``1h30m``."""
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) and value.strip() else None
    if match is None:
        raise ValueError("a duration is written like 90s, 10m or 1h30m")
    hours, minutes, seconds = (int(part or 0) for part in match.groups())
    total = hours * 3600 + minutes * 60 + seconds
    if total < 1:
        raise ValueError("a duration is at least 1s")
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
        ids = tuple(str(part).strip() for part in parts)
        if value is None or ids == ("",):
            raise ValueError("write all, none, or ids such as 0,1")
        if len(ids) == 1 and ids[0].lower() in ("all", "none"):
            return ("all",) if ids[0].lower() == "all" else ()
        for part in ids:
            if not _GPU_ID.fullmatch(part):
                raise ValueError(
                    f"{part!r} is no GPU id; write all, none, indices such as 0,1, "
                    "or UUIDs as nvidia-smi -L prints them"
                )
        if len(set(ids)) != len(ids):
            raise ValueError("a GPU is named twice")
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
