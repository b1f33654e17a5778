from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import text

from tests.chat_application import Chat
from tests.scripted_vllm import MODEL, ScriptedVllm


def test_ready_when_database_and_model_answer(chat: Chat) -> None:
    response = chat.client.get("/readyz")
    assert response.status_code == 200
    assert response.json["parts"]["model"] == {"ready": True, "model": MODEL}


def test_not_ready_while_the_model_is_away_but_alive(chat_with: Callable[..., Chat]) -> None:
    with ScriptedVllm() as gone:
        address = gone.base_url
    chat = chat_with(address)
    response = chat.client.get("/readyz")
    assert response.status_code == 503
    assert response.json["parts"]["database"]["ready"] is True
    assert address in response.json["parts"]["model"]["reason"]
    assert chat.client.get("/healthz").status_code == 200
    assert chat.client.get("/").status_code == 200


def test_not_ready_while_the_model_hangs(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.models_hang = True
    response = chat.client.get("/readyz")
    assert response.status_code == 503
    assert "no answer in time" in response.json["parts"]["model"]["reason"]


def test_not_ready_when_another_model_is_served(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.models = ["Qwen/Qwen3-8B"]
    response = chat.client.get("/readyz")
    assert response.status_code == 503
    assert "Qwen/Qwen3-8B" in response.json["parts"]["model"]["reason"]


def test_not_ready_when_the_key_is_refused(chat_with: Callable[..., Chat]) -> None:
    with ScriptedVllm(api_key="sesame") as guarded:
        chat = chat_with(guarded.base_url)
        response = chat.client.get("/readyz")
    assert response.status_code == 503
    assert "archi:vllm_api_key" in response.json["parts"]["model"]["next_step"]


def test_the_key_comes_from_its_file(chat_with: Callable[..., Chat], vllm: ScriptedVllm) -> None:
    with ScriptedVllm(api_key="sesame") as guarded:
        chat = chat_with(vllm.base_url)
        (chat.folder / "files" / "secrets" / "vllm_api_key").write_text("sesame\n")
        chat = chat_with(guarded.base_url)
        assert chat.client.get("/readyz").status_code == 200
        assert chat.ask(chat.new(), "Hello?")["status"] == "complete"


def test_not_ready_without_the_database(chat: Chat) -> None:
    with chat.parts.database.write() as session:
        session.execute(text("DROP TABLE alembic_version"))
    response = chat.client.get("/readyz")
    assert response.status_code == 503
    assert response.json["parts"]["database"]["ready"] is False
    assert response.json["parts"]["model"]["ready"] is True


def test_lists_answer_503_while_the_database_is_away(chat: Chat) -> None:
    with chat.parts.database.write() as session:
        session.execute(text("ALTER TABLE conversations RENAME TO away"))
    response = chat.client.get("/api/conversations")
    assert response.status_code == 503
    assert response.json["error"]["code"] == "database_unavailable"


def test_the_page_is_told_why_the_model_is_away(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.models = [MODEL, "an/adapter"]
    assert chat.client.get("/api/state").json == {
        "model": MODEL,
        "ready": True,
        "models": [MODEL, "an/adapter"],
        "max_model_len": 2048,
        "error": None,
    }
    vllm.models = []
    state = chat.client.get("/api/state").json
    assert state["ready"] is False
    assert state["error"]["code"] == "model_not_found"
