"""Which tools an agent gets for an answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from chatbot.agent.agents import Agent
from chatbot.agent.events import Notice
from chatbot.agent.tools.mcp import McpServers
from chatbot.data import documents
from chatbot.data.database import Database

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

BUILT_IN = ("search_documents", "time", "calculator")
# OpenAI's rule for names of functions, which vLLM's parsers keep to.
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


@dataclass
class Tools:
    """Tools for one answer, and what the reader should know about those that are missing."""

    tools: list[BaseTool] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)

    def add(self, tool: BaseTool, server: str = "") -> None:
        """Add a tool; one whose name is taken already, or unusable, gets its server's before it."""
        taken = {one.name for one in self.tools}
        name = tool.name
        if name in taken or not _NAME.fullmatch(name):
            name = re.sub(r"[^A-Za-z0-9_-]", "_", f"{server}_{name}")[:64]
        if name not in taken:
            self.tools.append(tool if name == tool.name else tool.model_copy(update={"name": name}))


class Toolbox:
    """The tools of the deployment."""

    def __init__(self, database: Database, mcp: McpServers) -> None:
        self._database = database
        self._mcp = mcp

    def names(self) -> list[str]:
        """Return the names that an agent's file may list: tools, and servers for all of theirs."""
        return [*BUILT_IN, *sorted(self._mcp.servers())]

    async def of(self, agent: Agent, user_id: UUID) -> Tools:
        """Return the tools of an agent that are there now."""
        found = Tools()
        if agent.tools == ():
            return found
        wanted = agent.tools
        makers = await asyncio.to_thread(_makers, self._database, user_id)
        for name, make in makers.items():
            if name in wanted if wanted is not None else await self._useful(name, user_id):
                found.add(make())
        missing = set(wanted or ()) - makers.keys()
        servers = self._mcp.servers()
        if servers and (wanted is None or missing):
            # A name that is no server's may be that of a tool of any server.
            named = missing & servers.keys() if missing <= servers.keys() else servers.keys()
            asked = servers.keys() if wanted is None else named
            for told in await self._mcp.tools(asked.__contains__):
                if told.error is not None:
                    found.notices.append(_silent(told.server, told.error))
                for tool in told.tools:
                    if wanted is None or told.server in wanted or tool.name in wanted:
                        found.add(tool, told.server)
                        missing.discard(tool.name)
                missing.discard(told.server)
        if missing and not found.notices:
            found.notices.append(_missing(agent.name, sorted(missing)))
        return found

    async def _useful(self, name: str, user_id: UUID) -> bool:
        """Whether the built-in agent gets a tool: a search over nothing costs tokens only."""
        if name != BUILT_IN[0]:
            return True

        def ask() -> bool:
            with self._database.read() as session:
                return documents.any_readable(session, user_id)

        try:
            return await asyncio.to_thread(ask)
        except SQLAlchemyError:
            # The answer goes on without the database.
            return False


def _makers(database: Database, user_id: UUID) -> dict[str, Callable[[], BaseTool]]:
    # Importing LangChain takes seconds: the page must not wait for it, nor the loop.
    from chatbot.agent.tools.calculator import calculator
    from chatbot.agent.tools.clock import time
    from chatbot.agent.tools.document_search import search_documents

    return {
        "search_documents": lambda: search_documents(database, user_id),
        "time": time,
        "calculator": calculator,
    }


def _silent(server: str, reason: str) -> Notice:
    return Notice(
        "mcp_unavailable",
        f"The tools of {server} are missing, because the server does not answer ({reason}).",
    )


def _missing(agent: str, names: list[str]) -> Notice:
    return Notice(
        "tool_missing", f"The agent {agent} names tools that there are not: {', '.join(names)}."
    )
