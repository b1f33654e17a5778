"""The checks against a scripted vLLM and the real chat application: each way to fail."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from archi.cli.exit_codes import ExitCode
from archi.smoke import Check, Endpoints, Report, SmokeError, State, Wire, ask, run
from archi.smoke.transport import NoWay
from tests.chat_application import ChatApplication, until
from tests.scripted_vllm import MODEL, ScriptedVllm
from tests.unit.smoke.conftest import Desk, Page, of

NAMES = ["reachable", "model", "completion", "stream", "tool-call"]
ALL = [f"{service}-{name}" for service in ("vllm", "chat") for name in NAMES]


def states(report: Report) -> dict[str, State]:
    return {check.name: check.state for check in report.checks}


def check(report: Report, name: str) -> Check:
    return next(check for check in report.checks if check.name == name)


def failure(report: Report) -> Check:
    """The one check that failed."""
    (only,) = report.failed
    return only


def stream_given_up(asked: Endpoints) -> bool:
    """Whether of vLLM's checks only the stream was given up; on a slow machine others may be."""
    failed = [one for one in run(asked, seconds=2).failed if one.name.startswith("vllm-")]
    return [one.name for one in failed] == ["vllm-stream"] and (
        "was not at its end in time" in failed[0].detail
    )


def test_all_is_well_where_a_tool_is_called(endpoints: Endpoints, vllm: ScriptedVllm) -> None:
    vllm.script.tool_calls = [("get_weather", '{"city": "Paris"}')]
    told: list[Check] = []
    report = run(endpoints, told.append)
    assert states(report) == dict.fromkeys(ALL, State.OK)
    assert told == list(report.checks)
    assert (report.ok, report.exit_code) == (True, ExitCode.OK)
    assert report.answer == "Hello from the script."
    assert check(report, "vllm-model").detail == f"vLLM serves {MODEL}"
    assert check(report, "vllm-tool-call").detail == 'get_weather({"city": "Paris"})'
    assert [one.wire for one in report.checks] == [
        *[Wire.VLLM] * 5,
        Wire.CHAT,
        *[Wire.BEHIND_CHAT] * 4,
    ]


def test_what_is_asked_is_a_stream_and_a_tool_by_name(
    endpoints: Endpoints, vllm: ScriptedVllm
) -> None:
    run(endpoints)
    assert [bool(asked.get("stream")) for asked in vllm.requests] == [False, True, False] * 2
    for asked in (vllm.requests[2], vllm.requests[5]):
        assert asked["tool_choice"] == {"type": "function", "function": {"name": "get_weather"}}
        assert asked["tools"][0]["function"]["parameters"]["required"] == ["city"]


@pytest.mark.parametrize(
    ("calls", "said"),
    [
        ([], "the model called no tool; it said “Hello from the script.”"),
        (
            [("get_weather", '{"city": "Par')],
            'the model called get_weather({"city": "Par): no JSON',
        ),
        ([("get_weather", "{}")], "the model called get_weather({}), without its city"),
        ([("get_weather", "[]")], "the model called get_weather([]), without its city"),
        (
            [("get_weather", '{"city": 7}')],
            'the model called get_weather({"city": 7}); its city is no text',
        ),
        ([("fetch", '{"city": "x"}')], 'the model called fetch({"city": "x"}), not get_weather'),
    ],
)
def test_a_model_that_is_no_good_at_tools_is_a_note(
    endpoints: Endpoints, vllm: ScriptedVllm, calls: list[tuple[str, str]], said: str
) -> None:
    vllm.script.tool_calls = calls
    report = run(endpoints)
    for name in ("vllm-tool-call", "chat-tool-call"):
        assert (check(report, name).state, check(report, name).detail) == (State.NOTE, said)
    assert report.exit_code is ExitCode.OK


