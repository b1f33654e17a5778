from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from mcp.server.fastmcp import Context, FastMCP
from starlette.applications import Starlette

from chatbot.agent.tools import mcp
from tests.chat_application import Chat
from tests.ports import free_port
from tests.scripted_vllm import Script, ScriptedVllm

_PROGRAM = """
from mcp.server.fastmcp import FastMCP
server = FastMCP("program")
@server.tool()
def shout(text: str) -> str:
    return text.upper()
server.run("stdio")
"""


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow the machine is, no server that answers loses its tools."""
    monkeypatch.setattr(mcp, "LIST_TIMEOUT", 60.0)
    monkeypatch.setattr(mcp, "_START_TIMEOUT", 120.0)


def _server() -> FastMCP:
    server = FastMCP("tools", stateless_http=True)

    @server.tool()
    def weather(city: str) -> str:
        """Tell the weather."""
        return f"It rains in {city}."

    @server.tool()
    def broken() -> str:
        """Fail."""
        raise ValueError("out of order")

    @server.tool()
    def who(context: Context) -> str:  # type: ignore[type-arg]
        """Tell what the request was sent with."""
        request = context.request_context.request
        assert request is not None
        return str(request.headers["authorization"])

    return server


@contextmanager
def _served(app: Starlette) -> Iterator[str]:
    """A real MCP server on loopback."""
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with _served(_server().streamable_http_app()) as base:
        yield f"{base}/mcp"


def _write(chat: Chat, *servers: str) -> None:
    lines = "\n".join(f"  {server}" for server in servers)
    (chat.folder / "files" / "mcp.yaml").write_text(f"servers:\n{lines}\n")


def _ask(chat: Chat, vllm: ScriptedVllm, *calls: tuple[str, str]) -> list[str]:
    """Have the model call tools; returns what they answered."""
    vllm.script = Script(rounds=[list(calls)])
    assert chat.ask(chat.new(), "What is it?")["status"] == "complete"
    return [turn["content"] for turn in vllm.requests[-1]["messages"] if turn["role"] == "tool"]


def test_tools_of_a_server_are_called_and_their_failures_told(
    chat: Chat, vllm: ScriptedVllm, address: str
) -> None:
    (chat.folder / "files" / "secrets" / "TOOLS_TOKEN").write_text("the-token\n")
    headers = '{Authorization: "Bearer ${TOOLS_TOKEN}"}'
    _write(chat, f"tools: {{url: '{address}', headers: {headers}}}")
    rain, failure, token = _ask(
        chat, vllm, ("weather", '{"city": "Ulm"}'), ("broken", "{}"), ("who", "{}")
    )
    assert rain == "It rains in Ulm."
    assert "out of order" in failure
    assert token == "Bearer the-token"
    listed = chat.client.get("/api/agents").json
    assert "tools" in listed["agents"][0]["tools"]


def test_a_server_of_the_older_transport_is_one_too(chat: Chat, vllm: ScriptedVllm) -> None:
    with _served(_server().sse_app()) as base:
        _write(chat, f"tools: {{transport: sse, url: '{base}/sse'}}")
        assert _ask(chat, vllm, ("weather", '{"city": "Ulm"}')) == ["It rains in Ulm."]


def test_only_the_tools_that_are_named_are_offered(
    chat: Chat, vllm: ScriptedVllm, address: str
) -> None:
    _write(chat, f"tools: {{url: '{address}', tools: [weather]}}")
    _ask(chat, vllm)
    names = {tool["function"]["name"] for tool in vllm.requests[-1]["tools"]}
    assert names == {"time", "calculator", "weather"}


def test_a_dead_server_costs_its_tools_and_not_the_answer(
    chat: Chat, vllm: ScriptedVllm, address: str
) -> None:
    _write(
        chat,
        f"dead: {{url: 'http://127.0.0.1:{free_port()}/mcp'}}",
        f"tools: {{url: '{address}'}}",
    )
    events = list(chat.events(chat.post(chat.new(), content="Hello?")))
    [notice] = [data for name, data in events if name == "notice"]
    assert notice["code"] == "mcp_unavailable"
    assert "dead" in notice["message"]
    assert events[-1][1]["status"] == "complete"
    names = {tool["function"]["name"] for tool in vllm.requests[-1]["tools"]}
    assert "weather" in names


def test_a_server_that_never_answers_is_not_waited_for(
    chat: Chat, vllm: ScriptedVllm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp, "LIST_TIMEOUT", 0.3)

    async def listen() -> tuple[asyncio.Server, int]:
        async def silent(*_: object) -> None:
            await asyncio.Event().wait()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        return server, int(server.sockets[0].getsockname()[1])

    _, port = chat.parts.loop.run(listen())
    _write(chat, f"silent: {{url: 'http://127.0.0.1:{port}/mcp'}}")
    events = list(chat.events(chat.post(chat.new(), content="Hello?")))
    assert "mcp_unavailable" in [data.get("code") for _, data in events]
    assert events[-1][1]["status"] == "complete"


def test_a_program_is_a_server_too(chat: Chat, vllm: ScriptedVllm, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    _write(chat, f"program: {{transport: stdio, command: '{sys.executable}', args: ['{program}']}}")
    assert _ask(chat, vllm, ("shout", '{"text": "hi"}')) == ["HI"]


def test_a_wrong_file_is_told_and_answers_go_on(chat: Chat, vllm: ScriptedVllm) -> None:
    _write(chat, "tools: {transport: telepathy}")
    assert _ask(chat, vllm) == []
    [problem] = chat.client.get("/api/agents").json["problems"]
    assert problem["file"] == "mcp.yaml"
    assert "servers.tools.transport" in problem["message"]
