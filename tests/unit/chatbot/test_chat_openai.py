from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

import httpx2
import openai
import pytest
import requests
from langchain_openai import ChatOpenAI

from chatbot.api import openai_api
from chatbot.api.openai_request import MAX_CHOICES, MAX_MESSAGES
from chatbot.runs.client_connection import ClientConnection
from tests.chat_application import Chat, ChatApplication, posting
from tests.scripted_vllm import MODEL, Script, ScriptedVllm

ASKED = [{"role": "user", "content": "Hello?"}]


@pytest.fixture
def sdk(application: ChatApplication) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{application.url}/v1", api_key="unused", max_retries=0, timeout=60
    ) as client:
        yield client


def test_the_openai_sdk_gets_an_answer(sdk: openai.OpenAI, vllm: ScriptedVllm) -> None:
    answer = sdk.chat.completions.create(
        model=MODEL, messages=ASKED, temperature=0.2, max_tokens=20, stop=["\n"]
    )
    assert answer.choices[0].message.content == "Hello from the script."
    assert answer.model == MODEL
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 5
    sent = vllm.requests[-1]
    assert sent["messages"] == ASKED
    assert (sent["temperature"], sent["max_tokens"], sent["stop"]) == (0.2, 20, ["\n"])


def test_the_openai_sdk_streams(sdk: openai.OpenAI, vllm: ScriptedVllm) -> None:
    vllm.script = Script(hold=True)
    stream = sdk.chat.completions.create(
        model=MODEL, messages=ASKED, stream=True, stream_options={"include_usage": True}
    )
    text = ""
    for chunk in stream:
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
        if text == "Hello":
            vllm.release()
    assert text == "Hello from the script."
    assert chunk.usage is not None
    assert chunk.usage.completion_tokens == 5


def test_the_openai_sdk_lists_the_model(sdk: openai.OpenAI) -> None:
    assert [model.id for model in sdk.models.list()] == [MODEL]


def test_langchain_gets_an_answer(application: ChatApplication) -> None:
    model = ChatOpenAI(model=MODEL, base_url=f"{application.url}/v1", api_key="unused")
    assert model.invoke("Hello?").text == "Hello from the script."
    assert "".join(chunk.text for chunk in model.stream("Hello?")) == "Hello from the script."


def test_the_model_may_be_left_out_and_n_is_clamped(chat: Chat, vllm: ScriptedVllm) -> None:
    body = {"messages": ASKED, "n": 10_000, "chat_template": "{{ evil }}"}
    assert chat.client.post("/v1/chat/completions", json=body).status_code == 200
    sent = vllm.requests[-1]
    assert sent["model"] == MODEL
    assert sent["n"] == MAX_CHOICES
    assert "chat_template" not in sent


def test_another_model_is_404_naming_the_served_one(sdk: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=MODEL) as refusal:
        sdk.chat.completions.create(model="gpt-4o", messages=ASKED)
    assert refusal.value.code == "model_not_found"
    assert refusal.value.param == "model"


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"messages": []},
        {"messages": "Hello"},
        {"messages": ASKED * (MAX_MESSAGES + 1)},
        {"messages": ASKED, "n": 0},
        {"messages": ASKED, "n": 10**400},
        {"messages": ASKED, "max_tokens": "many"},
        {"messages": ASKED, "max_tokens": 0},
        {"messages": ASKED, "max_completion_tokens": True},
        {"messages": ASKED, "tools": {}},
        {"messages": ASKED, "tools": [{}] * 129},
        {"messages": ASKED, "stream": "yes"},
    ],
)
def test_bad_requests_get_openais_error_shape(chat: Chat, body: object) -> None:
    response = chat.client.post("/v1/chat/completions", json=body)
    assert response.status_code == 400
    error = response.json["error"]
    assert error["type"] == "invalid_request_error"
    assert error["message"]


@pytest.mark.parametrize("stream", [True, False])
def test_an_error_of_the_model_server_keeps_its_message(
    sdk: openai.OpenAI, vllm: ScriptedVllm, stream: bool
) -> None:
    vllm.script = Script(error=(400, "temperature must be non-negative"))
    with pytest.raises(openai.BadRequestError, match="temperature must be non-negative"):
        sdk.chat.completions.create(model=MODEL, messages=ASKED, stream=stream)


