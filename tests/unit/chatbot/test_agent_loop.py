from __future__ import annotations

from typing import Any

import pytest

from chatbot.agent import loop
from chatbot.agent.tools import calculator
from tests.chat_application import Chat, until
from tests.scripted_vllm import Script, ScriptedVllm


def _names(events: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [name for name, _ in events]


def _ask(chat: Chat, content: str = "What is it?") -> tuple[str, list[tuple[str, dict[str, Any]]]]:
    conversation = chat.new()
    return conversation, list(chat.events(chat.post(conversation, content=content)))


def _calls(chat: Chat, conversation: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = chat.messages(conversation)[-1]["tool_calls"]
    return found


def test_a_tool_is_called_and_its_result_reaches_the_model(chat: Chat, vllm: ScriptedVllm) -> None:
    # The arguments come in pieces that no JSON parser takes alone.
    vllm.script = Script(rounds=[[("calculator", '{"expression": "6 * 7"}')]])
    conversation, events = _ask(chat)
    started, ended = (data for name, data in events if name == "tool")
    assert started["status"] == "running"
    assert started["arguments"] == {"expression": "6 * 7"}
    assert (ended["status"], ended["result"]) == ("complete", "42")
    assert events[-1][1]["content"] == "Hello from the script."
    assert events[-1][1]["status"] == "complete"
    first, second = vllm.requests
    assert {tool["function"]["name"] for tool in first["tools"]} == {"time", "calculator"}
    assert [turn["role"] for turn in second["messages"]] == ["system", "user", "assistant", "tool"]
    assert second["messages"][-1]["content"] == "42"
    [call] = _calls(chat, conversation)
    assert (call["name"], call["result"], call["status"]) == ("calculator", "42", "complete")


def test_parallel_calls_each_get_their_result(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.script = Script(
        rounds=[
            [("calculator", '{"expression": "1+1"}'), ("calculator", '{"expression": "2+2"}')],
            [("time", "{}")],
        ]
    )
    conversation, events = _ask(chat)
    assert events[-1][1]["status"] == "complete"
    assert [call["result"] for call in _calls(chat, conversation)][:2] == ["2", "4"]
    results = [turn for turn in vllm.requests[1]["messages"] if turn["role"] == "tool"]
    assert [turn["content"] for turn in results] == ["2", "4"]
    called = vllm.requests[1]["messages"][2]["tool_calls"]
    assert [turn["tool_call_id"] for turn in results] == [call["id"] for call in called]
    assert events[-1][1]["usage"]["completion_tokens"] == 15


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (("calculator", '{"expression": "1 / 0"}'), "division by zero"),
        (("calculator", '{"expression": "9 ** 99999"}'), "digits"),
        (("calculator", '{"wrong": 1}'), "expression"),
        (("calculator", '{"expression": '), "no JSON object"),
        (("calculator", "[1]"), "no JSON object"),
        (("wheather", "{}"), "There is no tool 'wheather'. There are: time, calculator."),
        (("time", '{"timezone": "Europe/Atlantis"}'), "no time zone"),
    ],
)
def test_a_tools_failure_reaches_the_model_as_text(
    chat: Chat, vllm: ScriptedVllm, call: tuple[str, str], said: str
) -> None:
    vllm.script = Script(rounds=[[call]])
    conversation, events = _ask(chat)
    assert events[-1][1]["status"] == "complete"
    assert said in vllm.requests[1]["messages"][-1]["content"]
    [kept] = _calls(chat, conversation)
    assert kept["status"] == "error"
    assert said in kept["result"]


def test_a_tool_that_breaks_does_not_break_the_answer(
    chat: Chat, vllm: ScriptedVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(expression: str) -> str:
        raise RuntimeError("out of order")

    monkeypatch.setattr(calculator, "calculate", broken)
    vllm.script = Script(rounds=[[("calculator", '{"expression": "1"}')]])
    _, events = _ask(chat)
    assert events[-1][1]["status"] == "complete"
    assert "out of order" in vllm.requests[1]["messages"][-1]["content"]


def test_a_loop_of_tools_ends_with_a_notice_and_a_text(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.script = Script(rounds=[[("time", "{}")]] * 50)
    _, events = _ask(chat)
    assert len(vllm.requests) == loop.MAX_MODEL_CALLS
    assert "tools" not in vllm.requests[-1]
    assert "cannot call tools any more" in vllm.requests[-1]["messages"][0]["content"]
    [notice] = [data for name, data in events if name == "notice"]
    assert notice["code"] == "tool_limit"
    assert events[-1][1]["status"] == "complete"
    assert events[-1][1]["content"] == "Hello from the script."


def test_a_model_that_says_nothing_at_the_limit_has_it_said(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.script = Script(tokens=[], rounds=[[("time", "{}")]] * 50)
    _, events = _ask(chat)
    assert "did not come to an answer" in events[-1][1]["content"]


def test_too_many_calls_at_once_are_not_all_made(chat: Chat, vllm: ScriptedVllm) -> None:
    most = loop.MAX_TOOL_CALLS
    vllm.script = Script(rounds=[[("time", "{}")] * (most + 4)])
    conversation, events = _ask(chat)
    made = [call["status"] for call in _calls(chat, conversation)]
    assert (made.count("complete"), made.count("error")) == (most, 4)
    assert len(vllm.requests) == 2
    assert events[-1][1]["status"] == "complete"


def test_a_stream_that_breaks_in_a_call_makes_none(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.script = Script(rounds=[[("time", "{}")]], cut="end")
    conversation, events = _ask(chat)
    assert len(vllm.requests) == 1
    assert "tool" not in _names(events)
    assert events[-1][1]["status"] == "interrupted"
    vllm.script = Script()
    assert chat.ask(conversation, "Again?")["status"] == "complete"


def test_a_request_after_a_tool_is_tried_again_before_its_first_token(
    chat: Chat, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(rounds=[[("time", "{}")]], error=(503, "overloaded"), error_times=1)
    _, events = _ask(chat)
    assert events[-1][1]["status"] == "complete"
    assert len(vllm.requests) == 3


def test_a_stop_during_a_tool_ends_it_and_the_next_turn_works(
    chat: Chat, vllm: ScriptedVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[bool] = []

    async def waits(self: object, *_: object) -> None:
        import asyncio

        try:
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    monkeypatch.setattr(loop._Steps, "_result", waits)
    vllm.script = Script(rounds=[[("time", "{}")]])
    conversation = chat.new()
    events = chat.events(chat.post(conversation, content="What time is it?"))
    start = next(events)[1]
    assert next(events)[0] == "tool"
    chat.client.post(f"/api/messages/{start['answer']['id']}/stop", json={})
    rest = list(events)
    assert rest[-1][1]["status"] == "stopped"
    until(lambda: ended)
    [call] = _calls(chat, conversation)
    assert call["status"] == "stopped"
    monkeypatch.undo()
    assert chat.ask(conversation, "And now?")["status"] == "complete"


def test_tool_calls_of_earlier_answers_are_told_to_the_model(
    chat: Chat, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(rounds=[[("calculator", '{"expression": "6*7"}')]])
    conversation, _ = _ask(chat)
    chat.ask(conversation, "Sure?")
    said = vllm.requests[-1]["messages"]
    assert [turn["role"] for turn in said] == [
        "system", "user", "assistant", "tool", "assistant", "user",
    ]  # fmt: skip
    assert said[2]["tool_calls"][0]["function"]["name"] == "calculator"
    assert said[3]["content"] == "42"
    assert said[4]["content"] == "Hello from the script."


def test_a_long_result_is_cut_with_a_mark_before_the_model_is_full(
    chat: Chat, vllm: ScriptedVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chatbot.agent.tools.clock.tell", lambda timezone="UTC": "tick " * 3_000)
    vllm.max_model_len = 1_000
    vllm.script = Script(rounds=[[("time", "{}")]])
    _, events = _ask(chat)
    assert events[-1][1]["status"] == "complete"
    result = vllm.requests[1]["messages"][-1]["content"]
    assert len(result) < 4_000
    assert "cut here" in result


def test_a_server_without_tool_calls_is_said_so(chat: Chat, vllm: ScriptedVllm) -> None:
    message = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser'
    vllm.script = Script(tool_error=(400, message))
    _, events = _ask(chat)
    assert events[-1][1]["error"]["code"] == "model_calls_no_tools"