def test_a_refused_tool_call_is_a_failure(endpoints: Endpoints, vllm: ScriptedVllm) -> None:
    vllm.script.tool_error = (400, '"auto" tool choice requires --enable-auto-tool-choice')
    report = run(endpoints)
    assert report.exit_code is ExitCode.SMOKE_TOOLS
    at_vllm, at_chat = report.failed
    assert (at_vllm.name, at_vllm.wire) == ("vllm-tool-call", Wire.VLLM)
    assert '/chat/completions answered 400: "auto" tool choice requires' in at_vllm.detail
    assert (at_chat.name, at_chat.wire) == ("chat-tool-call", Wire.BEHIND_CHAT)
    assert at_chat.code is ExitCode.SMOKE_CHAT


def test_a_model_that_only_reasons_in_so_few_tokens_has_answered(
    endpoints: Endpoints, vllm: ScriptedVllm
) -> None:
    vllm.script.tokens, vllm.script.reasoning = [], ["The user", " greets me"]
    report = run(endpoints)
    assert report.ok
    assert report.answer == "The user greets me"


def test_another_model_than_the_expected_one_is_named_with_the_one_that_is_there(
    endpoints: Endpoints, vllm: ScriptedVllm
) -> None:
    report = run(replace(endpoints, model="o/other"))
    assert report.exit_code is ExitCode.SMOKE_MODEL_MISSING
    found = report.failed[0]
    assert found.name == "vllm-model"
    assert found.detail == f"{vllm.base_url} serves {MODEL}, not o/other"
    assert found.mend.startswith("`pulumi up`")
    assert states(report)["vllm-completion"] is State.SKIPPED
    assert check(report, "vllm-completion").detail == "vllm-model failed"
    assert check(report, "vllm-tool-call").detail == "vllm-model failed"
    given = replace(endpoints, model="o/other", given=frozenset({"SMOKE_VLLM_MODEL"}))
    assert run(given).failed[0].mend.startswith(f"SMOKE_VLLM_MODEL={MODEL}")


def test_a_vllm_that_is_not_there_leaves_the_way_through_the_chat_application_to_be_tried(
    endpoints: Endpoints, nowhere: str
) -> None:
    given = frozenset({"SMOKE_VLLM_BASE_URL"})
    report = run(replace(endpoints, vllm_url=f"{nowhere}/v1", given=given))
    found = failure(report)
    assert (found.name, found.wire) == ("vllm-reachable", Wire.VLLM)
    assert found.detail == f"{nowhere}/v1/models can't be reached (nothing listens there)"
    assert found.mend.startswith("SMOKE_VLLM_BASE_URL says that address")
    assert report.exit_code is ExitCode.SMOKE_VLLM_UNREACHABLE
    assert [states(report)[f"vllm-{name}"] for name in NAMES[1:]] == [State.SKIPPED] * 4
    assert states(report)["chat-completion"] is State.OK
    assert report.answer == "Hello from the script."


def test_the_mend_names_the_deployments_own_container(endpoints: Endpoints, nowhere: str) -> None:
    found = run(replace(endpoints, vllm_url=f"{nowhere}/v1")).failed[0]
    assert "`docker logs vllm-server-bot`" in found.mend
    assert "`pulumi up --refresh -s bot`" in found.mend
    found = run(replace(endpoints, chat_url=nowhere)).failed[0]
    assert "`docker logs chatbot-bot`" in found.mend


def test_a_name_that_is_not_known_is_told_from_a_silent_host(endpoints: Endpoints) -> None:
    found = run(replace(endpoints, vllm_url="http://nowhere.invalid/v1")).failed[0]
    assert "the name of its host is not known" in found.detail
    assert "where it runs" in found.mend


def test_https_where_http_is_spoken_is_said(endpoints: Endpoints) -> None:
    def answer() -> None:
        taken, _ = listener.accept()
        with taken:
            taken.recv(4096)
            taken.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=answer, daemon=True)
        server.start()
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/v1"
        found = run(replace(endpoints, vllm_url=url)).failed[0]
        server.join(5)
    assert "it does not speak TLS" in found.detail
    assert "http://" in found.mend


