"""The OpenAI-compatible API, under ``/v1``: what is asked is handed to vLLM, and back.

It does not go through LangChain: a program that speaks OpenAI's API wants the model server's own
answer, chunk by chunk. Nothing of it is kept.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import Future
from itertools import chain
from typing import Any

import httpx2
from flask import Blueprint, Response, jsonify, request

from chatbot.failures import Failure
from chatbot.health import probe_model
from chatbot.model import errors as model_errors
from chatbot.runs import event_stream
from chatbot.runs.channel import Channel
from chatbot.runs.client_connection import ClientConnection
from chatbot.services import Services, services

blueprint = Blueprint("openai", __name__, url_prefix="/v1")

# vLLM computes all n answers at once: a huge n has taken servers down (CVE-2026-34756).
MAX_CHOICES = 4

# What is passed on. Anything else is dropped, as OpenAI's own servers drop what they don't know:
# vLLM has parameters (chat_template among them) that a client has no business to set.
PASSED_ON = frozenset(
    {
        "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens",
        "temperature", "top_p", "top_k", "min_p", "seed", "stop", "n", "user",
        "presence_penalty", "frequency_penalty", "repetition_penalty", "logit_bias",
        "logprobs", "top_logprobs", "response_format", "reasoning_effort",
        "tools", "tool_choice", "parallel_tool_calls",
    }
)  # fmt: skip


@blueprint.get("/models")
def models() -> Response:
    """List the served model, as vLLM does."""
    return jsonify({"object": "list", "data": [probe_model().listed]})


@blueprint.post("/chat/completions")
def chat_completions() -> Response:
    """Complete a chat, streaming or not."""
    parts = services()
    asked = request.get_json(silent=True)
    body = checked(asked, parts.files.model)
    connection = ClientConnection(request.environ)
    parts.admission.enter()
    channel: Channel[bytes] = Channel()
    opened: Future[httpx2.Response] = Future()
    work = parts.loop.submit(_relay(parts, body, opened, channel))
    # The place is given back when the request to vLLM has ended, not when the client has left.
    work.add_done_callback(lambda _: channel.close())
    work.add_done_callback(lambda _: parts.admission.leave())

    def leave() -> None:
        channel.abandon()
        work.cancel()

    try:
        _wait(opened, work, connection)
        if body.get("stream"):
            first = b"".join(channel.take(0) or [])
            following = event_stream.follow(channel, connection, b"".join)
            return event_stream.respond(chain([first], following), leave)
        content = b"".join(_all(channel, connection))
        _raise_if_failed(work)
    except BaseException:
        leave()
        raise
    return Response(content, mimetype="application/json")


def checked(asked: object, served: str) -> dict[str, Any]:
    """Return the request as it is handed on.

    Raises:
        Failure: it is no chat request (400), or names another model than ``served`` (404).
    """
    if not isinstance(asked, dict):
        raise Failure("invalid_body", "The body must be a JSON object.", status=400)
    messages = asked.get("messages")
    if not isinstance(messages, list) or not messages:
        raise Failure(
            "invalid_body",
            "`messages` must be a list with at least one message.",
            status=400,
            param="messages",
        )
    wanted = asked.get("model")
    if wanted not in (None, "", served):
        raise Failure(
            "model_not_found",
            f"The model {wanted!r} is not served here; this deployment serves {served!r}.",
            f"Ask for {served!r}, or leave `model` out.",
            status=404,
            param="model",
        )
    body = {key: value for key, value in asked.items() if key in PASSED_ON and value is not None}
    choices = body.get("n", 1)
    if not isinstance(choices, int) or isinstance(choices, bool) or choices < 1:
        raise Failure("invalid_body", "`n` must be a positive integer.", status=400, param="n")
    if "n" in body:
        body["n"] = min(choices, MAX_CHOICES)
    body["model"] = served
    return body


async def _relay(
    parts: Services, body: dict[str, Any], opened: Future[httpx2.Response], channel: Channel[bytes]
) -> None:
    """Hand a request to vLLM and its answer, byte by byte, to the channel.

    ``opened`` gets the response as soon as its status is known to be 200, or the Failure.
    """
    url = f"{parts.server.base_url}/chat/completions"
    streaming = bool(body.get("stream"))
    limits = parts.settings
    # An answer that is not streamed comes at once, so it has the first token's patience.
    patience = limits.first_token_timeout
    tail = b""
    try:
        async with asyncio.timeout(patience) as deadline:
            upstream = parts.client.stream("POST", url, json=body)
            async with upstream as response:
                await _refuse_error(response, parts, str(body["model"]))
                opened.set_result(response)
                loop = asyncio.get_running_loop()
                async for piece in response.aiter_bytes():
                    if streaming:
                        patience = limits.token_timeout
                        deadline.reschedule(loop.time() + patience)
                    tail = (tail + piece)[-64:]
                    await channel.put(piece)
        if streaming and b"[DONE]" not in tail:
            await channel.put(_in_band(model_errors.cut()))
    except Exception as error:
        failure = _failure(error, parts, patience, first=not tail, model=str(body["model"]))
        if opened.done():
            if not streaming:
                raise failure from error
            await channel.put(_in_band(failure))
        else:
            opened.set_exception(failure)


def _in_band(failure: Failure) -> bytes:
    """Encode an error that comes after the status 200: the OpenAI SDKs raise it."""
    return f"data: {json.dumps(failure.body)}\n\n".encode()


def _failure(
    error: Exception, parts: Services, seconds: float, *, first: bool, model: str
) -> Failure:
    if isinstance(error, TimeoutError):
        return model_errors.stalled(seconds, first=first)
    if isinstance(error, httpx2.TransportError):
        return model_errors.unreachable(parts.server.base_url, model_errors.reason(error))
    return model_errors.from_exception(error, base_url=parts.server.base_url, model=model)


async def _refuse_error(response: httpx2.Response, parts: Services, model: str) -> None:
    if response.status_code == 200:
        return
    text = (await response.aread()).decode(errors="replace")
    try:
        message = model_errors.message_of(json.loads(text), text[:500])
    except ValueError:
        message = text[:500]
    if response.status_code == 404:
        raise await parts.server.mismatch(model) or model_errors.not_served(model, [message])
    raise model_errors.from_status(
        response.status_code, message, base_url=parts.server.base_url, model=model
    )


def _wait(
    opened: Future[httpx2.Response], work: Future[None], connection: ClientConnection
) -> None:
    """Wait for vLLM's status line, but not for a client that has left."""
    while True:
        try:
            opened.result(0.1)
        except TimeoutError:
            if connection.gone():
                raise _left() from None
            if work.done():
                raise Failure(
                    "shutting_down",
                    "The chat application is shutting down.",
                    "Try again in a minute.",
                    status=503,
                    retry_after=10,
                ) from None
        else:
            return


def _all(channel: Channel[bytes], connection: ClientConnection) -> Iterator[bytes]:
    while (pieces := channel.take(0.1)) is not None:
        if connection.gone():
            raise _left()
        yield from pieces


def _left() -> Failure:
    # Nobody reads this answer; the status is what nginx logs for it.
    return Failure("client_left", "The client has closed the connection.", status=499)


def _raise_if_failed(work: Future[None]) -> None:
    error = work.exception()
    if error is not None:
        raise error
