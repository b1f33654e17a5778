"""From a question to the events of its answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from importlib import import_module
from typing import TYPE_CHECKING, Protocol
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from chatbot.agent.agents import Agents
from chatbot.agent.events import AgentEvent, ContextFitted, Notice
from chatbot.agent.model_call import Call, ModelCall
from chatbot.agent.prompt import Conversation, conversation
from chatbot.agent.providers import Endpoint, Endpoints
from chatbot.agent.request import AnswerRequest
from chatbot.agent.title import title_of
from chatbot.agent.tools.toolbox import Toolbox
from chatbot.data import documents
from chatbot.data.database import Database
from chatbot.data.documents import Attached
from chatbot.data.titles import Exchange
from chatbot.failures import Failure
from chatbot.model import errors as model_errors
from chatbot.model.errors import NO_IMAGES
from chatbot.settings import Settings

if TYPE_CHECKING:
    from langchain_core.tools import BaseTool

log = structlog.get_logger(__name__)

# What imports LangChain, which takes seconds.
_LANGCHAIN = (
    "chatbot.agent.chat_model",
    "chatbot.agent.loop",
    "chatbot.agent.tools.calculator",
    "chatbot.agent.tools.clock",
    "chatbot.agent.tools.document_search",
    "langchain_mcp_adapters.tools",
)
# Seconds that a title may take: nobody waits longer for one.
_TITLE_PATIENCE = 30.0


class Responder(Protocol):
    """Something that answers. Closing the generator ends its requests to the model at once."""

    def respond(self, request: AnswerRequest) -> AsyncGenerator[AgentEvent, None]:
        """Answer on the background loop.

        Raises:
            Failure: why there is no (whole) answer; what was said before it stays said.
        """
        ...


class ChatResponder:
    """Answers with an agent and its model."""

    def __init__(
        self,
        settings: Settings,
        agents: Agents,
        endpoints: Endpoints,
        toolbox: Toolbox,
        database: Database,
    ) -> None:
        self._settings = settings
        self._agents = agents
        self._endpoints = endpoints
        self._toolbox = toolbox
        self._database = database
        self._imports: asyncio.Task[None] | None = None

    async def warm_up(self) -> None:
        """Import LangChain, so that an answer need not wait for it.

        Once, and in one thread: two threads that import it at the same time get modules that are
        not whole yet.
        """
        if self._imports is None:
            self._imports = asyncio.create_task(asyncio.to_thread(_import_langchain))
        await asyncio.shield(self._imports)

    async def respond(self, request: AnswerRequest) -> AsyncGenerator[AgentEvent, None]:
        """Answer; a request that fails before its first token is tried again.

        Raises:
            Failure: why there is no (whole) answer.
        """
        await self.warm_up()
        agent = self._agents.get(request.agent)
        endpoint = self._endpoints.of(request.model)
        tools = await self._toolbox.of(agent, request.user_id)
        for notice in tools.notices:
            yield notice
        attached = await self._attached(request)
        limit = await _limit(endpoint)
        system = request.system_prompt or agent.prompt
        for images in (True, False):
            made = _conversation(request, attached, limit, endpoint, images=images)
            for notice in made.notices if images else ():
                yield notice
            call = Call(
                endpoint=endpoint,
                system=system,
                turns=made.turns,
                sampling=request.sampling,
                continued=made.continued,
            )
            begun = False
            try:
                async with aclosing(self._answer(call, tools.tools)) as events:
                    async for event in events:
                        begun = begun or not isinstance(event, ContextFitted)
                        yield event
            except Failure as failure:
                shown = request.history[-1].attachments
                own = any(attached[one].image is not None for one in shown if one in attached)
                if failure.code != NO_IMAGES or begun or own or not images:
                    raise
            else:
                return
            # Only earlier questions carry images: another model saw them, this one cannot.
            yield Notice(
                NO_IMAGES, f"{endpoint.name} does not see the images of earlier questions."
            )

    async def title(self, exchange: Exchange) -> str | None:
        """Have a conversation's title written; None where the model writes something else.

        Raises:
            Failure: why there is no title.
        """
        await self.warm_up()
        endpoint = self._endpoints.of(exchange.model)
        try:
            async with asyncio.timeout(_TITLE_PATIENCE):
                return await title_of(exchange, endpoint, self._settings)
        except TimeoutError:
            raise model_errors.stalled(_TITLE_PATIENCE, first=False) from None

    def _answer(self, call: Call, tools: list[BaseTool]) -> AsyncGenerator[AgentEvent, None]:
        if not tools:
            # Nothing to loop over: the graph would only cost.
            return ModelCall(call, self._settings).events()
        from chatbot.agent import loop

        return loop.run(call, tools, self._settings)

    async def _attached(self, request: AnswerRequest) -> dict[UUID, Attached]:
        """Read what the questions carry.

        Raises:
            Failure: the database does not answer.
        """
        wanted = [one for message in request.history for one in message.attachments]
        if not wanted:
            return {}

        def fetch() -> dict[UUID, Attached]:
            with self._database.read() as session:
                return documents.attached(session, wanted, request.user_id)

        try:
            return await asyncio.to_thread(fetch)
        except SQLAlchemyError as error:
            log.warning("attachments_not_read", reason=str(error.__cause__ or error))
            raise Failure(
                "attachments_unavailable",
                "The database does not answer, so what the question carries cannot be read now.",
                "Try again in a minute.",
                status=503,
                retry_after=5,
            ) from error


def _import_langchain() -> None:
    for module in _LANGCHAIN:
        import_module(module)


async def _limit(endpoint: Endpoint) -> int | None:
    """Return the model's context in tokens; None where it is unknown, or cannot be asked now."""
    if endpoint.server is None:
        return None
    try:
        return await endpoint.server.context_length(endpoint.name)
    except Failure:
        # The request itself is tried again, and says why where it fails.
        return None


def _conversation(
    request: AnswerRequest,
    attached: dict[UUID, Attached],
    limit: int | None,
    endpoint: Endpoint,
    *,
    images: bool,
) -> Conversation:
    return conversation(
        request.history,
        attached,
        limit,
        continued=request.continued,
        # vLLM's own parameter, which other servers refuse.
        continues=endpoint.server is not None,
        images=images,
    )
