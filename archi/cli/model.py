"""``archi model``: what a model needs, and whether it fits."""

from __future__ import annotations

import math
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from archi.cli.exit_codes import ExitCode
from archi.cli.output import fail, out, print_json

if TYPE_CHECKING:
    from archi.models import ModelFacts
    from archi.models.fitting import Fit

_MOST_GIB = 4096
_YES = ("1", "ON", "YES", "TRUE")  # as huggingface_hub reads HF_HUB_OFFLINE


def model(
    model_id: Annotated[
        str,
        typer.Argument(
            metavar="ID", help="Hugging Face id such as Qwen/Qwen3-8B, or a folder (./x, /x)."
        ),
    ],
    gpus: Annotated[
        str | None,
        typer.Option(
            help="Does it fit? Memory of each GPU in GiB, such as 24 or 24,24.", metavar="GIB"
        ),
    ] = None,
    offline: Annotated[
        bool,
        typer.Option(
            "--offline", help="Ask no model hub (HF_HUB_OFFLINE=1 too); answer by the name."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """What a model needs: parsers, memory, and with --gpus whether it fits."""
    from archi.models.fitting import fit

    offline = offline or os.environ.get("HF_HUB_OFFLINE", "").upper() in _YES
    memory = _gpus(gpus) if gpus is not None else None
    facts = _facts(model_id, offline=offline)
    fitted = fit(facts, memory) if memory else None
    if as_json:
        print_json(_report(facts, fitted))
    else:
        _print(facts, fitted)
    if fitted and fitted.fits is False:
        raise typer.Exit(int(ExitCode.PROBLEM))


def _gpus(text: str) -> list[float]:
    try:
        sizes = [float(part) for part in text.split(",")]
    except ValueError:
        sizes = []
    if not sizes or not all(math.isfinite(size) and 0 < size <= _MOST_GIB for size in sizes):
        fail(
            f"--gpus {text!r} is refused: the memory of each GPU in GiB is wanted, with commas "
            "between them, such as 24 or 24,24.",
            ExitCode.REFUSED,
        )
    return sizes


def _facts(model_id: str, *, offline: bool) -> ModelFacts:
    """The facts from the folder, from the hub if it answers, else from the name."""
    from archi.models import lookup, sources
    from archi.models.hub import HubUnread, NoSuchModel
    from archi.settings.types import parse_model_id

    try:
        if sources.is_folder(model_id):
            return sources.read_folder(model_id)
        name = parse_model_id(model_id)
        if offline:
            return _noted(lookup(name), "The hub was not asked; this is what the name says.")
        return sources.read_hub(name)
    except NoSuchModel as error:
        fail(str(error), ExitCode.NOT_FOUND)
    except HubUnread as error:
        return _noted(lookup(name), f"{error}; this is what the name says.")
    except ValueError as error:
        fail(f"{model_id!r} is refused: {error}.", ExitCode.REFUSED)


def _noted(facts: ModelFacts, note: str) -> ModelFacts:
    return replace(facts, notes=(note, *facts.notes))


def _report(facts: ModelFacts, fitted: Fit | None) -> dict[str, Any]:
    """The documented shape of ``--json``."""
    from archi.models import memory

    weights = memory.weights(facts)
    least = memory.least_vram(facts)
    per_token = memory.kv_per_token(facts.shape, 2) / 1024 if facts.shape else None
    report: dict[str, Any] = {
        "model_id": facts.model_id,
        "family": facts.family,
        "known": facts.known,
        "tool_parser": facts.tool_parser,
        "reasoning_parser": facts.reasoning_parser,
        "chat_template": facts.chat_template,
        "min_vllm": facts.min_vllm,
        "parameters": facts.parameters,
        "context_length": facts.context_length,
        "precision": facts.precision,
        "weights_gib": _rounded(weights.bytes / memory.GIB if weights else None),
        "kv_kib_per_token": _rounded(per_token),
        "vram_minimum_gib": _rounded(least / memory.GIB if least else None),
        "notes": list(facts.notes),
        "source": facts.source,
    }
    if fitted:
        report |= {
            "fits": fitted.fits,
            "max_model_len": fitted.max_model_len,
            "tensor_parallel_size": fitted.tensor_parallel_size,
            "reasons": list(fitted.reasons),
            "advice": list(fitted.advice),
        }
    return report


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 2)


def _print(facts: ModelFacts, fitted: Fit | None) -> None:
    from rich.markup import escape
    from rich.table import Table

    from archi.models.fitting import about

    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _rows(facts):
        table.add_row(name, escape(value))
    console = out()
    console.print(table)
    for line in (*(fitted.arithmetic if fitted else about(facts)), *facts.notes):
        console.print(f"\n{escape(line)}")
    if fitted:
        console.print(f"\n{escape(_verdict(fitted))}")
        for line in (*fitted.reasons, *fitted.advice):
            console.print(f"- {escape(line)}")


def _rows(facts: ModelFacts) -> list[tuple[str, str]]:
    from archi.models import memory, words
    from archi.models.precision import PRECISIONS

    least = memory.least_vram(facts)
    assumed = "" if facts.known else " (assumed)"
    return [
        ("model", facts.model_id),
        ("family", facts.family or "unknown"),
        ("tool parser", facts.tool_parser + assumed),
        ("reasoning parser", facts.reasoning_parser or "none"),
        ("chat template", facts.chat_template or "the model's own"),
        ("first vLLM", facts.min_vllm or "not known"),
        ("parameters", words.count(facts.parameters) if facts.parameters else "not known"),
        ("context", f"{facts.context_length:,} tokens" if facts.context_length else "not known"),
        ("weights", PRECISIONS[facts.precision].words),
        ("GPU memory", f"from {words.gib(least)} on" if least else "not known"),
        ("source", facts.source),
    ]


def _verdict(fitted: Fit) -> str:
    many = fitted.tensor_parallel_size * fitted.pipeline_parallel_size
    on = f" on {many} GPUs" if many > 1 else ""
    if fitted.fits is None:
        return f"Whether it fits{on} can't be said for certain."
    if not fitted.fits:
        return "It does not fit."
    longest = fitted.max_model_len
    return f"It fits{on}" + (f", with max_model_len up to about {longest:,}." if longest else ".")