def test_a_chat_application_that_is_not_there_is_its_own_failure(
    endpoints: Endpoints, nowhere: str
) -> None:
    report = run(replace(endpoints, chat_url=nowhere))
    found = failure(report)
    assert (found.name, found.wire) == ("chat-reachable", Wire.CHAT)
    assert report.exit_code is ExitCode.SMOKE_CHAT_UNREACHABLE
    assert states(report)["vllm-tool-call"] is State.NOTE


def test_vllm_lost_behind_the_chat_application_is_told_from_the_chat_application_lost(
    vllm: ScriptedVllm, chat: ChatApplication
) -> None:
    vllm.stop()
    try:
        with ScriptedVllm() as there:
            report = run(of(chat_url=chat.url, vllm_url=there.base_url))
    finally:
        vllm.start_again()
    found = failure(report)
    assert (found.name, found.wire) == ("chat-model", Wire.BEHIND_CHAT)
    assert f"The model server at {vllm.base_url} does not answer" in found.detail
    assert found.mend.startswith("It may still be starting")
    assert report.exit_code is ExitCode.SMOKE_CHAT


@pytest.mark.parametrize("status", [400, 500])
def test_a_refused_completion_is_told_with_the_servers_words(
    endpoints: Endpoints, vllm: ScriptedVllm, status: int
) -> None:
    vllm.script.error = (status, "the words of vLLM")
    report = run(endpoints)
    assert report.exit_code is ExitCode.SMOKE_COMPLETION
    at_vllm, at_chat = report.failed
    assert f"answered {status}: the words of vLLM" in at_vllm.detail
    assert "the words of vLLM" in at_chat.detail
    assert (at_chat.wire, at_chat.code) == (Wire.BEHIND_CHAT, ExitCode.SMOKE_CHAT)
    assert check(report, "vllm-stream").detail == "vllm-completion failed"


def test_an_empty_answer_is_none(endpoints: Endpoints, vllm: ScriptedVllm) -> None:
    vllm.script.tokens = ["  "]
    report = run(endpoints)
    assert report.exit_code is ExitCode.SMOKE_COMPLETION
    assert "it gave an empty answer" in report.failed[0].detail
    assert "chat template" in report.failed[0].mend
    assert report.failed[1].wire is Wire.BEHIND_CHAT


@pytest.mark.parametrize(
    ("how", "at_vllm", "at_chat"),
    [
        ({"cut": "abort"}, "the connection broke after 6 chunks", "does not answer"),
        ({"cut": "end"}, "the stream ended after 6 chunks, without a finish_reason", "ended the"),
        (
            {"in_band_error": "engine died"},
            "the stream broke after 6 chunks: engine died",
            "engine",
        ),
    ],
)
def test_a_broken_stream_is_a_failure_where_it_broke(
    endpoints: Endpoints, vllm: ScriptedVllm, how: dict[str, str], at_vllm: str, at_chat: str
) -> None:
    for name, value in how.items():
        setattr(vllm.script, name, value)
    report = run(endpoints)
    assert report.exit_code is ExitCode.SMOKE_STREAM
    first, second = report.failed
    assert (first.name, first.wire, first.detail) == ("vllm-stream", Wire.VLLM, at_vllm)
    assert (second.name, second.wire) == ("chat-stream", Wire.BEHIND_CHAT)
    assert at_chat in second.detail
    assert states(report)["vllm-tool-call"] is State.NOTE


def sse(*data: str) -> Page:
    return Page(content="".join(f"data: {one}\n\n" for one in data), kind="text/event-stream")


