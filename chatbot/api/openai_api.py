"""The OpenAI-compatible API, under ``/v1``: what is asked is handed to vLLM, and back.

It does not go through LangChain: a program that speaks OpenAI's API wants the model server's own
answer, chunk by chunk. Nothing of it is kept but how much it was.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import Future
from itertools import chain
from typing import Any
from uuid import UUID

import httpx2
from flask import Blueprint, Response, jsonify, request

from chatbot import failures
from chatbot.access.principal import current
from chatbot.api import json_body
from chatbot.api.openai_request import LENGTHS, checked
from chatbot.api.openai_tally import Tally
from chatbot.data.tables import Status
from chatbot.failures import Failure
from chatbot.health import probe_model
from chatbot.model import errors as model_errors
from chatbot.runs import event_stream
from chatbot.runs.channel import Channel
from chatbot.runs.client_connection import ClientConnection
from chatbot.services import Services, services

blueprint = Blueprint("openai", __name__, url_prefix="/v1")


@blueprint.get("/models")
def models() -> Response:
    """List the served model, as vLLM does."""
    return jsonify({"object": "list", "data": [probe_model().listed]})


@blueprint.post("/chat/completions")
def chat_completions() -> Response:
    """Complete a chat, streaming or not."""
    parts = services()
    body = checked(json_body.parsed(), parts.files.model)
    connection = ClientConnection(request.environ)
    parts.admission.enter()
    channel: Channel[bytes] = Channel()
    opened: Future[httpx2.Response] = Future()
    user_id = current().user_id
    work = parts.loop.submit(_relay(parts, user_id, body, opened, channel))
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


async def _relay(
    parts: Services,
    user_id: UUID,
    body: dict[str, Any],
    opened: Future[httpx2.Response],
    channel: Channel[bytes],
) -> None:
    """Hand a request to vLLM and its answer, byte by byte, to the channel.

    ``opened`` gets the response as soon as its status is known to be 200, or the Failure.
    """
    url = f"{parts.server.base_url}/chat/completions"
    streaming = bool(body.get("stream"))
    limits = parts.settings
    # An answer that is not streamed comes at once, so it has the first token's patience.
    patience = limits.first_token_timeout
    tally = Tally(streaming=streaming)

    def ended(status: Status) -> None:
        parts.completions.add(user_id, tally.ended(status))

    try:
        await _fit(parts, body)
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
                    tally.add(piece)
                    await channel.put(piece)
        if tally.whole:
            ended(Status.COMPLETE)
        else:
            ended(Status.INTERRUPTED)
            await channel.put(_in_band(model_errors.cut()))
    except asyncio.CancelledError:
        ended(Status.INTERRUPTED)
        raise
    except Exception as error:
        ended(Status.ERROR)
        failure = _failure(error, parts, patience, first=not tally.begun, model=str(body["model"]))
        if opened.done():
            if not streaming:
                raise failure from error
            await channel.put(_in_band(failure))
        else:
            opened.set_exception(failure)


async def _fit(parts: Services, body: dict[str, Any]) -> None:
    """Ask for as many tokens as fit, where more are asked for than the model's context has."""
    if any(key in body for key in LENGTHS):
        limit = await parts.server.context_length(str(body["model"]))
        for key in LENGTHS:
            if limit is not None and body.get(key, 0) >= limit:
                del body[key]


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
                raise failures.client_left() from None
            # Asked in this order: it may have been opened, and the work done, since the time-out.
            if work.done() and not opened.done():
                raise failures.shutting_down() from None
        else:
            return


def _all(channel: Channel[bytes], connection: ClientConnection) -> Iterator[bytes]:
    while (pieces := channel.take(0.1)) is not None:
        if connection.gone():
            raise failures.client_left()
        yield from pieces


def _raise_if_failed(work: Future[None]) -> None:
    error = work.exception()
    if error is not None:
        raise error
