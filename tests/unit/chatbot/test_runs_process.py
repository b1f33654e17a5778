"""Answers while the process ends, the database is away, or a reader is slow."""

from __future__ import annotations

import json
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import pytest

from chatbot.data.tables import Message
from tests.answer_stream import Caller, caller_elsewhere, held
from tests.chat_application import ChatApplication, until
from tests.chat_database import opened, unwritable
from tests.scripted_vllm import Script, ScriptedVllm

TEXT = "Hello from the script."


@pytest.fixture
def drain_seconds() -> int:
    """Longer than any answer here takes that its test lets end."""
    return 120


@pytest.fixture
def application(
    tmp_path: Path, vllm: ScriptedVllm, drain_seconds: int
) -> Iterator[ChatApplication]:
    limits = {"ARCHI_MAX_STREAMS": "4", "ARCHI_LEAVE_GRACE": "60"}
    limits["ARCHI_DRAIN_TIMEOUT"] = str(drain_seconds)
    with ChatApplication(tmp_path, vllm.base_url, **limits) as running:
        yield running
        vllm.release()


def saved(application: ChatApplication, message: str) -> tuple[str, str]:
    """Status and content of a message in the database."""
    with closing(opened(application.folder)) as database, database.read() as session:
        row = session.get_one(Message, UUID(message))
        return row.status, row.content


def test_sigterm_lets_answers_end_and_takes_no_new_ones(
    application: ChatApplication, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(hold=True)
    with Caller(application).ask() as stream:
        _, message = held(stream)
        kept = Caller(application)

        def question() -> Iterator[bytes]:
            os.kill(application.pid, signal.SIGTERM)
            until(lambda: _refuses_connections(application))
            yield b'{"content": "Hello?"}'

        # A request that is open already gets its answer; new connections are refused.
        refused = kept.send(kept.conversation(), question())
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "shutting_down"
        assert int(refused.headers["Retry-After"]) > 0
        vllm.release()
        end = list(stream)[-1].data
        assert (end["status"], end["content"], end["saved"]) == ("complete", TEXT, True)
    application.stop()
    assert saved(application, message) == ("complete", TEXT)


def test_sigterm_lets_an_answer_end_that_is_read_on_another_worker(
    application: ChatApplication, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(hold=True)
    caller = Caller(application)
    with caller.ask() as stream:
        _, message = held(stream)
    with caller_elsewhere(application, caller.worker).follow(message) as other:
        assert [other.next().name for _ in range(2)] == ["start", "delta"]
        os.kill(application.pid, signal.SIGTERM)
        until(lambda: _refuses_connections(application))
        vllm.release()
        assert list(other)[-1].data["status"] == "complete"
    application.stop()
    assert saved(application, message) == ("complete", TEXT)


@pytest.mark.parametrize("drain_seconds", [6])
def test_an_answer_that_outlasts_the_draining_is_saved_as_interrupted(
    application: ChatApplication, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(hold=True)
    with Caller(application).ask() as stream:
        _, message = held(stream)
        os.kill(application.pid, signal.SIGTERM)
        end = list(stream)[-1].data
        assert (end["status"], end["saved"]) == ("interrupted", True)
    application.stop()
    assert saved(application, message) == ("interrupted", "Hello")
    assert vllm.wait(lambda server: server.running == 0)


def _refuses_connections(application: ChatApplication) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", application.port)) != 0


def test_an_answer_goes_on_without_its_database_and_is_saved_when_that_is_back(
    application: ChatApplication, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(hold=True)
    with Caller(application).ask() as stream:
        _, message = held(stream)
        with unwritable(application.folder):
            vllm.release()
            end = next(event for event in stream if event.name == "end")
            assert (end.data["status"], end.data["content"]) == ("complete", TEXT)
            assert end.data["saved"] is False
            assert saved(application, message) == ("streaming", "")
        [last] = stream
        assert (last.name, last.data) == ("saved", {})
    assert saved(application, message) == ("complete", TEXT)
    # Whoever reads it later gets the same events.
    events = list(Caller(application).follow(message))
    assert [event.name for event in events if event.name != "delta"] == ["start", "end", "saved"]
    assert "".join(event.data["content"] for event in events if event.name == "delta") == TEXT


def test_a_reader_who_does_not_read_costs_bounded_memory_and_holds_nobody_up(
    application: ChatApplication, vllm: ScriptedVllm
) -> None:
    # Ten MiB, more than the kernel's buffers of a connection take.
    vllm.script = Script(tokens=["x" * 16384], repeat=640)
    caller = Caller(application)
    conversation = caller.conversation()
    address = urlsplit(application.url)
    body = json.dumps({"content": "Hello?"})
    with socket.create_connection((address.hostname, address.port)) as lazy:
        lazy.sendall(
            f"POST /api/conversations/{conversation}/messages HTTP/1.1\r\n"
            f"Host: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )
        until(lambda: vllm.completed == 1, 60)
        until(lambda: caller.messages(conversation)[-1]["status"] == "complete", 60)
        answer = caller.messages(conversation)[-1]
        assert len(answer["content"]) == 640 * 16384
        grown = [_memory(worker) for worker in application.workers]
        # The next answers find the memory of the one before.
        with caller.follow(answer["id"]) as stream:
            assert list(stream)[-1].data["status"] == "complete"
        assert max(grown) < 600
        vllm.script = Script()
        assert list(Caller(application).ask())[-1].data["status"] == "complete"


def _memory(pid: int) -> float:
    """A process's resident memory in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024
