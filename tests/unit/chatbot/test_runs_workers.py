"""Answers with several workers: reloads, second tabs, stops and deletions land anywhere."""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from uuid import UUID

import pytest
import requests

from chatbot.data import run_log
from chatbot.data.database import Database
from chatbot.data.tables import now
from tests.answer_stream import Caller, Event, caller_elsewhere, held
from tests.chat_application import ChatApplication, until
from tests.chat_database import opened, unwritable
from tests.scripted_vllm import Script, ScriptedVllm

PLACES = 4
COMPLETIONS = 6
# Seconds: longer than a busy machine needs for a reload.
GRACE = 4
TEXT = "Hello from the script."


@pytest.fixture(scope="module")
def workers_process(
    tmp_path_factory: pytest.TempPathFactory, vllm_process: ScriptedVllm
) -> Iterator[ChatApplication]:
    folder = tmp_path_factory.mktemp("workers")
    limits = {
        "ARCHI_MAX_STREAMS": str(PLACES),
        "ARCHI_LEAVE_GRACE": str(GRACE),
        "ARCHI_RATE_COMPLETIONS": str(COMPLETIONS),
    }
    with ChatApplication(folder, vllm_process.base_url, **limits) as running:
        yield running


@pytest.fixture
def application(workers_process: ChatApplication, vllm: ScriptedVllm) -> Iterator[ChatApplication]:
    """The application with two workers, four places and some seconds of grace."""
    yield workers_process
    vllm.release()
    assert vllm.wait(lambda server: server.running == 0)


@pytest.fixture(scope="module")
def patient_application(
    tmp_path_factory: pytest.TempPathFactory, vllm_process: ScriptedVllm
) -> Iterator[ChatApplication]:
    """Another one, with a grace that no pause of the machine outlasts."""
    folder = tmp_path_factory.mktemp("patient")
    limits = {"ARCHI_LEAVE_GRACE": "120"}
    with ChatApplication(folder, vllm_process.base_url, **limits) as running:
        yield running


def said(events: list[Event]) -> str:
    return "".join(event.data.get("content", "") for event in events if event.name == "delta")