def at_desk(desk: Desk, answer: Page) -> Endpoints:
    """A chat application that lists the model and answers chats so."""
    desk.pages = {
        "/healthz": Page(),
        "/v1/models": Page(content=json.dumps({"data": [{"id": MODEL}]})),
        "/v1/chat/completions": answer,
    }
    return of(chat_url=desk.url, vllm_url=f"{desk.url}/v1")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Page(content="<html>"), "its answer is no JSON: <html>"),
        (Page(content=""), "its answer is no JSON: nothing"),
        (Page(content="[]"), "it gave no completion: []"),
        (Page(content='{"choices": [{"message": "Hello"}]}'), "it gave no completion"),
        (Page(content='{"choices": [', cut=True), "the answer was cut"),
        (Page(502, "Bad Gateway", "text/html"), "answered 502: Bad Gateway"),
        (Page(302, headers={"Location": "/login"}), "answered 302: it leads to /login"),
    ],
)
def test_what_is_no_completion_is_shown(desk: Desk, answer: Page, said: str) -> None:
    report = run(at_desk(desk, answer))
    assert [one.name for one in report.failed] == ["vllm-completion", "chat-completion"]
    assert [one.wire for one in report.failed] == [Wire.VLLM, Wire.CHAT]
    assert all(said in one.detail and one.mend for one in report.failed)


def test_a_chat_application_that_is_something_else_is_not_taken_for_it(desk: Desk) -> None:
    found = run(of(chat_url=desk.url, vllm_url=f"{desk.url}/v1")).failed
    assert [one.name for one in found] == ["vllm-reachable", "chat-reachable"]
    assert "answered 404" in found[0].detail
    assert "must end in /v1" in found[0].mend


def test_a_list_that_is_none_is_shown(desk: Desk) -> None:
    desk.pages["/v1/models"] = Page(content='{"models": []}')
    found = run(of(chat_url=None, vllm_url=f"{desk.url}/v1")).failed[0]
    assert found.detail == 'it lists no models: {"models": []}'


def test_an_answer_that_takes_too_long_is_said_with_the_time_it_had(
    endpoints: Endpoints, vllm: ScriptedVllm
) -> None:
    vllm.script.hang = "headers"
    report = run(endpoints, seconds=2)
    assert [one.name for one in report.failed] == ["vllm-completion", "chat-completion"]
    assert "did not answer within 2 s" in report.failed[0].detail
    assert "`--timeout`" in report.failed[0].mend


@pytest.mark.parametrize("hang", ["first", "last"])
def test_a_stream_that_stops_in_the_middle_is_not_waited_for_for_ever(
    endpoints: Endpoints, vllm: ScriptedVllm, hang: str
) -> None:
    vllm.script.hang = hang
    asked = replace(endpoints, chat_url=None)
    until(lambda: stream_given_up(asked))


def test_vllms_key_is_sent_where_it_is_asked_for(desk: Desk) -> None:
    answer = {"choices": [{"message": {"content": "Hello."}}]}
    asked = replace(at_desk(desk, Page(content=json.dumps(answer))), vllm_key=lambda: "a-key")
    run(replace(asked, chat_url=None))
    assert set(desk.keys_seen) == {""}
    desk.key = "a-key"
    desk.keys_seen.clear()
    run(replace(asked, chat_url=None))
    assert desk.keys_seen[:3] == ["", "a-key", "a-key"]  # once without, and then with it


def test_a_missing_key_and_a_wrong_one_are_told_apart(
    endpoints: Endpoints, vllm: ScriptedVllm
) -> None:
    vllm.api_key = "the-key"
    report = run(endpoints)
    assert report.exit_code is ExitCode.SMOKE_KEY_REFUSED
    assert report.failed[0].detail.endswith("asks for an API key.")
    assert "SMOKE_VLLM_API_KEY=…" in report.failed[0].mend
    behind = report.failed[1]
    assert (behind.wire, behind.code) == (Wire.BEHIND_CHAT, ExitCode.SMOKE_KEY_REFUSED)
    wrong = run(replace(endpoints, vllm_key=lambda: "wrong-key-91"))
    assert "does not take the API key that was sent" in wrong.failed[0].detail
    assert "wrong-key-91" not in json.dumps(wrong.as_dict())
    assert "wrong-key-91" not in repr(endpoints)


