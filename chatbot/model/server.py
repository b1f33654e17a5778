"""Questions to the vLLM server itself: what it serves, how long a prompt is.

Facts: vLLM 0.32 lists ``max_model_len`` in ``/v1/models`` and counts a chat's tokens at
``/tokenize``, which lies at the server's root.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2

from chatbot import request_id
from chatbot.failures import Failure
from chatbot.model import errors as model_errors

# Seconds that a probe may take, and for which its answer is good.
PROBE_TIMEOUT = 5.0
_FRESH = 30.0
# Seconds for which a server that was silent is not asked again before a request: each wait for it
# takes a probe's whole time, where a refused connection takes none.
_SILENT = 5.0
# vLLM's own count of what its engine does, one of each for an engine.
_STEPS, _REQUESTS = (
    re.compile(rf"^vllm:{name}(?:{{.*}})? (\d[\d.e+]*)$", re.M)
    for name in ("iteration_tokens_total_count", "num_requests_(?:running|waiting)")
)


@dataclass(frozen=True)
class ServedModel:
    """A model that the server lists. ``max_model_len`` is in tokens, None where it is unsaid.

    ``others`` are the ids of what else it lists, such as LoRA adapters.
    """

    id: str
    max_model_len: int | None
    listed: dict[str, Any]
    others: tuple[str, ...]


@dataclass(frozen=True)
class Progress:
    """What vLLM's engine has done since its start, in steps that gave tokens, and has to do."""

    steps: int
    requests: int


