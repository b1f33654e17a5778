"""Previews by the real engine, from a state that holds nothing."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.checkout import Checkout


@dataclass(frozen=True)
class Planned:
    """One resource that a preview would make."""

    type: str
    operation: str
    inputs: dict[str, Any]


Preview = Callable[[str], dict[str, Planned]]


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """A copy of the tree whose Pulumi knows no stack yet."""
    checkout = Checkout.of_tree(tmp_path_factory.mktemp("preview"))
    done = checkout.make("toolchain")
    assert done.returncode == 0, done.stdout
    return checkout


@pytest.fixture(scope="session")
def preview(checkout: Checkout) -> Preview:
    """``pulumi preview --json`` of a stack: its steps by the resource's name."""

    @functools.cache
    def run(stack: str) -> dict[str, Planned]:
        report = checkout.pulumi_json("preview", "--json", "--stack", stack)
        return {
            step["urn"].rsplit("::", 1)[-1]: Planned(
                step["newState"]["type"], step["op"], step["newState"].get("inputs", {})
            )
            for step in report["steps"]
        }

    return run