def test_a_guarded_chat_application_gets_its_own_key_and_vllms_never(desk: Desk) -> None:
    desk.key = "chat-key"
    asked = at_desk(desk, Page(content='{"choices": [{"message": {"content": "Hello."}}]}'))
    asked = replace(asked, vllm_url=None, vllm_key=lambda: "vllm-key")
    found = run(asked).failed[0]
    assert (found.name, found.wire) == ("chat-reachable", Wire.CHAT)
    assert "SMOKE_CHAT_API_KEY=…" in found.mend
    report = run(replace(asked, chat_key=lambda: "chat-key"))
    assert states(report)["chat-completion"] is State.OK
    assert "vllm-key" not in desk.keys_seen


def test_a_model_server_alone_is_asked_alone(endpoints: Endpoints) -> None:
    report = run(replace(endpoints, chat_url=None))
    assert [one.name for one in report.checks] == ALL[:5]
    assert report.ok


def inside(vllm_url: str, chat_url: str, folder: Path) -> Callable[[Sequence[str]], str]:
    """Runs commands as the chat container does: with its environment and its files."""
    environment = {
        "PATH": os.environ["PATH"],
        "VLLM_BASE_URL": vllm_url,
        "ARCHI_LISTEN": f"0.0.0.0:{chat_url.rsplit(':', 1)[1]}",
        "ARCHI_FILES": str(folder),
    }

    def execute(command: Sequence[str]) -> str:
        program = [sys.executable, *command[1:]]
        done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    return execute


def test_a_vllm_that_is_not_published_is_asked_by_the_chat_container_with_its_key(
    endpoints: Endpoints, vllm: ScriptedVllm, chat: ChatApplication, tmp_path: Path
) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/vllm_api_key").write_text("inside-key\n")
    execute = inside(vllm.base_url, chat.url, tmp_path)
    report = run(replace(endpoints, vllm_url=None, execute=execute))
    assert report.ok
    assert {one.wire for one in report.checks} == {Wire.BEHIND_CHAT, Wire.CHAT}
    assert check(report, "vllm-reachable").detail == (
        f"{vllm.base_url}, asked in the chat container"
    )
    assert "chunks, the first after" in check(report, "vllm-stream").detail
    assert vllm.headers[0]["authorization"] == "Bearer inside-key"


def test_what_breaks_inside_is_told_as_what_breaks_here(
    vllm: ScriptedVllm, chat: ChatApplication, tmp_path: Path, nowhere: str
) -> None:
    execute = inside(vllm.base_url, chat.url, tmp_path)
    asked = of(chat_url=chat.url, vllm_url=None, execute=execute)
    vllm.script.cut = "abort"
    found = run(asked).failed[0]
    assert (found.name, found.wire) == ("vllm-stream", Wire.BEHIND_CHAT)
    assert found.detail == "the connection broke after 6 chunks"
    vllm.reset()
    vllm.script.hang = "last"
    until(lambda: stream_given_up(asked))
    vllm.reset()
    gone = replace(asked, execute=inside(f"{nowhere}/v1", chat.url, tmp_path))
    found = run(gone).failed[0]
    assert (found.name, found.wire) == ("vllm-reachable", Wire.BEHIND_CHAT)
    assert found.detail == f"{nowhere}/v1/models can't be reached (nothing listens there)"
    assert found.code is ExitCode.SMOKE_VLLM_UNREACHABLE


def test_where_nobody_can_ask_vllm_the_chat_application_has_to_prove_it(
    endpoints: Endpoints,
) -> None:
    report = run(replace(endpoints, vllm_url=None))
    assert [states(report)[f"vllm-{name}"] for name in NAMES] == [State.SKIPPED] * 5
    assert check(report, "vllm-reachable").detail.startswith("vLLM is not published on this host")
    assert check(report, "vllm-stream").detail == "vllm-reachable was skipped"
    assert states(report)["chat-stream"] is State.OK
    assert report.ok


def test_a_container_that_can_not_ask_is_a_skip_that_says_so(endpoints: Endpoints) -> None:
    broken = replace(endpoints, vllm_url=None, execute=lambda _command: "python3: not found")
    assert "could not ask: python3: not found" in check(run(broken), "vllm-reachable").detail