def test_a_cut_stream_is_an_error_and_not_a_short_answer(
    sdk: openai.OpenAI, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(cut="end")
    with pytest.raises(openai.APIError, match="before the answer was finished"):
        list(sdk.chat.completions.create(model=MODEL, messages=ASKED, stream=True))


@pytest.mark.parametrize(
    ("stream", "hang"),
    [(True, "last"), (True, "first"), (True, "headers"), (False, "headers")],
)
def test_a_client_that_leaves_frees_the_model(
    application: ChatApplication, vllm: ScriptedVllm, stream: bool, hang: str
) -> None:
    vllm.script = Script(hang=hang)
    url = f"{application.url}/v1/chat/completions"
    with posting(url, {"messages": ASKED, "stream": stream}) as client:
        assert vllm.wait(lambda server: server.running == 1)
        if hang == "last":
            with client.makefile("rb") as lines:
                while b"script" not in next(lines):
                    continue
    assert vllm.wait(lambda server: server.aborted == 1 and server.running == 0)


def test_the_model_server_being_away_is_503(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.stop()
    try:
        response = chat.client.post("/v1/chat/completions", json={"messages": ASKED})
        models = chat.client.get("/v1/models")
    finally:
        vllm.start_again()
    assert (response.status_code, models.status_code) == (503, 503)
    assert response.json["error"]["code"] == "model_unreachable"
    assert "Retry-After" in response.headers


def test_odd_bodies_are_refused_and_not_handed_on(chat: Chat, vllm: ScriptedVllm) -> None:
    for body in (
        b"",
        b"{",
        b"[" * 100_000,
        b'{"messages":' * 200 + b"1" + b"}" * 200,
        b'{"messages": [{"role": "user", "content": "\\ud800"}]}',
        b'{"messages": [{"role": "user", "content": "\xff"}]}',
    ):
        response = chat.client.post(
            "/v1/chat/completions", data=body, content_type="application/json"
        )
        assert response.status_code in (400, 422), body[:50]
        assert response.json["error"]["message"]
    assert vllm.requests == []


def test_more_tokens_than_the_context_has_are_as_many_as_fit(
    chat: Chat, vllm: ScriptedVllm
) -> None:
    for key in ("max_tokens", "max_completion_tokens"):
        for wanted, sent in ((2_000_000, None), (100, 100)):
            body = {"messages": ASKED, key: wanted}
            assert chat.client.post("/v1/chat/completions", json=body).status_code == 200
            assert vllm.requests[-1].get(key) == sent


def test_what_open_webui_sends_is_answered(
    application: ChatApplication, vllm: ScriptedVllm
) -> None:
    headers = {"Authorization": "Bearer sk-x", "X-OpenWebUI-User-Name": "somebody"}
    listed = requests.get(f"{application.url}/v1/models", headers=headers, timeout=60)
    assert [model["id"] for model in listed.json()["data"]] == [MODEL]
    body = {
        "model": MODEL,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello?"}]}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 8192,
        "session_id": "abc",
        "chat_id": "def",
        "background_tasks": {"title_generation": True},
        "metadata": {"variables": {}},
    }
    answer = requests.post(
        f"{application.url}/v1/chat/completions", json=body, headers=headers, timeout=60
    )
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    events = [line for line in answer.text.split("\n") if line]
    assert all(line.startswith("data: ") for line in events)
    assert events[-1] == "data: [DONE]"
    assert '"usage"' in events[-2]
    assert set(vllm.requests[-1]) == {"model", "messages", "stream", "stream_options"}


def test_tools_are_handed_on_and_their_calls_come_back(
    sdk: openai.OpenAI, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(tool_calls=[("clock", '{"zone": "UTC"}')], finish_reason="tool_calls")
    tools = [{"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}]
    answer = sdk.chat.completions.create(
        model=MODEL, messages=ASKED, tools=tools, tool_choice="auto"
    )
    [call] = answer.choices[0].message.tool_calls or []
    assert (call.function.name, call.function.arguments) == ("clock", '{"zone": "UTC"}')
    assert vllm.requests[-1]["tools"] == tools
    assert vllm.requests[-1]["tool_choice"] == "auto"


def test_an_error_inside_the_stream_is_raised_by_the_sdk(
    sdk: openai.OpenAI, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(in_band_error="EngineCore died")
    with pytest.raises(openai.APIError, match="EngineCore died"):
        list(sdk.chat.completions.create(model=MODEL, messages=ASKED, stream=True))


def test_langchain_calls_tools_and_learns_what_an_answer_cost(
    application: ChatApplication, vllm: ScriptedVllm
) -> None:
    model = ChatOpenAI(
        model=MODEL, base_url=f"{application.url}/v1", api_key="unused", stream_usage=True
    )
    whole = None
    for chunk in model.stream("Hello?"):
        whole = chunk if whole is None else whole + chunk
    assert whole is not None
    assert whole.usage_metadata["output_tokens"] == 5
    vllm.script = Script(tool_calls=[("clock", '{"zone": "UTC"}')], finish_reason="tool_calls")
    clock = {"name": "clock", "description": "The time.", "parameters": {"type": "object"}}
    [call] = model.bind_tools([clock]).invoke("What time is it?").tool_calls
    assert (call["name"], call["args"]) == ("clock", {"zone": "UTC"})


def test_an_answer_that_comes_whole_between_two_looks_is_taken() -> None:
    opened: Future[httpx2.Response] = Future()
    work: Future[None] = Future()
    response = httpx2.Response(200)

    class Connection(ClientConnection):
        """Asked after the first look, which found nothing."""

        def gone(self) -> bool:
            opened.set_result(response)
            work.set_result(None)
            return False

    openai_api._wait(opened, work, Connection({}))
    assert opened.result() is response
