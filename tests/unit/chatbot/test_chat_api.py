from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest

from chatbot.data import run_log
from tests.chat_application import Chat, until, write_pipelines
from tests.scripted_vllm import MODEL, Script, ScriptedVllm


def test_an_answer_streams_and_is_saved_with_what_it_cost(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.script = Script(hold=True)
    conversation = chat.new()
    events = chat.events(chat.post(conversation, content="  Hello there?  "))
    name, start = next(events)
    assert name == "start"
    assert start["question"]["content"] == "Hello there?"
    assert start["answer"]["status"] == "streaming"
    # The first token arrives while the model still holds the others back.
    assert next(events) == ("delta", {"content": "Hello"})
    vllm.release()
    rest = list(events)
    assert [name for name, _ in rest][-1] == "end"
    ended = rest[-1][1]
    assert ended["content"] == "Hello from the script."
    assert (ended["status"], ended["finish_reason"], ended["saved"]) == ("complete", "stop", True)

    question, answer = chat.messages(conversation)
    assert question["content"] == "Hello there?"
    assert answer["content"] == "Hello from the script."
    assert answer["model"] == MODEL
    assert answer["usage"]["completion_tokens"] == 5
    assert answer["usage"]["context_limit"] == 2048
    assert answer["usage"]["estimated"] is False
    assert answer["timings"]["first_token_ms"] >= 0
    assert answer["timings"]["tokens_per_second"] > 0
    [listed] = chat.client.get("/api/conversations").json["conversations"]
    assert listed["title"] == "Hello there?"


def test_the_model_sees_the_conversation(chat: Chat, vllm: ScriptedVllm) -> None:
    conversation = chat.new()
    chat.ask(conversation, "One?")
    chat.ask(conversation, "Two?")
    said = [(turn["role"], turn["content"]) for turn in vllm.requests[-1]["messages"]]
    assert said[1:] == [
        ("user", "One?"),
        ("assistant", "Hello from the script."),
        ("user", "Two?"),
    ]
    assert said[0][0] == "system"
    assert vllm.requests[-1]["model"] == MODEL


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_reasoning_is_kept_apart(chat: Chat, vllm: ScriptedVllm, field: str) -> None:
    vllm.script = Script(reasoning=["Let me", " think."], reasoning_field=field)
    conversation = chat.new()
    chat.ask(conversation, "Why?")
    answer = chat.messages(conversation)[-1]
    assert answer["reasoning"] == "Let me think."
    assert answer["content"] == "Hello from the script."


def test_stop_frees_the_model_and_keeps_what_had_come(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.script = Script(hang="last")
    conversation = chat.new()
    events = chat.events(chat.post(conversation, content="Go on for ever"))
    start = next(events)[1]
    text = ""
    while text != "Hello from the script.":
        text += next(events)[1]["content"]
    stopped = chat.client.post(f"/api/messages/{start['answer']['id']}/stop", json={})
    assert stopped.status_code == 202
    assert vllm.wait(lambda server: server.aborted == 1)
    assert list(events)[-1][1]["status"] == "stopped"
    answer = chat.messages(conversation)[-1]
    assert (answer["status"], answer["content"]) == ("stopped", text)
    assert answer["usage"]["estimated"] is True
    # The next turn works, and the model sees the stopped answer.
    vllm.script = Script()
    assert chat.ask(conversation, "And now?")["status"] == "complete"
    assert vllm.requests[-1]["messages"][2]["content"] == text


def test_a_stop_that_stands_in_the_database_alone_is_heeded(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.script = Script(hang="last")
    events = chat.events(chat.post(chat.new(), content="Go on for ever"))
    answer = UUID(next(events)[1]["answer"]["id"])
    assert next(events)[0] == "delta"
    with chat.parts.database.write() as session:
        run_log.request_stop(session, answer)
    assert list(events)[-1][1]["status"] == "stopped"
    assert vllm.wait(lambda server: server.aborted == 1)


def test_a_stopped_answer_says_how_long_its_prompt_was(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.max_model_len = 32_768
    vllm.script = Script(hang="last")
    conversation = chat.new()
    events = chat.events(chat.post(conversation, content="Go on for ever"))
    start = next(events)[1]
    next(events)
    chat.client.post(f"/api/messages/{start['answer']['id']}/stop", json={})
    assert list(events)[-1][1]["status"] == "stopped"
    usage = chat.messages(conversation)[-1]["usage"]
    assert (usage["context_limit"], usage["estimated"]) == (32_768, True)
    assert usage["prompt_tokens"] > 0


@pytest.mark.parametrize("hang", ["headers", "first"])
def test_stop_works_before_the_first_word(chat: Chat, vllm: ScriptedVllm, hang: str) -> None:
    vllm.script = Script(hang=hang)
    conversation = chat.new()
    events = chat.events(chat.post(conversation, content="Hello?"))
    answer = next(events)[1]["answer"]
    assert vllm.wait(lambda server: server.running == 1)
    chat.client.post(f"/api/messages/{answer['id']}/stop", json={})
    assert vllm.wait(lambda server: server.aborted == 1)
    assert list(events)[-1][1]["status"] == "stopped"


def test_stopping_what_has_ended_is_no_error(chat: Chat) -> None:
    ended = chat.ask(chat.new(), "Hello?")
    response = chat.client.post(f"/api/messages/{ended['id']}/stop", json={})
    assert (response.status_code, response.json) == (202, {"stopping": False})


def test_a_reader_who_leaves_frees_the_model(
    chat_with: Callable[..., Chat], vllm: ScriptedVllm
) -> None:
    chat = chat_with(vllm.base_url, ARCHI_LEAVE_GRACE="0")
    vllm.script = Script(hold=True)
    conversation = chat.new()
    response = chat.post(conversation, content="Hello?")
    events = chat.events(response)
    next(events)
    assert next(events)[0] == "delta"
    response.close()
    assert vllm.wait(lambda server: server.aborted == 1)
    until(lambda: chat.messages(conversation)[-1]["status"] == "interrupted")
    assert chat.messages(conversation)[-1]["content"] == "Hello"


def test_a_stream_without_a_finish_reason_is_interrupted(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.script = Script(cut="end")
    conversation = chat.new()
    ended = chat.ask(conversation, "Hello?")
    assert (ended["status"], ended["content"]) == ("interrupted", "Hello from the script.")


def test_a_server_killed_in_mid_stream_leaves_an_interrupted_answer(
    chat: Chat, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(cut="abort")
    conversation = chat.new()
    ended = chat.ask(conversation, "Hello?")
    assert ended["status"] == "interrupted"
    assert ended["error"]["code"] == "model_unreachable"
    assert ended["content"].startswith("Hello")
    # Never asked again after the first token.
    assert len(vllm.requests) == 1


def test_an_error_inside_the_stream_is_shown(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.script = Script(in_band_error="EngineCore died")
    ended = chat.ask(chat.new(), "Hello?")
    assert ended["status"] == "error"
    assert "EngineCore died" in ended["error"]["message"]
    assert ended["content"] == "Hello from the script."


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        ((401, "Unauthorized"), "model_key_refused", "archi:vllm_api_key"),
        (
            (400, "This model's maximum context length is 2048 tokens. However, ..."),
            "context_overflow",
            "new conversation",
        ),
        ((500, "CUDA error"), "model_error", "vllm-server"),
        ((400, "temperature must be non-negative"), "model_refused", "request"),
    ],
)
def test_an_error_says_what_happened_and_what_to_do(
    chat: Chat, vllm: ScriptedVllm, error: tuple[int, str], code: str, says: str
) -> None:
    vllm.script = Script(error=error)
    conversation = chat.new()
    ended = chat.ask(conversation, "Hello?")
    assert (ended["status"], ended["error"]["code"]) == ("error", code)
    assert says in ended["error"]["next_step"]
    assert chat.messages(conversation)[-1]["error"] == ended["error"]
    assert len(vllm.requests) == 1


def test_another_model_than_the_deployment_wants_names_both(chat: Chat, vllm: ScriptedVllm) -> None:
    chat.ask(chat.new(), "Hello?")
    vllm.models = ["Qwen/Qwen3-8B"]
    ended = chat.ask(chat.new(), "Hello?")
    assert ended["error"]["code"] == "model_not_found"
    assert MODEL in ended["error"]["message"]
    assert "Qwen/Qwen3-8B" in ended["error"]["message"]


def test_a_model_change_in_the_files_holds_for_the_next_question(
    chat: Chat, vllm: ScriptedVllm
) -> None:
    vllm.models = ["Qwen/Qwen3-8B"]
    write_pipelines(chat.folder / "files", "Qwen/Qwen3-8B")
    assert chat.ask(chat.new(), "Hello?")["status"] == "complete"
    assert vllm.requests[-1]["model"] == "Qwen/Qwen3-8B"


def test_an_overloaded_model_is_asked_again_before_the_first_token(
    chat: Chat, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(error=(503, "busy"), error_times=1)
    assert chat.ask(chat.new(), "Hello?")["status"] == "complete"
    assert len(vllm.requests) == 2


def test_no_server_at_all_is_an_error_card(chat_with: Callable[..., Chat]) -> None:
    with ScriptedVllm() as gone:
        address = gone.base_url
    chat = chat_with(address)
    conversation = chat.new()
    ended = chat.ask(conversation, "Hello?")
    assert ended["error"]["code"] == "model_unreachable"
    assert address in ended["error"]["message"]
    assert "docker logs" in ended["error"]["next_step"]
    assert chat.messages(conversation)[-1]["status"] == "error"


@pytest.mark.parametrize(
    ("hang", "limit", "status"),
    [
        ("first", "ARCHI_FIRST_TOKEN_TIMEOUT", "error"),
        ("last", "ARCHI_TOKEN_TIMEOUT", "interrupted"),
    ],
)
def test_a_stalled_model_is_given_up(
    chat_with: Callable[..., Chat], vllm: ScriptedVllm, hang: str, limit: str, status: str
) -> None:
    limits = {"ARCHI_FIRST_TOKEN_TIMEOUT": "60", "ARCHI_TOKEN_TIMEOUT": "60", limit: "0.5"}
    chat = chat_with(vllm.base_url, **limits)
    vllm.script = Script(hang=hang)

    def given_up() -> bool:
        ended = chat.ask(chat.new(), "Hello?")
        assert (ended["status"], ended["error"]["code"]) == (status, "model_stalled")
        return bool(vllm.requests)

    # On a busy machine the time may be over before the model has been asked.
    until(given_up)
    assert vllm.wait(lambda server: server.aborted == len(server.requests))


def test_answers_beyond_the_cap_are_refused_with_a_time(
    chat_with: Callable[..., Chat], vllm: ScriptedVllm
) -> None:
    chat = chat_with(vllm.base_url, ARCHI_MAX_STREAMS="1")
    vllm.script = Script(hold=True)
    first = chat.events(chat.post(chat.new(), content="Hello?"))
    next(first)
    refused = chat.post(chat.new(), content="Me too?")
    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) > 0
    assert refused.json["error"]["code"] == "too_many_streams"
    vllm.release()
    assert list(first)[-1][0] == "end"
    assert chat.ask(chat.new(), "Now?")["status"] == "complete"


def test_a_second_question_must_wait_for_the_first_answer(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.script = Script(hold=True)
    conversation = chat.new()
    events = chat.events(chat.post(conversation, content="Hello?"))
    next(events)
    assert chat.post(conversation, content="Me too?").json["error"]["code"] == "answer_in_progress"
    vllm.release()
    list(events)


def test_an_answer_can_be_asked_for_again(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.script = Script(cut="end")
    conversation = chat.new()
    chat.ask(conversation, "Hello?")
    question = chat.messages(conversation)[0]
    vllm.script = Script(tokens=["Better."])
    events = list(chat.events(chat.post(conversation, parent_id=question["id"])))
    assert events[-1][1]["status"] == "complete"
    assert [row["content"] for row in chat.messages(conversation)] == ["Hello?", "Better."]
    assert [turn["role"] for turn in vllm.requests[-1]["messages"]] == ["system", "user"]


def test_conversations_are_renamed_and_deleted(chat: Chat) -> None:
    keep, drop = chat.new(), chat.new()
    chat.ask(drop, "Hello?")
    renamed = chat.client.patch(f"/api/conversations/{keep}", json={"title": "  A title "})
    assert renamed.json["title"] == "A title"
    assert chat.client.delete(f"/api/conversations/{drop}").status_code == 204
    listed = chat.client.get("/api/conversations").json["conversations"]
    assert [row["id"] for row in listed] == [keep]
    gone = chat.client.get(f"/api/conversations/{drop}/messages")
    assert (gone.status_code, gone.json["error"]["code"]) == (404, "conversation_not_found")


def test_deleting_a_conversation_ends_its_answer(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.script = Script(hold=True)
    conversation = chat.new()
    events = chat.events(chat.post(conversation, content="Hello?"))
    next(events)
    assert next(events)[0] == "delta"
    assert chat.client.delete(f"/api/conversations/{conversation}").status_code == 204
    assert vllm.wait(lambda server: server.aborted == 1)
    assert list(events)[-1][1]["saved"] is False


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/messages", {}, 422),
        ("POST", "/messages", {"content": "   "}, 422),
        ("POST", "/messages", {"content": 7}, 422),
        ("POST", "/messages", {"content": "x", "temperature": 1}, 422),
        ("POST", "/messages", {"content": "x" * 200_001}, 422),
        ("POST", "/messages", {"parent_id": "01a205fc-470e-7788-9a86-ede14596ee8b"}, 404),
        ("PATCH", "", {"title": ""}, 422),
        ("PATCH", "", {"title": "x" * 201}, 422),
        ("PUT", "", {}, 405),
    ],
)
def test_bad_requests_get_an_error_of_the_one_shape(
    chat: Chat, method: str, path: str, body: dict[str, object], status: int
) -> None:
    url = f"/api/conversations/{chat.new()}{path}"
    response = chat.client.open(url, method=method, json=body)
    assert response.status_code == status
    assert set(response.json["error"]) == {"message", "type", "param", "code", "next_step"}


def test_other_content_types_are_refused(chat: Chat) -> None:
    # A page of another site can send these without asking the browser's permission first.
    response = chat.client.post("/api/conversations", data="{}", content_type="text/plain")
    assert response.status_code == 415
