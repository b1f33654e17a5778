from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from chatbot.access.principal import Principal
from chatbot.data import documents
from chatbot.data.database import Database
from chatbot.data.tables import EVERYONE, DocumentChunk, User, UserRole
from chatbot.documents import pdf_pages, reading
from chatbot.documents.mounted import MountedDocuments
from tests.chat_application import Chat, until
from tests.pdf_file import pdf
from tests.png_file import png
from tests.scripted_vllm import MODEL, Script, ScriptedVllm

PNG = png(16, 16)


def upload(chat: Chat, content: bytes, name: str) -> TestResponse:
    return chat.client.post(
        "/api/documents",
        data={"file": (io.BytesIO(content), name)},
        content_type="multipart/form-data",
    )


def uploaded(chat: Chat, content: bytes, name: str) -> dict[str, Any]:
    answer = upload(chat, content, name)
    assert answer.status_code == 201, answer.json
    found: dict[str, Any] = answer.json
    return found


def test_a_text_is_kept_listed_downloaded_and_deleted(chat: Chat) -> None:
    made = uploaded(chat, "# Größe\n\nEine Notiz.".encode(), "../notes ü.md")
    assert (made["name"], made["media_type"]) == ("notes ü.md", "text/markdown")
    assert (made["mounted"], made["error"]) == (False, None)
    one = f"/api/documents/{made['id']}"
    assert [row["id"] for row in chat.client.get("/api/documents").json["documents"]] == [
        made["id"]
    ]
    assert chat.client.get(one).json == made
    got = chat.client.get(f"{one}/content")
    assert got.data.decode() == "# Größe\n\nEine Notiz."
    assert got.mimetype == "application/octet-stream"
    assert got.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''notes%20")
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in got.headers["Content-Security-Policy"]
    assert chat.client.delete(one, json={}).status_code == 204
    assert chat.client.get(one).status_code == 404
    assert chat.client.get("/api/documents").json["documents"] == []


def test_the_pages_of_a_pdf_are_known(chat: Chat) -> None:
    made = uploaded(chat, pdf("The first page.", "Zebras live on page two."), "animals.pdf")
    assert (made["media_type"], made["error"]) == ("application/pdf", None)
    with chat.parts.database.read() as session:
        [found] = documents.search(session, EVERYONE, "zebra")
    assert (found.name, found.page) == ("animals.pdf", 2)
    assert "Zebras live" in found.text


@pytest.mark.parametrize("content", [b"%PDF-1.4\ngarbage", pdf("x")[:300], pdf()])
def test_a_broken_pdf_is_kept_and_says_that_it_has_no_text(chat: Chat, content: bytes) -> None:
    made = uploaded(chat, content, "broken.pdf")
    assert made["error"]


def test_a_pdf_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(pdf_pages.Unreadable, match=r"within 0\.001 seconds"):
        pdf_pages.pages_of(pdf("x"), seconds=0.001)


def test_an_image_is_known_by_its_content(chat: Chat) -> None:
    made = uploaded(chat, PNG, "picture.txt")
    assert made["media_type"] == "image/png"
    assert chat.client.get(f"/api/documents/{made['id']}/content").mimetype == "image/png"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        # CVE-2026-22773: an image of one pixel ended the engine.
        (png(1, 1), "image_size_refused"),
        (png(3, 100), "image_size_refused"),
        (png(30_000, 30_000, rows=1), "image_size_refused"),
        (png(10_000, 10_000, rows=1), "image_size_refused"),
        (png(16, 16)[:18], "image_unreadable"),
    ],
)
def test_images_that_harm_a_server_are_refused(chat: Chat, content: bytes, code: str) -> None:
    answer = upload(chat, content, "picture.png")
    assert (answer.status_code, answer.json["error"]["code"]) == (422, code)


@pytest.mark.parametrize(
    ("content", "name", "status"),
    [
        (b"PK\x03\x04" + bytes(60), "text.txt", 415),
        (b"\x7fELF\x02\x01\x01" + bytes(60), "notes.md", 415),
        (b"half \xff\xfa text", "notes.txt", 415),
        # JPEG 2000 (CVE-2026-22778).
        (b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(40), "picture.jpg", 415),
        (b"", "empty.txt", 422),
    ],
)
def test_other_types_are_refused_whatever_they_are_called(
    chat: Chat, content: bytes, name: str, status: int
) -> None:
    answer = upload(chat, content, name)
    assert answer.status_code == status
    assert answer.json["error"]["next_step"]


