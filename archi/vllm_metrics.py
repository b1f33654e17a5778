"""How busy a vLLM is: its own metrics, asked from inside its container.

Names of metrics are those of vLLM 0.32.0 (vllm/v1/metrics/loggers.py). ``/metrics`` asks for no
key, and asking inside the container works wherever it runs and whether it is published or not.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docker.models.containers import Container

# Two samples in one process: the time between them is then that of the samples alone. The sleep is
# what is measured over: tokens per second are those of this second, and nothing tells of its end.
_SCRIPT = """
import json, sys, time, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
samples = []
for pause in (float(sys.argv[2]), 0):
    with opener.open(f"http://127.0.0.1:{sys.argv[1]}/metrics", timeout=5) as answer:
        samples.append((time.monotonic(), answer.read().decode()))
    time.sleep(pause)
print(json.dumps(samples))
"""

_SAMPLE = re.compile(r"^(?P<name>[A-Za-z_:][\w:]*)(?:\{(?P<labels>.*)\})?\s+(?P<value>\S+)")


@dataclass(frozen=True)
class Load:
    """What a vLLM is doing, over all its engines.

    Attributes:
        running: requests that are being answered.
        waiting: requests in the queue.
        tokens_per_second: generated between the two samples.
        prompt_tokens_per_second: read between the two samples.
        kv_cache_use: share of the KV cache in use, 0 to 1; of the fullest engine.
        generated_tokens: since the server started.

    """

    running: int
    waiting: int
    tokens_per_second: float
    prompt_tokens_per_second: float
    kv_cache_use: float
    generated_tokens: int


def ask(container: Container, port: int, seconds: float = 1.0) -> Load | None:
    """Sample the metrics twice; None where the server does not give them.

    Args:
        container: of vllm-server, running.
        port: on which it listens inside.
        seconds: between the two samples.

    """
    from docker.errors import APIError

    try:
        answer = container.exec_run(["python3", "-c", _SCRIPT, str(port), str(seconds)])
    except APIError:  # it ended between the look and the question
        return None
    output: bytes = answer.output  # type: ignore[assignment]  # it is not streamed
    if answer.exit_code != 0:
        return None
    (begin, first), (end, second) = json.loads(output)
    return load(parse(first), parse(second), end - begin)


def parse(text: str) -> dict[str, list[float]]:
    """Values by the metric's name, over all labels, from Prometheus' text format.

    Labels are dropped: only vLLM's sums over engines are wanted, and it has one model.
    """
    found: dict[str, list[float]] = {}
    for line in text.splitlines():
        if match := _SAMPLE.match(line):
            found.setdefault(match["name"], []).append(float(match["value"]))
    return found


def load(first: dict[str, list[float]], second: dict[str, list[float]], seconds: float) -> Load:
    """The load from two samples that lie ``seconds`` apart.

    A counter that went down belongs to a server that was started anew between them.
    """

    def rate(name: str) -> float:
        before, after = _sum(first.get(name, ())), _sum(second.get(name, ()))
        return max(0.0, after - before) / seconds if seconds > 0 else 0.0

    return Load(
        running=round(_sum(second.get("vllm:num_requests_running", ()))),
        waiting=round(_sum(second.get("vllm:num_requests_waiting", ()))),
        tokens_per_second=round(rate("vllm:generation_tokens_total"), 1),
        prompt_tokens_per_second=round(rate("vllm:prompt_tokens_total"), 1),
        kv_cache_use=round(max(second.get("vllm:kv_cache_usage_perc", ()), default=0.0), 4),
        generated_tokens=round(_sum(second.get("vllm:generation_tokens_total", ()))),
    )


def _sum(values: Sequence[float]) -> float:
    return sum(value for value in values if not math.isnan(value))
