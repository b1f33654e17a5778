"""Hub, model, registry and clock, asked of servers on loopback."""

from __future__ import annotations

import email.utils
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from archi.doctor.network_checks import (
    Answer,
    ask,
    clock,
    engines_lead,
    hub,
    model,
    model_url,
)
from archi.settings import from_mapping
from tests.hub_server import HubServer

MODEL = "org/tiny"


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, what answers is heard."""
    monkeypatch.setattr("archi.doctor.network_checks._SECONDS", 60)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text("{}")
    return tmp_path


def looked(server: HubServer, *, name: str = MODEL, revision: str = "main", token: str = "") -> str:
    answer = ask(model_url(server.endpoint, name, revision), token or None)
    return model(name, answer, token=bool(token), sealed=False).found


def test_an_open_model_can_be_read(files: Path) -> None:
    with HubServer(files, MODEL) as server:
        assert looked(server) == "org/tiny can be read without a token."


def test_each_refusal_of_the_hub_is_told_apart(files: Path) -> None:
    with HubServer(files, MODEL) as server:
        assert "is not on the hub" in looked(server, name="org/other")
        assert "no such revision" in looked(server, revision="v9")
        server.gated = True
        assert "is gated" in looked(server)
        server.gated = False
        (files / "config.json").rename(files / "other.json")
        assert "no config.json" in looked(server)


def test_a_private_model_is_read_with_the_right_token_only(files: Path) -> None:
    with HubServer(files, MODEL, token="right") as server:
        assert "is private" in looked(server)
        assert looked(server, token="right") == "org/tiny can be read with your token."
        assert "does not know the token" in looked(server, token="wrong")


def test_a_token_that_only_pulumi_can_read_is_not_blamed() -> None:
    finding = model(MODEL, Answer(403, "GatedRepo"), token=False, sealed=True)
    assert finding.state == "note"
    assert "HF_TOKEN" in finding.mend


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (Answer(200), "ok"),
        (Answer(307), "ok"),
        (Answer(401), "problem"),
        (Answer(404), "problem"),
        (Answer(429, said="HTTP 429"), "warning"),
        (Answer(503, said="HTTP 503"), "skipped"),
        (Answer(None, said="no connection"), "skipped"),
    ],
)
def test_a_hub_that_names_no_error_is_understood_by_its_status(answer: Answer, state: str) -> None:
    assert model(MODEL, answer, token=False, sealed=False).state == state


@contextmanager
def server(status: int, headers: dict[str, str]) -> Iterator[tuple[str, list[str]]]:
    """A server that answers all alike; gives its address and the Authorization headers it saw."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            seen.append(self.headers.get("Authorization", ""))
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            return

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{listening.server_port}", seen
    listening.shutdown()
    listening.server_close()


def test_a_redirect_does_not_carry_the_token_away() -> None:
    with server(200, {}) as (elsewhere, seen), server(302, {"Location": elsewhere}) as (hub_, _):
        assert ask(hub_, "secret").status == 302
    assert seen == []


def test_the_token_goes_to_the_hub() -> None:
    with server(200, {}) as (address, seen):
        ask(address, "secret")
    assert seen == ["Bearer secret"]


def test_a_service_that_is_out_of_order_does_not_answer() -> None:
    with server(502, {}) as (address, _):
        assert not ask(address).answers


def test_why_nothing_answers_is_told() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))  # and nobody listens
        assert ask(f"http://127.0.0.1:{probe.getsockname()[1]}").said == "no connection"
    assert ask("http://name.invalid").said == "its name is not known"


def test_a_silent_hub_is_a_problem_unless_weights_were_brought_before() -> None:
    silent, settings = Answer(None, said="no connection"), from_mapping("bot", {})
    assert hub("https://hub", silent, settings, kept=False).state == "problem"
    assert hub("https://hub", silent, settings, kept=True).state == "warning"
    assert hub("https://hub", silent, None, kept=False).state == "warning"
    assert hub("https://hub", Answer(401), settings, kept=False).state == "ok"


def test_the_networks_clock_is_read_from_its_answer() -> None:
    with server(200, {"Date": email.utils.formatdate(time.time() + 3600)}) as (address, _):
        ahead = ask(address).ahead
    assert ahead == pytest.approx(3600, abs=60)  # the machine may pause in between
    [finding] = clock(None, ahead)
    assert finding.state == "warning"
    assert "behind the network's" in finding.found


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_a_server_without_a_time_tells_none(date: str) -> None:
    with server(200, {"Date": date} if date else {}) as (address, _):
        assert ask(address).ahead is None


def test_clocks_that_agree_are_fine_and_none_is_nobody_to_ask() -> None:
    assert [one.state for one in clock(0.4, -1.2)] == ["ok"]
    assert [one.state for one in clock(None, None)] == ["skipped"]
    assert [one.state for one in clock(-120, None)] == ["warning"]


@pytest.mark.parametrize(
    ("told", "lead"),
    [
        ("2026-11-25T03:00:10.123456789Z", 10.1),
        ("2026-11-25T04:00:10.5+01:00", 10.5),
        ("2026-11-25T03:00:00Z", 0),
        ("", None),
        ("soon", None),
    ],
)
def test_the_engines_clock_is_read_as_go_writes_it(told: str, lead: float | None) -> None:
    asked_at = 1795575600.0  # 2026-11-25 03:00 UTC
    found = engines_lead(told, asked_at)
    assert found == (lead if lead is None else pytest.approx(lead, abs=0.1))
