"""How soon the model server is free when an answer is not wanted any more.

Against a deployment that runs: an answer is stopped (on the worker that makes it, or any other),
or a client of ``/v1`` goes away, before or after its first token; then vLLM's own count of running
requests is asked for until it is down.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from urllib.parse import urlsplit

import requests

_LONG = "Write a very long story about a lighthouse keeper and the sea. Tell every detail."
_LOOK = 0.01
# Rounds that are not counted: each worker has something to import and to open at its first request.
_FIRST = 3


class Deployment:
    """A chat application, and the vLLM behind it.

    Args:
        chat: address of the chat application, such as ``http://localhost:7861``.
        vllm: address of vLLM, such as ``http://localhost:8000``.
        key: key of the chat application, where people log in.
    """

    def __init__(self, chat: str, vllm: str, key: str | None) -> None:
        self._chat = chat.rstrip("/")
        self._vllm = vllm.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._metrics = requests.Session()

    def running(self) -> float:
        """Requests that vLLM works on."""
        text = self._metrics.get(f"{self._vllm}/metrics", timeout=10).text
        found = re.findall(r"^vllm:num_requests_running\{.*\} (\S+)$", text, re.MULTILINE)
        return sum(map(float, found))

    def wait(self, wanted: int) -> None:
        """Wait until vLLM works on so many requests."""
        while self.running() != wanted:
            time.sleep(_LOOK)  # between two looks

    def _post(self, path: str, body: object, *, stream: bool = False) -> requests.Response:
        # A connection of its own each time: which worker it lands on is chance.
        url = f"{self._chat}{path}"
        answer = requests.post(url, json=body, headers=self._headers, stream=stream, timeout=120)
        answer.raise_for_status()
        return answer

    def _events(self, answer: requests.Response) -> Iterator[dict[str, object]]:
        for line in answer.iter_lines(chunk_size=None):
            if line.startswith(b"data: "):
                yield json.loads(line[6:])

    def stop(self) -> tuple[str, float]:
        """Stop an answer of the page; returns where, and the seconds until vLLM is free."""
        made = self._post("/api/conversations", {}).json()["id"]
        path = f"/api/conversations/{made}/messages"
        with closing(self._post(path, {"content": _LONG}, stream=True)) as answer:
            events = self._events(answer)
            message = next(events)["answer"]["id"]  # type: ignore[index]
            next(events)
            began = time.monotonic()
            stopped = self._post(f"/api/messages/{message}/stop", {})
            self.wait(0)
            seconds = time.monotonic() - began
        workers = {response.headers["X-Archi-Worker"] for response in (answer, stopped)}
        return ("stop, its worker" if len(workers) == 1 else "stop, another worker"), seconds

    def leave(self, *, stream: bool) -> tuple[str, float]:
        """Leave ``/v1``, whose answer streams or is not there yet; returns the same."""
        body = {"messages": [{"role": "user", "content": _LONG}], "stream": stream}
        headers = {**self._headers, "Content-Type": "application/json"}
        with closing(HTTPConnection(urlsplit(self._chat).netloc, timeout=120)) as connection:
            connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
            if stream:
                connection.getresponse().readline()
            self.wait(1)
            began = time.monotonic()
        self.wait(0)
        way = "/v1 left, streaming" if stream else "/v1 left, nothing written"
        return way, time.monotonic() - began


def main() -> None:
    """Entry point of ``python -m bench.chat.freed``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chat", default="http://localhost:7861")
    parser.add_argument("--vllm", default="http://localhost:8000")
    parser.add_argument("--key", help="a key of the chat application, where people log in")
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    deployment = Deployment(asked.chat, asked.vllm, asked.key)
    ways: list[Callable[[], tuple[str, float]]] = [
        deployment.stop,
        lambda: deployment.leave(stream=True),
        lambda: deployment.leave(stream=False),
    ]
    found: dict[str, list[float]] = defaultdict(list)
    for place in range(_FIRST + asked.rounds):
        for measure in ways:
            deployment.wait(0)
            way, seconds = measure()
            if place >= _FIRST:
                found[way].append(seconds)
    print(f"{'seconds until vLLM is free':<28}{'median':>8}{'p95':>8}{'worst':>8}")
    for way, times in sorted(found.items()):
        times.sort()
        late = times[max(0, int(len(times) * 0.95) - 1)]
        print(f"{way:<28}{statistics.median(times):>8.2f}{late:>8.2f}{times[-1]:>8.2f}")


if __name__ == "__main__":
    main()
