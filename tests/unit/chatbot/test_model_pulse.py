"""Whether the engine behind an API that lives still generates."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from chatbot.failures import Failure
from chatbot.model.pulse import Pulse
from chatbot.model.server import ModelServer, Progress, http_client
from tests.chat_application import Chat, until
from tests.scripted_vllm import MODEL, ScriptedVllm

# Seconds of silence after which the engine is said to hang, with other requests and without.
BUSY, IDLE = 0.4, 0.1
# The same where it is not to be said, however slow the machine is.
PATIENCE = 60.0


@pytest.fixture
def vllm() -> Iterator[ScriptedVllm]:
    """A server of the test's own: applications of the session ask for tokens as well."""
    with ScriptedVllm() as server:
        yield server


@pytest.fixture(autouse=True)
def _patient_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("chatbot.model.server", "chatbot.health"):
        monkeypatch.setattr(f"{module}.PROBE_TIMEOUT", PATIENCE)


def looked(
    vllm: ScriptedVllm,
    steps: Callable[[Pulse, ModelServer], Coroutine[Any, Any, None]],
    *,
    busy: float = PATIENCE,
    idle: float = PATIENCE,
) -> Failure | None:
    """Do something with a pulse; gives what it says then."""

    async def run() -> Failure | None:
        async with http_client(vllm.base_url, "EMPTY") as client:
            server = ModelServer(vllm.base_url, client)
            pulse = Pulse(server, lambda: MODEL, every=30, busy=busy, idle=idle)
            await steps(pulse, server)
            return pulse.failure

    return asyncio.run(run())


def test_an_idle_model_is_asked_for_a_token_and_a_busy_one_is_not(vllm: ScriptedVllm) -> None:
    async def steps(pulse: Pulse, server: ModelServer) -> None:
        assert await pulse.look()
        assert await pulse.look()
        assert vllm.tokens_asked == 2
        vllm.steps += 5
        assert await pulse.look()
        assert vllm.tokens_asked == 2
        assert await pulse.look()
        assert vllm.tokens_asked == 3
        # Started again, it counts from the beginning: its first token is not the first reader's.
        vllm.steps = 0
        assert await pulse.look()
        assert vllm.tokens_asked == 4
        assert await server.progress() == Progress(steps=1, requests=0)

    assert looked(vllm, steps) is None


def test_an_engine_that_hangs_is_told_until_it_generates_again(vllm: ScriptedVllm) -> None:
    async def hang(pulse: Pulse, _: ModelServer) -> None:
        vllm.engine = "hangs"
        assert not await pulse.look()

    async def recover(pulse: Pulse, server: ModelServer) -> None:
        await hang(pulse, server)
        vllm.engine = "well"
        # That token may be late as well.
        async with asyncio.timeout(PATIENCE):
            while not await pulse.look():
                continue

    failure = looked(vllm, hang, idle=IDLE)
    assert failure is not None
    assert failure.code == "model_hangs"
    assert f"{IDLE:g} seconds" in failure.message
    assert looked(vllm, recover, idle=IDLE) is None


def test_a_model_with_other_requests_has_more_time(vllm: ScriptedVllm) -> None:
    async def steps(pulse: Pulse, _: ModelServer) -> None:
        vllm.engine, vllm.others = "hangs", 3
        assert not await pulse.look()

    failure = looked(vllm, steps, busy=BUSY, idle=IDLE)
    assert failure is not None
    assert f"{BUSY:g} seconds" in failure.message


def test_a_token_that_waits_while_others_get_theirs_is_no_hang(vllm: ScriptedVllm) -> None:
    async def steps(pulse: Pulse, _: ModelServer) -> None:
        vllm.engine, vllm.others = "hangs", 3
        looking = asyncio.create_task(pulse.look())
        assert await asyncio.to_thread(vllm.wait, lambda server: server.tokens_asked == 1)
        vllm.steps += 1
        assert await looking

    assert looked(vllm, steps, idle=IDLE) is None


def test_an_engine_that_has_died_is_told(vllm: ScriptedVllm) -> None:
    async def steps(pulse: Pulse, server: ModelServer) -> None:
        vllm.engine = "dead"
        assert not await pulse.look()
        with pytest.raises(Failure, match="its engine has died"):
            await server.ready(MODEL)

    failure = looked(vllm, steps)
    assert failure is not None
    assert "EngineCore died" in failure.message


def test_a_server_that_is_away_is_the_next_request_s_to_tell() -> None:
    async def steps(pulse: Pulse, _: ModelServer) -> None:
        assert not await pulse.look()

    with ScriptedVllm() as gone:
        pass
    assert looked(gone, steps) is None


def test_the_page_and_readiness_say_that_the_model_hangs(
    chat_with: Callable[..., Chat], vllm: ScriptedVllm
) -> None:
    vllm.models = [MODEL, "an/adapter"]
    chat = chat_with(vllm.base_url, ARCHI_MODEL_PROBE="0.05", ARCHI_FIRST_TOKEN_TIMEOUT="0.2")
    until(lambda: chat.client.get("/readyz").status_code == 200)
    vllm.engine = "hangs"
    until(lambda: "generates nothing" in chat.client.get("/readyz").text)
    assert chat.client.get("/readyz").status_code == 503
    state = chat.client.get("/api/state").json
    assert (state["ready"], state["error"]["code"]) == (False, "model_hangs")
    assert state["models"] == [MODEL, "an/adapter"]
    assert state["max_model_len"] == 2048
    vllm.engine = "well"
    until(lambda: chat.client.get("/readyz").status_code == 200)


def test_no_token_is_asked_for_where_that_is_switched_off(
    chat_with: Callable[..., Chat], vllm: ScriptedVllm
) -> None:
    chat = chat_with(vllm.base_url, ARCHI_MODEL_PROBE="0")
    assert chat.ask(chat.new(), "Hello?")["status"] == "complete"
    assert vllm.tokens_asked == 0
