"""OpenAI's protocol, as the checks speak it: what is asked, and what makes an answer whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from archi.smoke.transport import Reply, Why

ANSWER_TOKENS = 16
TOOL_TOKENS = 256
"""Room for a call of a few words, and for a model that reasons about it first."""

_SHOWN = 60  # characters of an answer in a row of the report
_QUOTED = 300  # characters of a server's own words
_TOOL = "get_weather"
_ARGUMENT = "city"


@dataclass(frozen=True)
class Outcome:
    """A check that did not fail.

    Attributes:
        detail: what was found, for a row of the report.
        note: whether there is something to know.
        answer: what the model said.

    """

    detail: str
    note: bool = False
    answer: str = ""


class Broken(Exception):
    """The answer is not what the protocol wants; the text says what is wrong with it.

    Attributes:
        models: whether it came whole, so that the fault is the model server's, whoever handed the
            answer on.
        late: whether it was not at its end in time.

    """

    def __init__(self, detail: str, *, models: bool = False, late: bool = False) -> None:
        super().__init__(detail)
        self.models = models
        self.late = late


class StreamError(Broken):
    """The server said an error within a stream that had begun well."""

    def __init__(self, error: dict[str, Any], chunks: int) -> None:
        super().__init__(f"the stream broke {_after(chunks)}: {error['message']}")
        self.error = error


def completion_body(model: str, *, stream: bool = False) -> dict[str, Any]:
    """A short question, the same answer each time."""
    body: dict[str, Any] = {
        "model": model,
        "messages": [{"role": "user", "content": "Say hello."}],
        "max_tokens": ANSWER_TOKENS,
        "temperature": 0,
    }
    return {**body, "stream": True} if stream else body


def tool_body(model: str) -> dict[str, Any]:
    """A question with one tool, which the model is told to call by name."""
    return {
        "model": model,
        "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
        "max_tokens": TOOL_TOKENS,
        "temperature": 0,
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": _TOOL,
                    "description": "The weather in a city.",
                    "parameters": {
                        "type": "object",
                        "properties": {_ARGUMENT: {"type": "string"}},
                        "required": [_ARGUMENT],
                        "additionalProperties": False,
                    },
                },
            }
        ],
        "tool_choice": {"type": "function", "function": {"name": _TOOL}},
    }


def error_of(reply: Reply) -> dict[str, Any]:
    """The error object of an answer: ``message``, and what else there is of ``code`` and others.

    OpenAI's shape, FastAPI's, a bare string, or whatever text it is.
    """
    try:
        body = json.loads(reply.text)
    except ValueError:
        return {"message": shorten(reply.text, _QUOTED) or "nothing"}
    found = _error(body) or {}
    return {**found, "message": found.get("message") or shorten(reply.text, _QUOTED)}


def _error(body: object) -> dict[str, Any] | None:
    if not isinstance(body, dict):
        return None
    inner = body.get("error", body.get("detail"))
    if isinstance(inner, dict):
        message = shorten(str(inner.get("message") or json.dumps(inner)), _QUOTED)
        return {**inner, "message": message}
    return {"message": shorten(str(inner), _QUOTED)} if inner is not None else None


def models(reply: Reply) -> list[str]:
    """The ids that ``/models`` lists.

    Raises:
        Broken: it is no such list.

    """
    try:
        return [str(model["id"]) for model in _json(reply)["data"]]
    except (KeyError, TypeError):
        raise Broken(f"it lists no models: {shorten(reply.text, _QUOTED)}") from None


def completion(reply: Reply) -> Outcome:
    """A completion with something in it.

    Raises:
        Broken: it is none, or it is empty.

    """
    text = _text(_message(reply))
    if not text:
        raise Broken(f"it gave an empty answer: {shorten(reply.text, _QUOTED)}", models=True)
    return Outcome(f"“{shorten(text, _SHOWN)}”", answer=text)


def tool_call(reply: Reply) -> Outcome:
    """The call that was asked for; a note where the model does something else.

    Which words a model finds is its own affair: what fails here is only what is no completion.

    Raises:
        Broken: it is no completion.

    """
    message = _message(reply)
    calls = message.get("tool_calls") or []
    if not calls:
        text = shorten(_text(message), _SHOWN)
        said = f"“{text}”" if text else "nothing"
        return Outcome(f"the model called no tool; it said {said}", note=True)
    try:
        function = calls[0]["function"]
        name, written = str(function["name"]), str(function["arguments"])
    except (KeyError, IndexError, TypeError):
        malformed = shorten(json.dumps(calls), _QUOTED)
        raise Broken(f"its tool call is malformed: {malformed}", models=True) from None
    shown = f"{name}({shorten(written, _SHOWN)})"
    try:
        arguments = json.loads(written)
    except ValueError:
        return Outcome(f"the model called {shown}: no JSON", note=True)
    if name != _TOOL:
        return Outcome(f"the model called {shown}, not {_TOOL}", note=True)
    if not isinstance(arguments, dict) or _ARGUMENT not in arguments:
        return Outcome(f"the model called {shown}, without its {_ARGUMENT}", note=True)
    if not isinstance(arguments[_ARGUMENT], str):
        return Outcome(f"the model called {shown}; its {_ARGUMENT} is no text", note=True)
    return Outcome(shown)


def stream(reply: Reply) -> Outcome:
    """A streamed completion that came to its end.

    Raises:
        StreamError: the server said an error within it.
        Broken: it is no stream, it was cut, or it is empty.

    """
    if "text/event-stream" not in reply.content_type:
        raise Broken(f"it answered a {reply.content_type or 'body of no type'}, not a stream")
    chunks, text, finish, done = 0, "", None, False
    for data in events(reply.text):
        if data == "[DONE]":
            done = True
            break
        try:
            chunk = json.loads(data)
        except ValueError:
            if reply.cut:
                break
            raise Broken(f"chunk {chunks + 1} is no JSON: {shorten(data, _QUOTED)}") from None
        if isinstance(chunk, dict) and (error := _error(chunk)):
            raise StreamError(error, chunks)
        chunks += 1
        for choice in _choices(chunk):
            text += _text(choice.get("delta"), strip=False)
            finish = choice.get("finish_reason") or finish
    if reply.cut is Why.TIMEOUT:
        raise Broken(f"the stream was not at its end in time, {_after(chunks)}", late=True)
    if reply.cut:
        raise Broken(f"the connection broke {_after(chunks)}")
    if not finish:
        raise Broken(f"the stream ended {_after(chunks)}, without a finish_reason", models=done)
    if not done:
        raise Broken(f"the stream ended {_after(chunks)}, without [DONE]")
    if not text.strip():
        raise Broken(
            f"the stream was empty ({_count(chunks)}, finish_reason {finish})", models=True
        )
    return Outcome(f"{_count(chunks)}, the first after {reply.first:.1f} s", answer=text.strip())


def events(text: str) -> Iterator[str]:
    """The data of server-sent events, comments left out; an unfinished last one too."""
    data: list[str] = []
    # Not splitlines: JSON may have Unicode's other line ends in it, and vLLM does not escape them.
    for line in re.split(r"\r\n|\n|\r", text):
        if line.startswith("data:"):
            data.append(line.removeprefix("data:").removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
    if data:
        yield "\n".join(data)


def shorten(text: str, length: int) -> str:
    """On one line, and no longer than that."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[:length].rstrip()}…"