class ModelServer:
    """A client of one server. Its methods belong to the background loop."""

    def __init__(self, base_url: str, client: httpx2.AsyncClient) -> None:
        self.base_url = base_url
        self._root = base_url.removesuffix("/v1")
        self._client = client
        self._known: dict[str, tuple[float, ServedModel]] = {}
        self._silent_at: float | None = None

    async def served(self, model: str) -> ServedModel:
        """Ask whether the server answers and serves ``model``.

        Raises:
            Failure: it does not answer, refuses the key, or serves something else.
        """
        url = f"{self.base_url}/models"
        try:
            response = await self._client.get(url, timeout=PROBE_TIMEOUT)
        except httpx2.TransportError as error:
            if isinstance(error, httpx2.TimeoutException):
                self._silent_at = time.monotonic()
            reason = model_errors.reason(error)
            raise model_errors.unreachable(self.base_url, reason) from error
        self._silent_at = None
        if response.status_code != 200:
            raise self._refusal(response, model)
        body = _json(response)
        listed = body.get("data") if isinstance(body, dict) else None
        models = [entry for entry in listed or [] if isinstance(entry, dict) and "id" in entry]
        for entry in models:
            if entry["id"] == model:
                length = entry.get("max_model_len")
                others = tuple(str(one["id"]) for one in models if one["id"] != model)
                length = length if isinstance(length, int) else None
                found = ServedModel(model, length, entry, others)
                self._known[model] = (time.monotonic(), found)
                return found
        self._known.pop(model, None)
        raise model_errors.not_served(model, [str(entry["id"]) for entry in models])

    async def ready(self, model: str) -> ServedModel:
        """Ask as ``served``, and whether the engine behind the server lives.

        Raises:
            Failure: as ``served``, or the engine has died.
        """
        found, _ = await asyncio.gather(self.served(model), self._check_engine())
        return found

    async def _check_engine(self) -> None:
        try:
            response = await self._client.get(f"{self._root}/health", timeout=PROBE_TIMEOUT)
        except httpx2.TransportError:
            return  # `served` tells of it
        if response.status_code == 503:
            raise model_errors.engine_died()

    def known(self, model: str) -> ServedModel | None:
        """Return what the server last said of a model that it served then."""
        known = self._known.get(model)
        return None if known is None else known[1]

    async def generate_token(self, model: str) -> None:
        """Have one token generated, and wait for it as long as it takes.

        A server that has no ``/v1/completions`` or refuses the request has answered as well.

        Raises:
            Failure: it does not answer, or fails.
        """
        body = {"model": model, "prompt": "Hello", "max_tokens": 1, "temperature": 0}
        try:
            response = await self._client.post(f"{self.base_url}/completions", json=body)
        except httpx2.TransportError as error:
            reason = model_errors.reason(error)
            raise model_errors.unreachable(self.base_url, reason) from error
        if response.status_code >= 500:
            raise self._refusal(response, model)

    async def progress(self) -> Progress | None:
        """Read vLLM's metrics; None where it has none, or does not give them in time."""
        try:
            response = await self._client.get(f"{self._root}/metrics", timeout=PROBE_TIMEOUT)
        except httpx2.TransportError:
            return None
        steps, requests = (
            [int(float(value)) for value in pattern.findall(response.text)]
            for pattern in (_STEPS, _REQUESTS)
        )
        if response.status_code != 200 or not steps:
            return None
        return Progress(sum(steps), sum(requests))

    def _refusal(self, response: httpx2.Response, model: str) -> Failure:
        message = model_errors.message_of(_json(response), response.text[:200])
        return model_errors.from_status(
            response.status_code, message, base_url=self.base_url, model=model
        )

    async def mismatch(self, model: str) -> Failure | None:
        """Say why ``model`` is not served, by the server's own list; None where it is."""
        try:
            await self.served(model)
        except Failure as failure:
            return failure
        return None

    async def context_length(self, model: str) -> int | None:
        """Return the model's ``max_model_len`` in tokens, asked at most every 30 seconds.

        Returns:
            What it last said where it is silent now, None where it never did: a busy server is no
            dead one, and the request itself has a longer time.

        Raises:
            Failure: as ``served``, but for a server that is silent.
        """
        asked_at, known = self._known.get(model, (0.0, None))
        stale = known is None or time.monotonic() - asked_at >= _FRESH
        if stale and not self._is_silent():
            try:
                return (await self.served(model)).max_model_len
            except Failure:
                if not self._is_silent():
                    raise
        return None if known is None else known.max_model_len

    def _is_silent(self) -> bool:
        return self._silent_at is not None and time.monotonic() - self._silent_at < _SILENT

    async def count_tokens(
        self,
        model: str,
        messages: list[dict[str, Any]],
        *,
        tools: Sequence[dict[str, Any]] = (),
        continued: bool = False,
    ) -> int | None:
        """Count a chat prompt's tokens, with the model's template around it.

        Args:
            model: the served model.
            messages: as OpenAI's API has them, their content text alone.
            tools: the descriptions of tools that go into the prompt.
            continued: the last message is an answer that is to be gone on with.

        Returns:
            None where the server has no ``/tokenize`` or cannot say.
        """
        body: dict[str, Any] = {
            "model": model,
            "messages": messages,
            "add_generation_prompt": not continued,
            "continue_final_message": continued,
        }
        if tools:
            body["tools"] = list(tools)
        try:
            response = await self._client.post(f"{self._root}/tokenize", json=body, timeout=5.0)
        except httpx2.TransportError:
            return None
        answer = _json(response) if response.status_code == 200 else None
        count = answer.get("count") if isinstance(answer, dict) else None
        return count if isinstance(count, int) else None


def http_client(base_url: str, api_key: str) -> httpx2.AsyncClient:
    """Open the one connection pool to the model server, for the loop that uses it first.

    There is no read timeout: who reads a stream knows how long a silence may last.
    """
    host = urlsplit(base_url).hostname or ""
    # Docker hands the host's proxy settings to every container, and no proxy can reach a name
    # that only the deployment's own network knows.
    direct = "." not in host or host.startswith("127.")
    return httpx2.AsyncClient(
        headers={"Authorization": f"Bearer {api_key}"},
        timeout=httpx2.Timeout(None, connect=10.0, pool=10.0),
        limits=httpx2.Limits(max_connections=None, max_keepalive_connections=32),
        trust_env=not direct,
        event_hooks={"request": [request_id.hand_on]},
    )


def _json(response: httpx2.Response) -> object:
    try:
        return response.json()
    except ValueError:
        return None


def overflow(tokens: int, limit: int) -> Failure:
    """Say that a single question is longer than the model can read."""
    return Failure(
        "context_overflow",
        f"The question is about {tokens} tokens long; the model reads at most {limit}, "
        "the answer included.",
        "Ask a shorter question, or deploy with a larger services.vllm.max_model_len.",
        status=400,
    )
