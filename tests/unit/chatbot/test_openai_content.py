from __future__ import annotations

import base64
from typing import Any

import pytest
from langchain_openai import ChatOpenAI

from chatbot.api.openai_content import checked_messages
from chatbot.failures import Failure
from tests.chat_application import Chat, ChatApplication
from tests.png_file import png
from tests.scripted_vllm import MODEL, ScriptedVllm


def data_url(content: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


JPEG_2000 = b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(40)
IMAGE = data_url(png(16, 16))


def asked(*parts: object) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def test_texts_images_and_sounds_are_handed_on(chat: Chat, vllm: ScriptedVllm) -> None:
    sound = {"data": "UklGRg==", "format": "wav"}
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": [
            "Plain",
            {"type": "text", "text": "What is it?"},
            {"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}},
            {"image_url": IMAGE, "uuid": "known"},
            {"type": "input_audio", "input_audio": sound},
        ]},
        {"role": "assistant", "content": None, "tool_calls": []},
    ]  # fmt: skip
    answer = chat.client.post("/v1/chat/completions", json={"messages": messages})
    assert answer.status_code == 200, answer.json
    system, user, assistant = vllm.requests[-1]["messages"]
    assert (system, assistant) == (messages[0], messages[2])
    assert user["content"] == [
        {"type": "text", "text": "Plain"},
        {"type": "text", "text": "What is it?"},
        {"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": IMAGE}},
        {"type": "input_audio", "input_audio": sound},
    ]


@pytest.mark.parametrize(
    "part",
    [
        # CVE-2026-31943, 45400 and 45401: which addresses are inside is easily got wrong, in many
        # ways of writing them. So none is fetched.
        {"type": "image_url", "image_url": {"url": "http://169.254.169.254/latest/meta-data"}},
        {"type": "image_url", "image_url": {"url": "http://[::ffff:a9fe:a9fe]/"}},
        {"type": "image_url", "image_url": {"url": " https://example.org/cat.png"}},
        {"type": "image_url", "image_url": {"url": "file:///etc/passwd"}},
        {"type": "image_url", "image_url": "http://postgres:5432/"},
        {"image_url": "http://postgres:5432/"},
        # CVE-2026-22778: a film from an address ran code in the server.
        {"type": "video_url", "video_url": {"url": "https://example.org/film.mp4"}},
        {"video_url": "https://example.org/film.mp4"},
        {"type": "video_url", "video_url": {"url": "data:video/mp4;base64,AAAA"}},
        {"type": "audio_url", "audio_url": {"url": "https://example.org/song.mp3"}},
        {"type": "image_embeds", "image_embeds": "AAAA"},
        {"type": "text", "video_url": "https://example.org/film.mp4"},
        {"type": ["image_url"], "image_url": IMAGE},
        {"type": "image_url", "image_url": None},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,%%%"}},
        {"type": "image_url", "image_url": {"url": data_url(b"GIF, says who?")}},
        # JPEG 2000 by its content, whatever it is called: what CVE-2026-22778 came in.
        {"type": "image_url", "image_url": {"url": data_url(JPEG_2000)}},
        {"type": "input_audio", "input_audio": "https://example.org/song.mp3"},
        {"type": "text", "text": 1},
        7,
    ],
)  # fmt: skip
def test_what_leads_elsewhere_is_refused(chat: Chat, vllm: ScriptedVllm, part: object) -> None:
    answer = chat.client.post("/v1/chat/completions", json={"messages": asked("Look:", part)})
    assert answer.status_code == 400
    error = answer.json["error"]
    assert error["code"] == "invalid_content"
    assert error["param"].startswith("messages[0].content[1]")
    assert vllm.requests == []


@pytest.mark.parametrize("size", [(1, 1), (30_000, 30_000)])
def test_images_that_harm_a_server_are_refused(
    chat: Chat, vllm: ScriptedVllm, size: tuple[int, int]
) -> None:
    # CVE-2026-22773.
    image = {"type": "image_url", "image_url": {"url": data_url(png(*size, rows=1))}}
    answer = chat.client.post("/v1/chat/completions", json={"messages": asked(image)})
    assert (answer.status_code, answer.json["error"]["code"]) == (422, "image_size_refused")
    assert vllm.requests == []


@pytest.mark.parametrize("message", ["Hello?", {"role": "user", "content": {"text": "Hello?"}}])
def test_messages_that_are_none_are_refused(message: object) -> None:
    with pytest.raises(Failure, match=r"messages\[0\]"):
        checked_messages([message])


def test_langchain_sends_an_image(application: ChatApplication, vllm: ScriptedVllm) -> None:
    model = ChatOpenAI(model=MODEL, base_url=f"{application.url}/v1", api_key="unused")
    parts = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": IMAGE}}]
    assert model.invoke([("user", parts)]).text == "Hello from the script."
    assert vllm.requests[-1]["messages"][-1]["content"] == parts
