from __future__ import annotations

from collections.abc import Callable

import pytest
import requests

from chatbot.agent.title import cleaned
from tests.chat_application import Chat, ChatApplication, posting, until
from tests.scripted_vllm import Script, ScriptedVllm


def asked_for(chat: Chat, conversation: str) -> tuple[str, str]:
    """The title that is there after one was asked for, and whose it is."""
    answer = chat.client.post(f"/api/conversations/{conversation}/title", json={})
    assert answer.status_code == 200, answer.json
    assert answer.json == chat.client.get(f"/api/conversations/{conversation}").json
    return answer.json["title"], answer.json["title_by"]


def test_the_model_writes_the_title_once(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.script = Script(title='Title: **"Greetings, to a script"**.')
    conversation = chat.new()
    chat.ask(conversation, "Hello? Is anybody there who can say something to me today?")
    assert chat.client.get(f"/api/conversations/{conversation}").json["title_by"] == "question"
    assert asked_for(chat, conversation) == ("Greetings, to a script", "model")
    [asked] = vllm.title_requests
    text = asked["messages"][-1]["content"]
    assert "Is anybody there" in text
    assert "Hello from the script." in text
    assert asked["chat_template_kwargs"]["enable_thinking"] is False
    chat.ask(conversation, "And now?")
    assert asked_for(chat, conversation) == ("Greetings, to a script", "model")
    assert len(vllm.title_requests) == 1


def test_a_title_that_its_owner_gave_stays(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.script = Script(title="Another")
    given = chat.client.post("/api/conversations", json={"title": "Mine"}).json["id"]
    renamed = chat.new()
    for conversation in (given, renamed):
        chat.ask(conversation, "Hello?")
    chat.client.patch(f"/api/conversations/{renamed}", json={"title": "Mine"})
    for conversation in (given, renamed):
        assert asked_for(chat, conversation) == ("Mine", "owner")
    assert vllm.title_requests == []


def test_a_title_needs_a_whole_answer(chat: Chat, vllm: ScriptedVllm) -> None:
    conversation = chat.new()
    assert asked_for(chat, conversation) == ("", "question")
    vllm.script = Script(cut="end")
    assert chat.ask(conversation, "Hello?")["status"] == "interrupted"
    assert asked_for(chat, conversation) == ("Hello?", "question")
    assert vllm.title_requests == []
    vllm.script = Script(title="At last")
    chat.ask(conversation, "Again?")
    assert asked_for(chat, conversation) == ("At last", "model")


def test_what_is_no_title_is_not_taken_and_not_asked_for_again(
    chat: Chat, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(title="Sure! Here is a title:\n\nGreetings")
    conversation = chat.new()
    chat.ask(conversation, "Hello?")
    for _ in range(2):
        assert asked_for(chat, conversation) == ("Hello?", "model")
    assert len(vllm.title_requests) == 1


def test_a_model_that_fails_is_asked_another_time(chat: Chat, vllm: ScriptedVllm) -> None:
    conversation = chat.new()
    chat.ask(conversation, "Hello?")
    served, vllm.models = vllm.models, ["another"]
    vllm.script = Script(title="Greetings")
    assert asked_for(chat, conversation) == ("Hello?", "question")
    vllm.models = served
    assert asked_for(chat, conversation) == ("Greetings", "model")


def test_a_model_that_goes_on_talking_is_stopped(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.script = Script(title="Once upon a time " * 20, title_hang="last")
    conversation = chat.new()
    chat.ask(conversation, "Hello?")
    assert asked_for(chat, conversation) == ("Hello?", "model")
    assert vllm.wait(lambda server: server.aborted == 1 and server.running == 0)


def test_a_tokenizer_without_template_parameters_is_asked_without_them(
    chat: Chat, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(title="Greetings", template_parameters=False)
    conversation = chat.new()
    chat.ask(conversation, "Hello?")
    assert asked_for(chat, conversation) == ("Greetings", "model")
    assert "chat_template_kwargs" not in vllm.title_requests[-1]


def test_a_title_takes_a_place_and_waits_for_none(
    chat_with: Callable[..., Chat], vllm: ScriptedVllm
) -> None:
    chat = chat_with(vllm.base_url, ARCHI_MAX_STREAMS="1")
    conversation = chat.new()
    chat.ask(conversation, "Hello?")
    vllm.script = Script(hold=True, title="Greetings")
    held = chat.events(chat.post(chat.new(), content="Wait"))
    next(held)
    assert asked_for(chat, conversation) == ("Hello?", "question")
    vllm.release()
    list(held)
    assert asked_for(chat, conversation) == ("Greetings", "model")
    assert chat.parts.admission.free == 1


def test_titles_can_be_left_to_the_questions(
    chat_with: Callable[..., Chat], vllm: ScriptedVllm
) -> None:
    chat = chat_with(vllm.base_url, ARCHI_MODEL_TITLES="false")
    vllm.script = Script(title="Greetings")
    conversation = chat.new()
    chat.ask(conversation, "Hello?")
    assert asked_for(chat, conversation) == ("Hello?", "question")
    assert vllm.title_requests == []


def test_a_reader_who_leaves_frees_the_model(
    application: ChatApplication, vllm: ScriptedVllm
) -> None:
    url = f"{application.url}/api/conversations"
    conversation = requests.post(url, json={}, timeout=60).json()["id"]
    with requests.post(
        f"{url}/{conversation}/messages", json={"content": "Hello?"}, stream=True, timeout=60
    ) as answer:
        assert b"event: end" in answer.content
    vllm.script = Script(title_hang="first")
    with posting(f"{url}/{conversation}/title", {}):
        assert vllm.wait(lambda server: bool(server.title_requests) and server.running == 1)
    assert vllm.wait(lambda server: server.running == 0 and server.aborted == 1)
    vllm.script = Script(title="Greetings")

    def asked_again() -> str:
        answer = requests.post(f"{url}/{conversation}/title", json={}, timeout=60)
        return str(answer.json()["title"])

    # The request that was left says a moment after vLLM is free that there is no title.
    until(lambda: asked_again() == "Greetings")


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("Whales and their tusks", "Whales and their tusks"),
        ("  # Whales.  ", "Whales"),
        ("“Wale und ihre Zähne”", "Wale und ihre Zähne"),
        ("Titel: Wale", "Wale"),
        ("标题：鲸鱼", "鲸鱼"),
        ("<think>What is it?</think>\n\nWhales", "Whales"),
        ("<think>What is it, and", None),
        ("Whales\nTusks", None),
        ("Whales are " + "very " * 20 + "big", None),
        ("…", None),
        # What SmolLM2-135M wrote.
        ("At most six words, in the language of the question, without", None),
        ("In the language of birds", "In the language of birds"),
        ("", None),
    ],
)
def test_a_title_is_taken_out_of_what_the_model_wrote(written: str, title: str | None) -> None:
    assert cleaned(written) == title
