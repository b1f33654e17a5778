"""What makes an answer whole, byte by byte."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archi.smoke import protocol
from archi.smoke.protocol import Broken
from archi.smoke.transport import Reply, Why


def streamed(text: str, cut: Why | None = None, kind: str = "text/event-stream") -> Reply:
    return Reply(200, f"{kind}; charset=utf-8", text, 0.2, cut)


def chunk(text: str | None = None, finish: str | None = None) -> str:
    delta = {} if text is None else {"content": text}
    return f"data: {json.dumps({'choices': [{'delta': delta, 'finish_reason': finish}]})}\n\n"


KEYS = st.sampled_from(
    ["choices", "message", "content", "error", "delta", "id", "name", "arguments"]
)
WHOLE = chunk("Hello") + chunk(None, "stop") + "data: [DONE]\n\n"


def test_a_whole_stream_is_counted() -> None:
    found = protocol.stream(streamed(WHOLE))
    assert found.detail == "2 chunks, the first after 0.2 s"
    assert found.answer == "Hello"


def test_heartbeats_usage_and_carriage_returns_are_part_of_a_stream() -> None:
    usage = f"data: {json.dumps({'choices': [], 'usage': {'total_tokens': 3}})}\n\n"
    parts = ": waiting\n\n", chunk("Hello"), chunk(None, "length"), usage, "data:[DONE]\n\n"
    assert protocol.stream(streamed("".join(parts).replace("\n", "\r\n"))).answer == "Hello"


def test_line_ends_of_unicode_are_no_ends_of_a_line() -> None:
    odd = 'data: {"choices": [{"delta": {"content": "a\u2028b\u0085c"}, "finish_reason": "stop"}]}'
    assert protocol.stream(streamed(f"{odd}\n\ndata: [DONE]\n\n")).answer == "a\u2028b\u0085c"


def test_a_last_event_without_its_blank_line_counts() -> None:
    assert protocol.stream(streamed(WHOLE.rstrip("\n"))).answer == "Hello"


def test_a_stream_that_is_cut_anywhere_is_broken() -> None:
    for at in range(len(WHOLE) - len("data: [DONE]\n\n")):
        with pytest.raises(Broken, match="the connection broke after"):
            protocol.stream(streamed(WHOLE[:at], Why.BROKEN))


@pytest.mark.parametrize(
    ("text", "said", "models"),
    [
        (chunk("Hello") + chunk(None, "stop"), "without \\[DONE\\]", False),
        (chunk("Hello") + "data: [DONE]\n\n", "without a finish_reason", True),
        (chunk("Hello"), "without a finish_reason", False),
        ("", "after 0 chunks", False),
        (chunk(" ", "stop") + "data: [DONE]\n\n", "the stream was empty", True),
        ("data: {oops\n\n", "chunk 1 is no JSON: {oops", False),
        ('data: {"error": {"message": "out of memory", "code": 500}}\n\n', "out of memory", False),
        ('data: {"error": "gone"}\n\n', "the stream broke after 0 chunks: gone", False),
        ("data: 7\n\n" + WHOLE.replace("Hello", ""), "the stream was empty", True),
    ],
)
def test_a_stream_that_ended_wrongly_is_broken(text: str, said: str, models: bool) -> None:
    with pytest.raises(Broken, match=said) as broken:
        protocol.stream(streamed(text))
    assert broken.value.models is models


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(KEYS | st.text(), inner),
    max_leaves=8,
)


@given(ANYTHING, ANYTHING)
def test_whatever_comes_is_an_outcome_or_is_broken_in_words(one: Any, other: Any) -> None:
    bodies = [one, {"choices": one}, {"choices": [{"message": one, "delta": other}]}]
    bodies += [{"choices": [{"message": {"content": one, "tool_calls": other}}]}, {"data": [one]}]
    bodies += [{"choices": [{"message": {"tool_calls": [{"function": one}, other]}}]}]
    for body in bodies:
        text = json.dumps(body)
        for read in (protocol.models, protocol.completion, protocol.tool_call):
            with suppress(Broken):
                read(Reply(200, "application/json", text, 0, None))
        with suppress(Broken):
            protocol.stream(streamed(f"data: {text}\n\n{WHOLE}"))
        assert protocol.error_of(Reply(500, "", text, 0, None))["message"]


def test_an_answer_in_one_piece_is_no_stream() -> None:
    with pytest.raises(Broken, match="answered a application/json; charset=utf-8, not a stream"):
        protocol.stream(streamed("{}", kind="application/json"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('{"error": {"message": "no", "code": 400}}', "no"),
        ('{"error": "Unauthorized"}', "Unauthorized"),
        ('{"detail": "Not Found"}', "Not Found"),
        ('{"detail": [{"msg": "field required"}]}', "[{'msg': 'field required'}]"),
        ('{"error": {"kind": "odd"}}', '{"kind": "odd"}'),
        ('{"error": ""}', '{"error": ""}'),
        ("<html>\n  no </html>", "<html> no </html>"),
        ("", "nothing"),
        ("[1]", "[1]"),
        ("x" * 400, "x" * 300 + "…"),
    ],
)
def test_an_error_is_told_in_the_servers_words(body: str, message: str) -> None:
    assert protocol.error_of(Reply(400, "", body, 0, None))["message"] == message


def test_a_malformed_tool_call_is_a_failure() -> None:
    message = {"content": None, "tool_calls": [{"function": {"name": "get_weather"}}]}
    body = json.dumps({"choices": [{"message": message}]})
    with pytest.raises(Broken, match="its tool call is malformed"):
        protocol.tool_call(Reply(200, "application/json", body, 0, None))
