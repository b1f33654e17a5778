"""Tools of MCP servers, which ``mcp.yaml`` names.

Tools are asked for once a minute, and each call opens a session of its own and closes it: a server
may restart, and nothing of one answer is left for the next. A server that does not answer costs
its tools, not the answer.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import structlog
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chatbot.deployment_files import DeploymentFiles
from chatbot.environment import SettingsError
from chatbot.failures import Failure
from chatbot.watched_files import WatchedFile

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool
    from langchain_mcp_adapters.sessions import Connection

log = structlog.get_logger(__name__)

# Seconds that a server has to tell its tools, and for which what it told is good.
LIST_TIMEOUT = 5.0
_FRESH = 60.0
# The same for a program, which has to be started, and maybe installed by npx or uvx, first.
_START_TIMEOUT = 30.0
# Seconds before a server that did not answer is asked again.
_RETRY = 15.0
_PLACEHOLDER = re.compile(r"\$\{(\w+)\}", re.ASCII)


class McpServer(BaseModel):
    """One server of ``mcp.yaml``, as the deployer writes it (archi/settings/chatbot.py)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    transport: Literal["streamable_http", "sse", "stdio"] = "streamable_http"
    url: str | None = None
    command: str | None = None
    args: tuple[str, ...] = ()
    headers: dict[str, str] = Field(default_factory=dict)
    tools: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _reachable(self) -> McpServer:
        wanted = "command" if self.transport == "stdio" else "url"
        if not getattr(self, wanted):
            raise ValueError(f"{wanted} is missing; transport {self.transport} needs it")
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    servers: dict[str, McpServer] = Field(default_factory=dict)


@dataclass(frozen=True)
class ServerTools:
    """What a server offers. ``error`` says why it offers nothing now."""

    server: str
    tools: list[BaseTool]
    error: str | None = None


@dataclass(frozen=True)
class _Asked:
    by: McpServer
    until: float
    told: ServerTools


class McpServers:
    """The servers of the deployment; ``tools`` belongs to the background loop."""

    def __init__(self, files: DeploymentFiles) -> None:
        self._files = files
        self._file: WatchedFile[dict[str, McpServer]] = WatchedFile(
            files.folder / "mcp.yaml", _read, absent={}
        )
        self._asked: dict[str, _Asked] = {}

    def servers(self) -> dict[str, McpServer]:
        """Return the servers by name; none where the file was never right."""
        try:
            return self._file.get()
        except SettingsError:
            return {}

    @property
    def problem(self) -> str | None:
        """What is wrong with the file now."""
        self.servers()
        return self._file.problem

    async def tools(self, wanted: Callable[[str], bool] = lambda _: True) -> list[ServerTools]:
        """Ask the wanted servers for their tools, all at once, and not for long."""
        servers = {name: one for name, one in self.servers().items() if wanted(name)}
        asked = (self._of(name, server) for name, server in servers.items())
        return list(await asyncio.gather(*asked))

    async def _of(self, name: str, server: McpServer) -> ServerTools:
        known = self._asked.get(name)
        if known is not None and known.by == server and time.monotonic() < known.until:
            return known.told
        seconds = _START_TIMEOUT if server.transport == "stdio" else LIST_TIMEOUT
        try:
            async with asyncio.timeout(seconds):
                told = ServerTools(name, await self._ask(name, server))
        except TimeoutError:
            told = ServerTools(name, [], f"no answer within {seconds:g} seconds")
        except Exception as error:
            told = ServerTools(name, [], reason(error))
        if told.error is not None:
            log.warning("mcp_server_silent", server=name, reason=told.error)
        good_for = _FRESH if told.error is None else _RETRY
        self._asked[name] = _Asked(server, time.monotonic() + good_for, told)
        return told

    async def _ask(self, name: str, server: McpServer) -> list[BaseTool]:
        from langchain_mcp_adapters.tools import load_mcp_tools

        connection = self._connection(server)
        found = await load_mcp_tools(None, connection=connection, server_name=name)
        return [tool for tool in found if server.tools is None or tool.name in server.tools]

    def _connection(self, server: McpServer) -> Connection:
        if server.transport == "stdio":
            return {
                "transport": "stdio",
                "command": server.command or "",
                "args": list(server.args),
            }
        headers = {name: self._filled(value) for name, value in server.headers.items()}
        url = server.url or ""
        if server.transport == "sse":
            return {"transport": "sse", "url": url, "headers": headers, "timeout": LIST_TIMEOUT}
        return {
            "transport": "streamable_http",
            "url": url,
            "headers": headers,
            "timeout": LIST_TIMEOUT,
        }

    def _filled(self, value: str) -> str:
        """Put secrets in place of their names.

        Raises:
            Failure: one is not there.
        """

        def secret(match: re.Match[str]) -> str:
            found = self._files.secret(match[1])
            if found is None:
                raise Failure("secret_missing", f"There is no secret {match[1]}.", status=503)
            return found

        return _PLACEHOLDER.sub(secret, value)


def reason(error: BaseException) -> str:
    """Say in a few words what an error of a session is: they come wrapped in groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return (str(error) or type(error).__name__)[:300]


def _read(path: Path) -> dict[str, McpServer]:
    mend = "the deployment writes this file; correct services.chatbot.mcp_servers, `pulumi up`."
    try:
        content: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return _File.model_validate(content or {}).servers
    except OSError as error:
        raise SettingsError(str(path), "unreadable", f"{error.strerror}.", mend) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(str(path), "not YAML", f"{error}.", mend) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise SettingsError(str(path), where, f"{first['msg']}.", mend) from error
