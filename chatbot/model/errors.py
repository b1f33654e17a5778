"""What the model server's errors mean, as failures with a next step.

Its texts are vLLM's (0.32: vllm/entrypoints/openai), whose error object is OpenAI's.
"""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit

import httpx2

from chatbot.failures import Failure

_CONTEXT_WORDS = re.compile(r"context length|context window|maximum model length|too long", re.I)
_IMAGE_WORDS = re.compile(r"not a multimodal model|At most 0 image|image input|image_url", re.I)
_TOOL_WORDS = re.compile(r"enable-auto-tool-choice|tool-call-parser|tool choice", re.I)
_ALIASES = re.compile(r"Valid aliases: (.+?)\.?$")

# The code of the failure that says that a model sees no images.
NO_IMAGES = "model_sees_no_images"
# The codes of the failures that say that nobody answers at the model server's address.
AWAY = frozenset({"model_unreachable", "model_not_running"})
_NAME_UNKNOWN = "its name is not known"


def unreachable(base_url: str, reason: str) -> Failure:
    """Say that nothing answers at the model server's address."""
    # Docker knows the names of the containers that run, and those have no dot.
    if reason == _NAME_UNKNOWN and "." not in (urlsplit(base_url).hostname or ""):
        return Failure(
            "model_not_running",
            f"The model server at {base_url} does not answer ({reason}).",
            "Its container does not run, or is not on this one's network: look at it with "
            "docker ps --all, and start it. Its log says why it has ended.",
            status=503,
            retry_after=5,
        )
    return Failure(
        "model_unreachable",
        f"The model server at {base_url} does not answer ({reason}).",
        "It may still be starting: wait a minute and try again. If it stays away, look at it with "
        "docker ps and docker logs of the vllm-server container.",
        status=503,
        retry_after=5,
    )


def not_served(wanted: str, served: list[str]) -> Failure:
    """Say that the model server serves something else than the deployment wants."""
    have = ", ".join(served) or "no model"
    return Failure(
        "model_not_found",
        f"The deployment asks for the model {wanted}, but the model server serves {have}.",
        "Set archi:pipeline_map and services.vllm.model to the same model and run `pulumi up`.",
        status=503,
    )


def stalled(seconds: float, *, first: bool) -> Failure:
    """Say that the model server took the request, then was silent for too long."""
    what = "did not begin to answer" if first else "stopped in the middle of the answer"
    return Failure(
        "model_stalled",
        f"The model {what}: nothing came for {seconds:g} seconds.",
        "Try again. If it happens often, the model server is overloaded or hangs: look at the "
        "logs of the vllm-server container.",
        status=504,
    )


def hangs(seconds: float) -> Failure:
    """Say that the model server answers, but its engine generates nothing."""
    return Failure(
        "model_hangs",
        "The model server answers, but generates nothing: asked for a single token, it gave none "
        f"within {seconds:g} seconds.",
        "Start the vllm-server container again (docker restart); its log may say what it hangs on.",
        status=503,
        retry_after=30,
    )


def engine_died() -> Failure:
    """Say that the engine behind the model server's API is dead."""
    return Failure(
        "model_engine_died",
        "The model server answers, but its engine has died.",
        "It ends and is started again by itself. If it stays so, look at the log of the "
        "vllm-server container.",
        status=503,
        retry_after=10,
    )


def cut() -> Failure:
    """Say that a stream ended before the answer did."""
    return Failure(
        "answer_cut",
        "The model server ended the stream before the answer was finished.",
        "Ask again; if it happens often, look at the logs of the vllm-server container.",
        status=502,
    )


def from_status(status: int, message: str, *, base_url: str, model: str) -> Failure:
    """Say what an HTTP error status of the model server means.

    Args:
        status: vLLM's HTTP status.
        message: the message of its error object; shown to the reader.
        base_url: the server's address.
        model: the model that was asked for.
    """
    if status in (401, 403):
        return Failure(
            "model_key_refused",
            f"The model server at {base_url} refused the API key.",
            "Give the deployment the key that the server was started with "
            "(archi:vllm_api_key) and run `pulumi up`.",
            status=502,
        )
    if status == 404:
        said = _ALIASES.search(message)
        return not_served(model, [said.group(1) if said else f"something else ({message})"])
    if status == 400 and _CONTEXT_WORDS.search(message):
        return Failure(
            "context_overflow",
            f"The conversation is too long for the model: {message}",
            "Start a new conversation or ask a shorter question.",
            status=400,
        )
    if status == 400 and _IMAGE_WORDS.search(message):
        return Failure(
            NO_IMAGES,
            f"The model {model} does not see images: {message}",
            "Ask without the image, or deploy a model that sees images.",
            status=400,
        )
    if status == 400 and _TOOL_WORDS.search(message):
        return Failure(
            "model_calls_no_tools",
            f"The model server at {base_url} does not let {model} call tools: {message}",
            "Start vLLM with --enable-auto-tool-choice and --tool-call-parser (the deployment does "
            "where it runs vllm-server), or choose an agent without tools.",
            status=400,
        )
    if status in (429, 503):
        return Failure(
            "model_overloaded",
            f"The model server is overloaded: {message}",
            "Try again in a few seconds.",
            status=503,
            retry_after=5,
        )
    if status < 500:
        return Failure(
            "model_refused",
            f"The model server refused the request: {message}",
            "Change the request as the message says.",
            status=400,
        )
    return Failure(
        "model_error",
        f"The model server failed (HTTP {status}): {message}",
        "Try again. If it fails again, look at the logs of the vllm-server container.",
        status=502,
    )


def from_exception(error: Exception, *, base_url: str, model: str) -> Failure:
    """Say what an exception of the OpenAI client (openai 3, under ChatOpenAI) means."""
    # Here, because importing it takes a second that the application's start can do without.
    import openai

    if isinstance(error, Failure):
        return error
    if isinstance(error, openai.APIStatusError):
        return from_status(
            error.status_code, message_of(error.body, error.message), base_url=base_url, model=model
        )
    if isinstance(error, openai.APIConnectionError):
        return unreachable(base_url, reason(error))
    if isinstance(error, openai.APIError):
        # An error inside a stream that had begun with 200.
        return from_status(
            500, message_of(error.body, error.message), base_url=base_url, model=model
        )
    return unreadable(error)


def unreadable(error: Exception) -> Failure:
    """Say that an answer could not be read."""
    return Failure(
        "model_error",
        f"The answer of the model server could not be read ({type(error).__name__}: {error}).",
        "Try again. If it fails again, look at the logs of the chat application.",
        status=502,
    )


def reason(error: BaseException) -> str:
    """Put a transport error, or the one under an error of the OpenAI client, in a few words."""
    under: BaseException | None = error
    while under is not None and not isinstance(under, httpx2.TransportError):
        under = under.__cause__
    if isinstance(under, httpx2.TimeoutException):
        return "no answer in time"
    if isinstance(under, httpx2.ConnectError):
        # httpcore does not raise its error from the resolver's, only after it.
        below = under.__cause__ and under.__cause__.__context__
        return _NAME_UNKNOWN if isinstance(below, socket.gaierror) else "no connection"
    return "the connection broke"


def message_of(body: object, default: str) -> str:
    """Return the message inside an OpenAI or FastAPI error body."""
    if isinstance(body, dict):
        inner = body.get("error", body)
        if isinstance(inner, str):
            return inner
        if isinstance(inner, dict):
            for key in ("message", "detail"):
                if isinstance(inner.get(key), str):
                    return str(inner[key])
    return default