def test_a_form_without_a_file_is_refused(chat: Chat) -> None:
    answer = chat.client.post("/api/documents", data={}, content_type="multipart/form-data")
    assert answer.status_code == 422


@pytest.mark.parametrize("more", [1, 200_000])
def test_a_file_that_is_too_large_is_refused(
    chat_with: Callable[..., Chat], vllm: ScriptedVllm, more: int
) -> None:
    chat = chat_with(vllm.base_url, ARCHI_MAX_UPLOAD="5000000")
    assert upload(chat, b"a" * 5_000_000, "large.txt").status_code == 201
    answer = upload(chat, b"a" * (5_000_000 + more), "larger.txt")
    assert answer.status_code == 413


def test_documents_of_others_are_not_there(
    chat: Chat, vllm: ScriptedVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = uploaded(chat, b"The secret word is xylophone.", "mine.txt")
    other = uuid4()
    with chat.parts.database.write() as session:
        session.add(User(id=other, name="other"))
    monkeypatch.setattr("chatbot.access.gate.EVERYBODY", Principal(other, "other", UserRole.USER))
    one = f"/api/documents/{made['id']}"
    answers = [
        chat.client.get(one),
        chat.client.get(f"{one}/content"),
        chat.client.delete(one, json={}),
        chat.post(chat.new(), content="What is it?", attachments=[made["id"]]),
    ]
    assert [answer.status_code for answer in answers] == [404] * 4
    assert chat.client.get("/api/documents").json["documents"] == []
    with chat.parts.database.read() as session:
        assert documents.search(session, other, "xylophone") == []
        assert len(documents.search(session, EVERYONE, "xylophone")) == 1


def test_search_puts_the_best_piece_first_and_forgets_what_is_deleted(database: Database) -> None:
    texts = {
        "garden.md": "Tomatoes need water in the evening. The weather is warm.",
        "travel.md": "The train to the mountains leaves in the evening.",
        "code.md": 'call(water_pump) opens the valve; "it\'s" & (that) | !easy:*',
    }
    with database.write() as session:
        for name, text in texts.items():
            read = reading.read(text.encode(), "text/markdown")
            documents.add(
                session, EVERYONE, name=name, media_type="text/markdown", content=text.encode(),
                read=read,
            )  # fmt: skip

    def names(query: str) -> list[str]:
        with database.read() as session:
            return [found.name for found in documents.search(session, EVERYONE, query)]

    assert names("watering tomatoes")[0] == "garden.md"
    assert names("When does the train leave?")[0] == "travel.md"
    assert names("pump") == ["code.md"]
    assert names("\"it's\" & (that) | !easy:* ' -- \\") == ["code.md"]
    assert names("") == names("?!") == names("submarine") == []
    with database.write() as session:
        [pump] = documents.search(session, EVERYONE, "pump")
        documents.remove(session, pump.document_id, EVERYONE)
    assert names("pump") == []
    with database.read() as session:
        assert len(session.scalars(select(DocumentChunk.id)).all()) == 2


def test_the_pieces_of_a_text_are_the_text_and_end_where_sentences_do() -> None:
    text = "".join(f"Sentence number {at} ends here. " for at in range(400))
    found = reading.pieces(text)
    assert "".join(found) == text
    assert all(len(piece) <= reading.CHUNK_CHARS for piece in found)
    assert all(piece.rstrip().endswith(".") for piece in found)
    assert reading.pieces("x" * 3_000) == ["x" * 1_200, "x" * 1_200, "x" * 600]


def test_the_mounted_folder_is_taken_in_and_followed(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "mounted"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "handbook.txt").write_text("The pump is green.")
    (folder / "binary.bin").write_bytes(bytes(range(256)))
    (folder / "link.txt").symlink_to("/etc/hostname")
    mounted = MountedDocuments(folder, database, tmp_path / "lock", max_bytes=1000)

    def found(query: str) -> list[str]:
        with database.read() as session:
            return [one.text for one in documents.search(session, EVERYONE, query)]

    mounted.scan()
    assert found("pump") == ["The pump is green."]
    with database.read() as session:
        [listed] = documents.listing(session, EVERYONE)
        assert (listed.path, listed.user_id) == ("deep/handbook.txt", None)
    (folder / "deep" / "handbook.txt").write_text("The pump is now blue.")
    mounted.scan()
    assert found("pump") == ["The pump is now blue."]
    (folder / "deep" / "handbook.txt").unlink()
    mounted.scan()
    assert found("pump") == []


def test_mounted_documents_are_readable_by_all_and_deletable_by_none(
    chat_with: Callable[..., Chat], vllm: ScriptedVllm, tmp_path: Path
) -> None:
    folder = tmp_path / "mounted"
    folder.mkdir()
    (folder / "handbook.txt").write_text("The pump is green.")
    chat = chat_with(vllm.base_url, ARCHI_DOCUMENTS=str(folder))
    until(lambda: chat.client.get("/api/documents").json["documents"])
    [listed] = chat.client.get("/api/documents").json["documents"]
    one = f"/api/documents/{listed['id']}"
    assert listed["mounted"] is True
    assert chat.client.get(f"{one}/content").data == b"The pump is green."
    assert chat.client.delete(one, json={}).status_code == 403
    (folder / "handbook.txt").unlink()
    assert chat.client.get(f"{one}/content").status_code == 404


def test_the_agent_searches_and_its_sources_are_kept(chat: Chat, vllm: ScriptedVllm) -> None:
    made = uploaded(chat, pdf("Nothing here.", "The pump is green."), "handbook.pdf")
    vllm.script = Script(rounds=[[("search_documents", '{"query": "pump"}')]])
    conversation = chat.new()
    chat.ask(conversation, "What colour is the pump?")
    names = {tool["function"]["name"] for tool in vllm.requests[0]["tools"]}
    assert "search_documents" in names
    result = vllm.requests[1]["messages"][-1]["content"]
    assert "handbook.pdf, page 2" in result
    [call] = chat.messages(conversation)[-1]["tool_calls"]
    assert call["sources"] == [
        {"document_id": made["id"], "name": "handbook.pdf", "page": 2, "text": "The pump is green."}
    ]


def test_an_attached_text_is_read_by_the_model(chat: Chat, vllm: ScriptedVllm) -> None:
    made = uploaded(chat, b"The pump is green.", "pump.txt")
    conversation = chat.new()
    list(chat.events(chat.post(conversation, content="Which colour?", attachments=[made["id"]])))
    said = vllm.requests[-1]["messages"][-1]["content"]
    assert said.startswith("[Attached document: pump.txt]\nThe pump is green.")
    assert said.endswith("Which colour?")
    chat.ask(conversation, "Sure?")
    assert "The pump is green." in vllm.requests[-1]["messages"][1]["content"]


def test_an_attached_text_that_is_too_long_is_cut_and_it_is_told(
    chat: Chat, vllm: ScriptedVllm
) -> None:
    vllm.max_model_len = 1_000
    made = uploaded(chat, b"word " * 3_000, "long.txt")
    conversation = chat.new()
    sent = chat.post(conversation, content="What is it?", attachments=[made["id"]])
    events = list(chat.events(sent))
    assert events[-1][1]["status"] == "complete"
    [notice] = [data for name, data in events if name == "notice"]
    assert notice["code"] == "attachment_cut"
    assert "10 % of long.txt" in notice["message"]
    assert "cut here" in vllm.requests[-1]["messages"][-1]["content"]


def test_an_image_goes_to_the_model_and_one_that_is_blind_says_so(
    chat: Chat, vllm: ScriptedVllm
) -> None:
    made = uploaded(chat, PNG, "picture.png")
    conversation = chat.new()
    list(chat.events(chat.post(conversation, content="What is it?", attachments=[made["id"]])))
    image, text = vllm.requests[-1]["messages"][-1]["content"]
    assert image["image_url"]["url"].startswith("data:image/png;base64,iVBOR")
    assert text == {"type": "text", "text": "What is it?"}

    # A blind model goes on with the conversation, and refuses a new image by name.
    vllm.script = Script(images=False)
    events = list(chat.events(chat.post(conversation, content="Sure?")))
    assert events[-1][1]["status"] == "complete"
    assert "model_sees_no_images" in [data.get("code") for _, data in events]
    sent = chat.post(chat.new(), content="And this?", attachments=[made["id"]])
    ended = list(chat.events(sent))[-1][1]
    assert ended["error"]["code"] == "model_sees_no_images"
    assert MODEL in ended["error"]["message"]