def test_a_second_tab_on_another_worker_gets_the_same_events(
    application: ChatApplication, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(hold=True)
    first = Caller(application).ask()
    _, message = held(first)
    other = caller_elsewhere(application, first.worker)
    with first, other.follow(message) as second:
        assert second.worker != first.worker
        seen = [second.next(), second.next()]
        assert [event.name for event in seen] == ["start", "delta"]
        vllm.release()
        rest, same = list(first), list(second)
        assert same == rest
        assert said([*seen, *same]) == TEXT
        ids = [event.id for event in [*seen, *same]]
        assert len(set(ids)) == len(ids)
        assert rest[-1].data["status"] == "complete"
        assert rest[-1].data["saved"] is True


def reader_seen_at(database: Database, message: str) -> datetime:
    with database.read() as session:
        run = run_log.newest(session, UUID(message))
    assert run is not None
    assert run.reader_seen_at is not None
    return run.reader_seen_at


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_reconnect_gets_exactly_what_follows(
    patient_application: ChatApplication, vllm: ScriptedVllm, elsewhere: bool
) -> None:
    vllm.script = Script(tokens=[f"{at} " for at in range(40)], delay=0.05)
    caller = Caller(patient_application)
    with caller.ask() as stream:
        seen = [stream.next() for _ in range(4)]
        again = Caller(patient_application)
        if elsewhere:
            again = caller_elsewhere(patient_application, caller.worker)
    message = seen[0].data["answer"]["id"]
    with again.follow(message, seen[-1].id) as stream:
        rest = list(stream)
    assert said(seen + rest) == "".join(vllm.script.tokens)
    numbers = [int(str(event.id).split(".")[1]) for event in seen + rest]
    assert numbers == list(range(1, len(numbers) + 1))
    assert rest[-1].data["status"] == "complete"


def test_an_answer_that_has_ended_can_still_be_read(
    application: ChatApplication, vllm: ScriptedVllm
) -> None:
    caller = Caller(application)
    events = list(caller.ask())
    message = events[0].data["answer"]["id"]
    for reader in (caller, caller_elsewhere(application, caller.worker)):
        assert list(reader.follow(message)) == events
        assert list(reader.follow(message, events[1].id)) == events[2:]
        # Nothing follows the end: then the message as it is.
        snapshot, end = reader.follow(message, events[-1].id)
        assert snapshot.name == "snapshot"
        assert snapshot.data["message"]["content"] == TEXT
        assert (end.name, end.data["status"]) == ("end", "complete")


def test_a_stop_on_another_worker_frees_the_model_within_a_third_of_a_second(
    application: ChatApplication, vllm: ScriptedVllm
) -> None:
    took = []
    for _ in range(5):
        vllm.reset()
        vllm.script = Script(hold=True)
        with Caller(application).ask() as stream:
            conversation, message = held(stream)
            other = caller_elsewhere(application, stream.worker)
            asked = time.monotonic()
            assert other.stop(message).json() == {"stopping": True}
            assert vllm.wait(lambda server: server.aborted == 1 and server.running == 0)
            took.append(time.monotonic() - asked)
            assert list(stream)[-1].data["status"] == "stopped"
        answer = other.messages(conversation)[-1]
        assert (answer["status"], answer["content"]) == ("stopped", "Hello")
        assert other.stop(message).json() == {"stopping": False}
    assert statistics.median(took) < 0.3, took


def test_a_stop_on_another_worker_does_not_wait_for_the_database(
    application: ChatApplication, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(hold=True)
    with Caller(application).ask() as stream:
        _, message = held(stream)
        other = caller_elsewhere(application, stream.worker)
        with unwritable(application.folder):
            assert other.stop(message).status_code == 503
            assert vllm.wait(lambda server: server.aborted == 1 and server.running == 0)
        assert "stopped" in [event.data.get("status") for event in stream]


def test_deleting_on_another_worker_ends_the_answer(
    application: ChatApplication, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(hold=True)
    with Caller(application).ask() as stream:
        conversation, message = held(stream)
        other = caller_elsewhere(application, stream.worker)
        assert other.delete(conversation).status_code == 204
        assert vllm.wait(lambda server: server.aborted == 1 and server.running == 0)
        end = list(stream)[-1]
        assert (end.name, end.data["saved"]) == ("end", False)
    assert other.stop(message).status_code == 404


def test_a_reload_within_the_grace_goes_on_and_an_answer_nobody_reads_is_ended(
    application: ChatApplication, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(hold=True)
    caller = Caller(application)
    with caller.ask() as stream:
        conversation, message = held(stream)
        elsewhere = caller_elsewhere(application, stream.worker)
    # The reader who came back is on another worker, and stays for longer than any grace.
    with elsewhere.follow(message) as stream:
        held(stream)
        came = time.monotonic()
        until(lambda: time.monotonic() - came > 2 * GRACE)
        assert vllm.running == 1
        left, left_at = time.monotonic(), now()
    with closing(opened(application.folder)) as database:
        until(lambda: reader_seen_at(database, message) >= left_at)
    assert vllm.wait(lambda server: server.aborted == 1 and server.running == 0)
    assert time.monotonic() - left >= GRACE
    until(lambda: elsewhere.messages(conversation)[-1]["status"] == "interrupted")
    assert elsewhere.messages(conversation)[-1]["content"] == "Hello"


def test_a_killed_worker_leaves_an_interrupted_answer_with_its_text(
    application: ChatApplication, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(hold=True)
    with Caller(application).ask() as stream:
        conversation, message = held(stream)
        other = caller_elsewhere(application, stream.worker)
        with other.follow(message) as second:
            seen = [second.next(), second.next()]
            os.kill(stream.worker, signal.SIGKILL)
            # Whoever reads on another worker sees it end.
            end = second.next()
            assert (end.name, end.data["status"]) == ("end", "interrupted")
            assert end.data["content"] == "Hello"
    # Whoever was on the killed one comes back with what it knew, be it more than was written.
    mark, _, seq = str(seen[-1].id).partition(".")
    snapshot, end = other.follow(message, f"{mark}.{int(seq) + 5}")
    assert snapshot.data["message"]["content"] == "Hello"
    assert other.messages(conversation)[-1]["status"] == "interrupted"
    # Its places are free again.
    assert vllm.wait(lambda server: server.running == 0)
    until(lambda: len(application.workers) == 2)
    streams = [Caller(application).ask() for _ in range(PLACES)]
    for open_stream in streams:
        held(open_stream)
    vllm.release()
    assert [list(one)[-1].data["status"] for one in streams] == ["complete"] * PLACES


def test_with_all_places_taken_every_worker_refuses_and_still_answers_at_once(
    application: ChatApplication, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(tokens=["word "], delay=0.02, endless=True)
    busy = Caller(application)
    streams = [busy.ask()]
    streams += [Caller(application).ask() for _ in range(PLACES - 1)]
    for caller in (busy, caller_elsewhere(application, streams[0].worker)):
        refused = caller.post(caller.conversation())
        assert refused.status_code == 503
        assert int(refused.headers["Retry-After"]) > 0
        assert refused.json()["error"]["code"] == "too_many_streams"

    def healthy(_: int) -> float:
        asked = time.monotonic()
        assert requests.get(f"{application.url}/healthz", timeout=60).status_code == 200
        return time.monotonic() - asked

    with ThreadPoolExecutor(4) as pool:
        took = list(pool.map(healthy, range(40)))
    assert statistics.median(took) < 0.1, took
    for stream in streams:
        stop = Caller(application).stop(stream.next().data["answer"]["id"])
        assert stop.json() == {"stopping": True}
        assert list(stream)[-1].data["status"] == "stopped"


def test_a_rate_counts_what_is_asked_of_all_workers_together(application: ChatApplication) -> None:
    first = Caller(application)
    second = caller_elsewhere(application, first.worker)
    asked = [caller.complete() for caller in (first, second) for _ in range(COMPLETIONS // 2)]
    assert [answer.status_code for answer in asked] == [200] * COMPLETIONS
    # Neither has been asked for as many, and both refuse the next one.
    for caller in (first, second):
        refused = caller.complete()
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "rate_limited"
        assert 0 < int(refused.headers["Retry-After"]) <= 60
