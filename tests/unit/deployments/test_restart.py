"""Which services a restart takes, and in which order."""

from __future__ import annotations

import pytest

from archi.deployments.containers import ServiceState
from archi.deployments.known import Deployment
from archi.deployments.restart import UnknownService, chosen

THERE = [ServiceState(name, f"{name}-bot", "running") for name in ("vllm-server", "chatbot")]
BOT = Deployment("bot", (ServiceState("postgres"), *THERE), None, None, None, False, None)


def test_all_that_are_there_in_the_order_in_which_they_start() -> None:
    assert chosen(BOT, []) == ["vllm-server", "chatbot"]


def test_those_asked_for_in_the_same_order() -> None:
    assert chosen(BOT, ["chatbot", "vllm-server"]) == ["vllm-server", "chatbot"]
    assert chosen(BOT, ["chatbot"]) == ["chatbot"]


def test_an_unknown_service_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownService, match=r"no service 'vllm'\. Known: chatbot, vllm-server"):
        chosen(BOT, ["vllm"])


def test_a_service_that_the_deployment_has_not_is_refused() -> None:
    with pytest.raises(UnknownService, match=r"bot has no postgres\. It has: vllm-server"):
        chosen(BOT, ["postgres"])


def test_a_deployment_without_containers_is_told_how_to_get_them() -> None:
    empty = Deployment("bot", (), None, None, None, False, None)
    with pytest.raises(UnknownService, match="pulumi up --refresh -s bot"):
        chosen(empty, [])
