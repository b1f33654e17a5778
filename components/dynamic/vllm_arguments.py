"""vLLM's command line, asked of the argument parser of the image that will run it."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import Resource

from components.dynamic import Provider, say


class VllmArgumentsProvider(Provider):
    """Asks before anything is started or taken away, and again only when line or image change."""

    keys = ("image", "command")
    names = "deployment"

    def work(self, props: dict[str, Any]) -> None:
        """Check; raises ``PreflightError`` with what the parser says and the mend."""
        from archi.docker_engine import connect
        from archi.vllm_arguments import Question, check

        question = Question(
            deployment=props["deployment"],
            image=props["image"],
            command=tuple(props["command"]),
            files=props["files"],
        )
        check(connect(), question, say)


class VllmArguments(Resource, module="archi", name="VllmArguments"):
    """The check of one command line; ``props`` as :class:`archi.vllm_arguments.Question` has."""

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(VllmArgumentsProvider(), name, {**props, "done": None}, opts)