def test_an_external_vllm_that_only_containers_reach_is_asked_there(
    endpoints: Endpoints, vllm: ScriptedVllm, chat: ChatApplication, tmp_path: Path
) -> None:
    outside = "http://nowhere.invalid/v1"
    execute = inside(vllm.base_url, chat.url, tmp_path)
    report = run(replace(endpoints, vllm_url=outside, execute=execute))
    assert report.ok
    first = check(report, "vllm-reachable")
    assert (first.state, first.wire) == (State.NOTE, Wire.BEHIND_CHAT)
    assert first.detail == (
        f"this machine does not reach {outside}; the chat container asks {vllm.base_url}"
    )
    assert check(report, "vllm-stream").wire is Wire.BEHIND_CHAT

    def nobody(_command: Sequence[str]) -> str:
        raise NoWay("none")

    found = run(replace(endpoints, vllm_url=outside, execute=nobody)).failed[0]
    assert (found.wire, outside in found.detail) == (Wire.VLLM, True)
    given = frozenset({"SMOKE_VLLM_BASE_URL"})  # an address that a person gave is the one meant
    asked = replace(endpoints, vllm_url=outside, execute=execute, given=given)
    assert run(asked).exit_code is ExitCode.SMOKE_VLLM_UNREACHABLE


def test_with_the_engine_elsewhere_all_is_asked_in_the_chat_container(
    vllm: ScriptedVllm, chat: ChatApplication, tmp_path: Path, nowhere: str
) -> None:
    execute = inside(vllm.base_url, chat.url, tmp_path)
    there = of(chat_url=nowhere, vllm_url=f"{nowhere}/v1", execute=execute, elsewhere=True)
    report = run(there)
    assert report.ok
    assert check(report, "chat-reachable").detail == f"{chat.url}, asked in the chat container"
    assert report.answer == "Hello from the script."


def test_what_answers_here_is_not_taken_for_the_deployment_of_another_machine(
    endpoints: Endpoints,
) -> None:
    report = run(replace(endpoints, elsewhere=True))
    found = failure(report)
    assert (found.name, found.code) == ("chat-reachable", ExitCode.SMOKE_CHAT_UNREACHABLE)
    assert found.detail.startswith("the Docker Engine is another machine's (DOCKER_HOST), and ")
    assert "`ssh -L`, and say so in SMOKE_CHAT_URL" in found.mend
    assert states(report)["vllm-reachable"] is State.SKIPPED
    tunnel = frozenset({"SMOKE_CHAT_URL", "SMOKE_VLLM_BASE_URL"})
    assert run(replace(endpoints, elsewhere=True, given=tunnel)).ok


def test_the_short_test_asks_for_the_model_and_one_answer(
    endpoints: Endpoints, vllm: ScriptedVllm
) -> None:
    said: list[str] = []
    assert ask(endpoints, said.append) == "Hello from the script."
    assert said[0].startswith(f"vLLM serves {MODEL} (")
    assert said[1].startswith("“Hello from the script.” (")
    assert len(vllm.requests) == 1


def test_the_short_test_asks_vllm_itself_where_there_is_no_chat_application(
    endpoints: Endpoints, vllm: ScriptedVllm
) -> None:
    assert ask(replace(endpoints, chat_url=None), lambda _line: None) == "Hello from the script."
    assert len(vllm.requests) == 1


def test_the_short_test_fails_with_wire_cause_and_mend(endpoints: Endpoints, nowhere: str) -> None:
    lost = replace(endpoints, chat_url=nowhere)
    with pytest.raises(SmokeError) as failed:
        ask(lost, lambda _line: None)
    assert str(failed.value).startswith(f"this machine → chat application: {nowhere}/v1/chat")
    assert "can't be reached (nothing listens there). Mend: `docker ps`" in str(failed.value)
    assert failed.value.code is ExitCode.SMOKE_CHAT_UNREACHABLE
