"""Pulumi's mocks: what a component asks the engine for, without an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pulumi
import pytest
from pulumi.runtime import mocks

from archi.settings import SECRET_KEYS, from_mapping


@dataclass(frozen=True)
class Asked:
    """One resource as the program registered it; keys of inputs are Pulumi's camelCase."""

    type: str
    name: str
    inputs: dict[str, Any]
    request: Any

    def option(self, name: str) -> Any:
        return getattr(self.request, name)


class _Answers(mocks.Mocks):
    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        return f"{args.name}-id", dict(args.inputs)

    def call(self, _args: mocks.MockCallArgs) -> dict[str, Any]:
        return {}


class _Recorder(mocks.MockMonitor):
    def __init__(self) -> None:
        super().__init__(_Answers())
        self.asked: dict[str, Asked] = {}

    def RegisterResource(self, request: Any) -> Any:
        inputs = pulumi.runtime.rpc.deserialize_properties(request.object, True)
        self.asked[request.name] = Asked(request.type, request.name, inputs, request)
        return super().RegisterResource(request)


Deploy = Callable[..., dict[str, Asked]]


@pytest.fixture
def deploy() -> Deploy:
    """Run the program's wiring for a configuration; gives what was asked for, by name."""

    def run(**config: Any) -> dict[str, Asked]:
        from components.deployment import Deployment, DeploymentArgs

        secrets = {key: config[key] for key in SECRET_KEYS if key in config}
        plain = {key: value for key, value in config.items() if key not in secrets}
        asyncio.set_event_loop(asyncio.new_event_loop())
        recorder = _Recorder()
        mocks.set_mocks(_Answers(), project="archi", stack="bot", preview=False, monitor=recorder)

        @pulumi.runtime.test
        def program() -> None:
            Deployment("bot", DeploymentArgs(from_mapping("bot", plain, secrets)))

        program()
        return recorder.asked

    return run
