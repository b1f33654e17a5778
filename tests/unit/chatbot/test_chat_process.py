"""The application as a process of its own: gunicorn, signals, connections."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import requests

from chatbot.__main__ import main
from chatbot.data import conversations
from tests.answer_stream import Caller, caller_elsewhere
from tests.chat_application import (
    ROOT,
    ChatApplication,
    environment,
    read_events,
    until,
    write_files,
)
from tests.chat_database import opened
from tests.scripted_vllm import Script, ScriptedVllm


@contextmanager
def asking(
    application: ChatApplication, content: str = "Hello?"
) -> Iterator[Iterator[tuple[str, dict[str, Any]]]]:
    """The events of a question in a new conversation."""
    made = requests.post(f"{application.url}/api/conversations", json={}, timeout=60)
    url = f"{application.url}/api/conversations/{made.json()['id']}/messages"
    with requests.post(url, json={"content": content}, stream=True, timeout=60) as response:
        assert response.status_code == 200, response.text
        yield read_events(response.iter_lines(chunk_size=1))


def messages(application: ChatApplication, conversation: str) -> list[dict[str, Any]]:
    url = f"{application.url}/api/conversations/{conversation}/messages"
    found: list[dict[str, Any]] = requests.get(url, timeout=60).json()["messages"]
    return found


def test_a_page_that_is_closed_frees_the_model_and_keeps_the_text(
    application: ChatApplication, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(hold=True)
    with asking(application) as events:
        conversation = next(events)[1]["conversation"]["id"]
        assert next(events)[1] == {"content": "Hello"}
    assert vllm.wait(lambda server: server.aborted == 1 and server.running == 0)
    until(lambda: messages(application, conversation)[-1]["status"] == "interrupted")
    assert messages(application, conversation)[-1]["content"] == "Hello"


def test_with_all_places_taken_the_rest_still_answers(
    application: ChatApplication, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(hold=True)
    streams = [asking(application) for _ in range(4)]
    opened = [stream.__enter__() for stream in streams]
    try:
        for events in opened:
            assert next(events)[0] == "start"
        refused = requests.post(
            f"{application.url}/v1/chat/completions",
            json={"messages": [{"role": "user", "content": "Hi"}]},
            timeout=60,
        )
        assert refused.status_code == 503
        assert refused.headers["Retry-After"]
        assert requests.get(f"{application.url}/healthz", timeout=60).status_code == 200
        assert requests.get(f"{application.url}/", timeout=60).status_code == 200
        vllm.release()
        assert [list(events)[-1][1]["status"] for events in opened] == ["complete"] * 4
    finally:
        for stream in streams:
            stream.__exit__(None, None, None)


def test_no_secret_is_in_environment_command_line_or_log(application: ChatApplication) -> None:
    key = (application.folder / "files" / "secrets" / "session_key").read_text().strip()
    processes = [application.pid, *application.workers]
    assert len(processes) == 3
    for pid in processes:
        for name in ("cmdline", "environ"):
            assert key not in Path(f"/proc/{pid}/{name}").read_text()
    assert key not in application.log.read_text()


def test_killed_workers_leave_an_interrupted_answer_with_its_text(
    application: ChatApplication, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(hold=True)
    with Caller(application).ask() as stream:
        start = stream.next().data
        conversation, message = start["conversation"]["id"], start["answer"]["id"]
        # Another worker has it from the database: it is written.
        with caller_elsewhere(application, stream.worker).follow(message) as second:
            assert [second.next().name, second.next().data] == ["start", {"content": "Hello"}]
            for worker in application.workers:
                os.kill(worker, signal.SIGKILL)
    until(lambda: _status(application, conversation) == "interrupted")
    assert messages(application, conversation)[-1]["content"] == "Hello"


def _status(application: ChatApplication, conversation: str) -> str | None:
    try:
        return str(messages(application, conversation)[-1]["status"])
    except requests.RequestException:
        return None


def test_restarts_lose_nothing(tmp_path: Path, vllm: ScriptedVllm) -> None:
    with ChatApplication(tmp_path, vllm.base_url) as application:
        # Killed in the middle of an answer: interrupted at the next start.
        vllm.script = Script(hold=True)
        with asking(application) as events:
            killed = next(events)[1]["conversation"]["id"]
            assert next(events)[0] == "delta"
            application.stop(signal.SIGKILL)
        vllm.reset()
        application.start()
        assert messages(application, killed)[-1]["status"] == "interrupted"
        # Stopped in the middle of an answer: the answer comes to its end first.
        vllm.script = Script(hold=True)
        with asking(application) as events:
            drained = next(events)[1]["conversation"]["id"]
            assert next(events)[0] == "delta"
            os.kill(application.pid, signal.SIGTERM)
            vllm.release()
            assert list(events)[-1][1]["status"] == "complete"
        application.stop()
        with closing(opened(tmp_path)) as database, database.read() as session:
            answer = conversations.path(session, UUID(drained))[-1]
    assert (answer.status, answer.content) == ("complete", "Hello from the script.")


def test_it_refuses_to_start_with_one_clear_sentence(tmp_path: Path) -> None:
    write_files(tmp_path / "files")
    said = subprocess.run(
        [sys.executable, "-m", "chatbot"],
        cwd=ROOT,
        env={
            **os.environ,
            **environment(tmp_path, "http://vllm-server:8000/v1"),
            "ARCHI_PUBLISHED_BIND": "0.0.0.0",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert said.returncode == 2
    assert said.stderr.startswith("chatbot: cannot start. ARCHI_PUBLISHED_BIND='0.0.0.0'")
    assert "Traceback" not in said.stderr


def test_it_refuses_to_start_without_its_session_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (write_files(tmp_path / "files") / "secrets" / "session_key").unlink()
    for name, value in environment(tmp_path, "http://vllm-server:8000/v1").items():
        monkeypatch.setenv(name, value)
    assert main([]) == 2
    said = capsys.readouterr().err
    assert said.startswith("chatbot: cannot start.")
    assert "session_key" in said
