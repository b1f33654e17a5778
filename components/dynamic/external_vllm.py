"""A vLLM that runs elsewhere: asked before the chat application starts."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import ReadResult, Resource

from components.dynamic import Provider, done, undone


class ExternalVllmProvider(Provider):
    """Asks by a one-shot of the chat image on the deployment's network."""

    keys = ("network", "base_url", "model", "key_mark")
    names = "base_url"

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Whether it can be used right now; else the next ``up`` asks again, and says why not."""
        from docker.errors import APIError

        from archi.docker_engine import connect
        from archi.external_vllm import ExternalVllm, ExternalVllmError, check

        try:
            check(connect(), ExternalVllm.of(props))
        except (ExternalVllmError, APIError):
            return undone(id_, props)
        return ReadResult(id_, done(props))

    def work(self, props: dict[str, Any]) -> None:
        """Ask; raises ``ExternalVllmError`` with cause and mend."""
        from archi.docker_engine import connect
        from archi.external_vllm import ExternalVllm, check

        check(connect(), ExternalVllm.of(props))


class ExternalVllm(Resource, module="archi", name="ExternalVllm"):
    """The gate before the chat application where vLLM runs elsewhere.

    ``props`` as :class:`archi.external_vllm.ExternalVllm` names them, and ``key_mark``, which
    differs when the API key does.
    """

    def __init__(
        self, name: str, props: dict[str, Any], opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(ExternalVllmProvider(), name, {**props, "done": None}, opts)
