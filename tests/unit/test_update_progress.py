from __future__ import annotations

import io

import pytest
from pulumi.automation.events import EngineEvent
from rich.console import Console

from archi.phases import Phases
from archi.update_progress import UpdateProgress, doing


def urn(name: str, type_: str = "pulumi-python:dynamic/archi:Readiness") -> str:
    return f"urn:pulumi:bot::archi::{type_}::{name}"


def event(kind: str, **content: object) -> EngineEvent:
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, kind: content})


def metadata(name: str, step: str, type_: str = "t") -> dict[str, object]:
    return {"op": step, "urn": urn(name, type_), "type": type_, "provider": ""}


def begun(name: str, step: str = "create", type_: str = "t") -> EngineEvent:
    return event("resourcePreEvent", metadata=metadata(name, step, type_))


def ended(name: str, step: str = "create", type_: str = "t") -> EngineEvent:
    return event("resOutputsEvent", metadata=metadata(name, step, type_))


def said(message: str, severity: str = "info#err") -> EngineEvent:
    return event("diagnosticEvent", message=message, color="never", severity=severity)


@pytest.fixture
def text() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def progress(text: io.StringIO) -> UpdateProgress:
    return UpdateProgress(Phases(Console(file=text, width=100)))


def test_a_start_is_told_phase_by_phase_and_once(
    progress: UpdateProgress, text: io.StringIO
) -> None:
    for one in (
        begun("vllm-server-ready"),
        said("[  12 s] vllm-server: loading the weights\n"),
        said("<{%fg 1%}>[  13 s] vllm-server: compiling<{%reset%}>\n"),
        said("[  14 s] vllm-server: ready\n"),
        ended("vllm-server-ready"),
    ):
        progress(one)
    lines = text.getvalue().splitlines()
    assert lines == [
        "  start of vllm-server: loading the weights (0 s)",
        "  start of vllm-server: compiling (0 s)",
        "✓ start of vllm-server 0 s",
    ]
    assert [phase.within for phase in progress.phases.all] == [True]


def test_a_download_tells_how_far_it_is(progress: UpdateProgress, text: io.StringIO) -> None:
    progress(begun("weights-downloaded"))
    progress(said("weights of o/m:  10 % (1.6 GB of 16.4 GB)\n"))
    assert "weights: 10 % (1.6 GB of 16.4 GB)" in " ".join(text.getvalue().split())


def test_what_fails_is_not_told_as_done(progress: UpdateProgress, text: io.StringIO) -> None:
    progress(begun("preflight"))
    progress(event("resOpFailedEvent", metadata=metadata("preflight", "create"), status=1, steps=0))
    assert text.getvalue() == ""
    assert progress.phases.all == []


def test_what_stays_the_same_is_not_told(progress: UpdateProgress, text: io.StringIO) -> None:
    for step in ("same", "refresh", "read"):
        progress(begun("vllm-server", step))
        progress(ended("vllm-server", step))
    progress(begun("chatbot", "create", "archi:components:Chatbot"))
    assert text.getvalue() == ""


def test_a_warning_stays_on_the_screen(progress: UpdateProgress, text: io.StringIO) -> None:
    progress(said("warning: archi:gpu_ids names 2 GPUs\n", "warning"))
    assert text.getvalue() == "! archi:gpu_ids names 2 GPUs\n"


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        ("base-image", None),
        ("postgres", "container postgres"),
        ("postgres-ready", "start of postgres"),
        ("weights-downloaded", "weights"),
        ("weights", None),
        ("vllm-server-cache", None),
    ],
)
def test_resources_have_names_for_people(resource: str, words: str | None) -> None:
    assert doing(resource) == words
