"""Dynamic resources: what Pulumi's Docker provider can't do, a module each.

Pulumi stores a provider in the state by the path of its class: **moving one breaks every stack**.
And it loads these modules in a process of their own for every preview and update, most of which
have nothing to do: so they import Pulumi alone, and what the work needs where it is done.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from pulumi.dynamic import CreateResult, DiffResult, ReadResult, ResourceProvider, UpdateResult


class Provider(ResourceProvider):
    """A dynamic provider whose create and update are the same work."""

    serialize_as_secret_always = False  # it holds nothing but its own class

    keys: tuple[str, ...]
    """The inputs whose change makes the work be done again."""

    names: str
    """The input that is the resource's id."""

    def work(self, props: dict[str, Any]) -> None:
        """Do it; an exception's text is shown to the person as it is."""
        raise NotImplementedError

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Do the work for the first time."""
        self.work(props)
        return CreateResult(props[self.names], done(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Do the work again; on failure the state stays, and the next ``up`` tries once more."""
        self.work(_news)
        return UpdateResult(done(_news))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        """Changed if one of ``keys`` is, or a refresh found that the work is undone."""
        changed = not _olds.get("done", False) or any(
            _olds.get(key) != _news.get(key) for key in self.keys
        )
        return DiffResult(changes=changed)


def done(props: Mapping[str, Any]) -> dict[str, Any]:
    """Outputs of work that is done."""
    return {**props, "done": True}


def undone(id_: str, props: Mapping[str, Any]) -> ReadResult:
    """A refresh found the work undone: the next ``up`` does it again."""
    return ReadResult(id_, {**props, "done": False})


def gone() -> ReadResult:
    """A refresh found nothing: the next ``up`` makes it anew."""
    return ReadResult("", {})


def say(line: str) -> None:
    """Tell the person at the terminal; Pulumi shows a dynamic provider's stderr live."""
    # In one piece: two gates that wait at once would write into one another's lines.
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
