"""Whether vLLM takes a command line: asked of the argument parser in the image that will run."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from archi.diagnosis import diagnose, last_error
from archi.names import Names
from archi.preflight import PreflightError

if TYPE_CHECKING:
    import docker

_SCRIPT = Path(__file__).parent / "in_container" / "check_arguments.py"
_PATH = "/archi-check"


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        deployment: name of the deployment that asks.
        image: the vLLM image, present on the Engine.
        command: the arguments of ``vllm serve``.
        files: absolute path to content of the files that the arguments name.

    """

    deployment: str
    image: str
    command: Sequence[str]
    files: Mapping[str, str]


def check(client: docker.DockerClient, question: Question, say: Callable[[str], None]) -> None:
    """Refuse a command line that vLLM would refuse minutes later.

    Args:
        client: of the Engine that has the image.
        question: the command line and what it names.
        say: is told where an image of the user's own can't be asked.

    Raises:
        PreflightError: with what the parser says and what to change.

    """
    said, lines = ask(client, question, [question.command])
    if not said:
        say(
            f"{question.image} could not be asked whether its vLLM takes the command line "
            f"({last_error(lines) or 'it said nothing'}); its start will tell."
        )
    elif said[0] is not None:
        diagnosis = diagnose([said[0]])
        raise PreflightError(f"{diagnosis}\nNothing was started or stopped.")


def ask(
    client: docker.DockerClient, question: Question, commands: Sequence[Sequence[str]]
) -> tuple[list[str | None], tuple[str, ...]]:
    """What the parser says of each command line, None for nothing; and all that was printed.

    The list is empty where the image's vLLM is built otherwise and can't be asked.
    """
    from archi.oneshot import OneShot, run

    names = Names(question.deployment)
    result = run(
        client,
        OneShot(
            name=names.one_shot("vllm-arguments"),
            image=question.image,
            command=[f"{_PATH}/check_arguments.py", f"{_PATH}/lines.json"],
            labels=names.labels("preflight"),
            environment={"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"},
            uploads={
                f"{_PATH}/check_arguments.py": _SCRIPT.read_bytes(),
                f"{_PATH}/lines.json": json.dumps([list(line) for line in commands]).encode(),
                **{path: content.encode() for path, content in question.files.items()},
            },
            options={
                "entrypoint": ["python3"],
                "network_mode": "none",
                "cap_drop": ["ALL"],
                "security_opt": ["no-new-privileges:true"],
            },
        ),
    )
    said = [_error(line) for line in result.lines if line.startswith('{"error"')]
    return (said if len(said) == len(commands) else []), result.lines


def _error(line: str) -> str | None:
    error = json.loads(line)["error"]
    return None if error is None else str(error)
