"""The deployed chat application in front of real vLLM: streams, workers, clients, and deaths."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
import requests
from langchain_openai import ChatOpenAI
from openai import OpenAI

from tests.answer_stream import Caller, Event, Stream, caller_elsewhere
from tests.chat_application import until
from tests.e2e.conftest import PATIENCE, Assistant
from tests.e2e.vllm_processes import engine_process, halted, server_process

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
LONG = "Write a very long story about a lighthouse keeper and the sea. Tell every detail."


@pytest.fixture
def idle(assistant: Assistant) -> Iterator[Assistant]:
    """The assistant, whose vLLM has nothing to do before and after."""
    until(lambda: assistant.running() == 0, PATIENCE)
    yield assistant
    until(lambda: assistant.running() == 0, PATIENCE)


def begun(stream: Stream) -> tuple[str, str, Event]:
    """Read up to some text; returns the conversation's and the message's id, and the last event."""
    start = stream.next()
    assert start.name == "start"
    event = next(event for event in stream if event.name == "delta")
    return start.data["conversation"]["id"], start.data["answer"]["id"], event


def said(events: list[Event]) -> str:
    return "".join(event.data.get("content", "") for event in events if event.name == "delta")


def shown(caller: Caller, conversation: str) -> dict[str, object]:
    """The conversation's last message."""
    return caller.messages(conversation)[-1]


@pytest.mark.parametrize("elsewhere", [False, True], ids=["same worker", "other worker"])
def test_stop_frees_the_model_and_the_answer_can_be_gone_on_with(
    idle: Assistant, elsewhere: bool
) -> None:
    caller, engine = Caller(idle), engine_process(idle)
    with caller.ask(LONG) as stream:
        conversation, message, _ = begun(stream)
        with halted(engine):
            assert idle.running() >= 1  # a worker's look whether it generates may be one more
            stopper = caller_elsewhere(idle, stream.worker) if elsewhere else Caller(idle)
            assert stopper.stop(message).json() == {"stopping": True}
            end = list(stream)[-1]
    assert (end.name, end.data["status"]) == ("end", "stopped")
    until(lambda: idle.running() == 0)
    before = str(shown(caller, conversation)["content"])
    assert before

    with caller.go_on(message) as stream:
        start = stream.next()
        assert start.data["answer"]["content"] == before
        more = next(event for event in stream if event.name == "delta")
        caller.stop(message)
        events = [more, *stream]
    assert shown(caller, conversation)["content"] == before + said(events)


def test_a_reload_goes_on_and_a_page_that_is_left_frees_the_model(idle: Assistant) -> None:
    caller, engine = Caller(idle), engine_process(idle)
    with caller.ask(LONG) as stream:
        conversation, message, last = begun(stream)
        with halted(engine):
            other = caller_elsewhere(idle, stream.worker)
    with other.follow(message, last.id) as again:
        assert again.next().name == "delta"
        assert idle.running() >= 1
        with halted(engine):
            again.close()
            until(lambda: shown(caller, conversation)["status"] == "interrupted")
    until(lambda: idle.running() == 0, PATIENCE)
    kept = str(shown(caller, conversation)["content"])
    with other.follow(message) as whole:
        assert said(list(whole)) == kept


def test_a_client_of_v1_that_leaves_before_anything_is_written_frees_the_model(
    idle: Assistant,
) -> None:
    body = {"messages": [{"role": "user", "content": LONG}], "max_tokens": 1500}
    session = requests.Session()
    with pytest.raises(requests.ReadTimeout):
        # Not streamed: nothing is written before the whole answer is there.
        session.post(f"{idle.url}/v1/chat/completions", json=body, timeout=(60, 2))
    session.close()
    until(lambda: idle.running() == 0)


def test_the_openai_sdk_and_langchain_talk_to_v1(idle: Assistant) -> None:
    client = OpenAI(base_url=f"{idle.url}/v1", api_key="none")
    assert [model.id for model in client.models.list()] == [MODEL]
    question = {"role": "user", "content": LONG}
    with client.chat.completions.create(
        model=MODEL,
        messages=[question],  # type: ignore[list-item]
        max_tokens=12,
        stream=True,
        stream_options={"include_usage": True},
    ) as chunks:
        received = list(chunks)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in received if chunk.choices)
    assert received[-1].usage is not None
    assert received[-1].usage.completion_tokens == 12

    chat = ChatOpenAI(base_url=f"{idle.url}/v1", api_key="none", model=MODEL, max_tokens=12)  # type: ignore[arg-type, call-arg]
    assert chat.invoke("Say hello.").content


def test_a_worker_that_is_killed_leaves_its_answer_interrupted_with_its_text(
    idle: Assistant,
) -> None:
    with Caller(idle).ask(LONG) as stream:
        conversation, message, _ = begun(stream)
        other = caller_elsewhere(idle, stream.worker)
        with other.follow(message) as second:
            begun(second)
            kill = f"import os; os.kill({stream.worker}, 9)"
            done = idle.container("chatbot").exec_run(["python", "-c", kill])
            assert done.exit_code == 0, done.output
            end = list(second)[-1]
    assert (end.name, end.data["status"]) == ("end", "interrupted")
    assert end.data["content"]
    assert shown(other, conversation)["content"] == end.data["content"]
    until(lambda: idle.running() == 0, PATIENCE)
    assert requests.get(f"{idle.url}/healthz", timeout=60).status_code == 200


def test_an_engine_that_hangs_behind_an_api_that_answers_is_found(idle: Assistant) -> None:
    def ready() -> bool:
        # Whichever worker answers.
        return all(requests.get(f"{idle.url}/readyz", timeout=60).ok for _ in range(16))

    def hangs() -> bool:
        error = requests.get(f"{idle.url}/api/state", timeout=60).json()["error"]
        return error is not None and error["code"] == "model_hangs"

    until(ready, PATIENCE)
    with halted(engine_process(idle)):
        until(hangs, PATIENCE)
        assert not ready()
        assert requests.get(f"http://localhost:{idle.vllm_port}/health", timeout=60).ok
    until(ready, PATIENCE)


def test_a_model_that_is_killed_leaves_a_part_that_is_gone_on_with_when_it_is_back(
    idle: Assistant,
) -> None:
    caller, server = Caller(idle), server_process(idle)
    with caller.ask(LONG) as stream:
        conversation, message, _ = begun(stream)
        # As the kernel does where memory runs out; Docker starts it again.
        os.kill(server, signal.SIGKILL)
        end = list(stream)[-1]
    assert end.data["status"] == "interrupted"
    before = str(shown(caller, conversation)["content"])
    assert before == end.data["content"]

    # The page stays useful meanwhile, and says what is the matter.
    state = requests.get(f"{idle.url}/readyz", timeout=60)
    assert state.status_code == 503
    assert caller.messages(conversation)

    idle.ready()
    with caller.go_on(message) as stream:
        assert stream.next().data["answer"]["content"] == before
        assert next(event for event in stream if event.name == "delta")
        caller.stop(message)
        assert list(stream)[-1].name == "end"
    assert str(shown(caller, conversation)["content"]).startswith(before)