def _json(reply: Reply) -> Any:  # noqa: ANN401 - JSON
    if reply.cut:
        late = reply.cut is Why.TIMEOUT
        how = "was not at its end in time" if late else "was cut"
        raise Broken(f"the answer {how}: {shorten(reply.text, _QUOTED)}", late=late)
    try:
        return json.loads(reply.text)
    except ValueError:
        said = shorten(reply.text, _QUOTED) or "nothing"
        raise Broken(f"its answer is no JSON: {said}") from None


def _message(reply: Reply) -> dict[str, Any]:
    content = _json(reply)
    try:
        message = content["choices"][0]["message"]
    except (KeyError, IndexError, TypeError):
        message = None
    if not isinstance(message, dict):
        raise Broken(f"it gave no completion: {shorten(reply.text, _QUOTED)}")
    return message


def _choices(chunk: object) -> Iterator[dict[str, Any]]:
    choices = chunk.get("choices") if isinstance(chunk, dict) else None
    listed = choices if isinstance(choices, list) else []
    return (choice for choice in listed if isinstance(choice, dict))


def _text(message: object, *, strip: bool = True) -> str:
    if not isinstance(message, dict):
        return ""
    # A model that reasons first may come to no answer in so few tokens.
    said = message.get("content") or message.get("reasoning") or message.get("reasoning_content")
    return str(said or "").strip() if strip else str(said or "")


def _count(chunks: int) -> str:
    return f"{chunks} chunk{'' if chunks == 1 else 's'}"


def _after(chunks: int) -> str:
    return f"after {_count(chunks)}"
