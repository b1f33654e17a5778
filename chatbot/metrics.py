"""What Prometheus may know: how much is asked, how fast it is answered, what fails.

Numbers only: no names of people, no text. Workers share them through ``workers_folder``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

_REGISTRY = CollectorRegistry()
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_RATES = (1, 2, 5, 10, 20, 35, 50, 75, 100, 150, 250)
# A model makes names of tools up; each would be a time series for ever.
_MAX_TOOLS = 100

_requests = Counter(
    "archi_chat_requests_total",
    "Requests by route, method and status.",
    ["route", "method", "status"],
    registry=_REGISTRY,
)
_request_seconds = Histogram(
    "archi_chat_request_seconds",
    "Time until a response began.",
    ["route"],
    buckets=_SECONDS,
    registry=_REGISTRY,
)
_answers = Counter(
    "archi_chat_answers_total",
    "Answers that have ended, by how they ended.",
    ["way", "status"],
    registry=_REGISTRY,
)
_first_token = Histogram(
    "archi_chat_first_token_seconds",
    "Time from a question to the first token of its answer.",
    ["way"],
    buckets=_SECONDS,
    registry=_REGISTRY,
)
_rate = Histogram(
    "archi_chat_answer_tokens_per_second",
    "Tokens per second of an answer, from its first token on.",
    ["way"],
    buckets=_RATES,
    registry=_REGISTRY,
)
_prompt_tokens = Counter(
    "archi_chat_prompt_tokens_total", "Tokens that the model read.", ["way"], registry=_REGISTRY
)
_completion_tokens = Counter(
    "archi_chat_completion_tokens_total",
    "Tokens that the model wrote.",
    ["way"],
    registry=_REGISTRY,
)
_tool_calls = Counter(
    "archi_chat_tool_calls_total",
    "Tool calls that have ended, by how they ended.",
    ["tool", "status"],
    registry=_REGISTRY,
)
_database_errors = Counter(
    "archi_chat_database_errors_total",
    "Requests and saves that failed because of the database.",
    registry=_REGISTRY,
)
_tools: set[str] = set()


def request_ended(route: str | None, method: str, status: int, seconds: float) -> None:
    """Count a request; ``route`` is the template of its address, None where there is none."""
    name = route or "unknown"
    known = method if method in _METHODS else "other"
    _requests.labels(name, known, str(status)).inc()
    _request_seconds.labels(name).observe(seconds)


_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def answer_ended(
    way: str,
    status: str,
    usage: Mapping[str, Any] | None = None,
    timings: Mapping[str, Any] | None = None,
) -> None:
    """Count an answer.

    Args:
        way: "agent", "title" or "v1".
        status: how it ended.
        usage: ``prompt_tokens`` and ``completion_tokens``, where they are known.
        timings: ``first_token_ms`` and ``tokens_per_second``, where they are known.
    """
    _answers.labels(way, status).inc()
    usage, timings = usage or {}, timings or {}
    for key, counter in (
        ("prompt_tokens", _prompt_tokens),
        ("completion_tokens", _completion_tokens),
    ):
        if usage.get(key):
            counter.labels(way).inc(usage[key])
    if timings.get("first_token_ms") is not None:
        _first_token.labels(way).observe(timings["first_token_ms"] / 1000)
    if timings.get("tokens_per_second"):
        _rate.labels(way).observe(timings["tokens_per_second"])


def tool_ended(tool: str, status: str) -> None:
    """Count a tool call."""
    if tool not in _tools and len(_tools) >= _MAX_TOOLS:
        tool = "other"
    _tools.add(tool)
    _tool_calls.labels(tool, status).inc()


def database_failed() -> None:
    """Count a failure of the database."""
    _database_errors.inc()


@dataclass(frozen=True)
class Now:
    """What is true at this moment, and not counted up."""

    model_up: bool
    streams_active: int
    streams_limit: int

    def collect(self) -> Iterator[Metric]:
        """Give it to Prometheus' client."""
        for name, text, value in (
            ("model_up", "Whether the model server answers and serves the model.", self.model_up),
            ("streams_active", "Answers in progress.", self.streams_active),
            ("streams_limit", "Places for answers in progress.", self.streams_limit),
        ):
            yield GaugeMetricFamily(f"archi_chat_{name}", text, value)


def exposition(now: Now) -> bytes:
    """Return all numbers, of all workers, in Prometheus' text format."""
    counted = _REGISTRY
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        counted = CollectorRegistry()
        multiprocess.MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
    present = CollectorRegistry()
    present.register(now)
    return generate_latest(counted) + generate_latest(present)
