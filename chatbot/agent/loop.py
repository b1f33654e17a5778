"""The ReAct loop: the model calls tools until it answers, within limits.

LangChain's ``create_agent`` runs it. The model is asked from a middleware, by our own
``ModelCall``, and its tokens go to the reader past LangGraph's streaming. Measured on 2 shared
cores with langchain 1.5.2, in CPU time for a token: 165 to 217 µs so, 307 to 380 µs by
``astream(stream_mode="messages")``, 195 to 234 µs without an agent.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any
from uuid import uuid4

import structlog
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse
from langchain.agents.middleware.types import ToolCallRequest
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from langgraph.types import Command

from chatbot.agent.context import Turn, cut
from chatbot.agent.events import AgentEvent, Delta, Notice, ToolEnded, ToolStarted
from chatbot.agent.model_call import Call, CalledTool, ModelCall
from chatbot.agent.prompt import called
from chatbot.agent.tools.document_search import Sources
from chatbot.agent.tools.mcp import reason
from chatbot.data.tables import ToolStatus
from chatbot.settings import Settings

log = structlog.get_logger(__name__)

# Requests to the model and calls of tools for one answer; the last request has no tools.
MAX_MODEL_CALLS = 8
MAX_TOOL_CALLS = 16
# Seconds that a tool may take.
TOOL_TIMEOUT = 60.0
# Characters of a result that the model gets; what a small context cannot hold is cut further.
MAX_RESULT_CHARS = 20_000
_MAX_ARGUMENT_CHARS = 64 * 1024

_LAST = (
    "\n\nYou cannot call tools any more. Answer now with what you have found out, and say what is "
    "still open."
)
_NO_ANSWER = "I did not come to an answer within the tool calls that I may make."
_QUEUE = 256


async def run(
    call: Call, tools: Sequence[BaseTool], settings: Settings
) -> AsyncGenerator[AgentEvent, None]:
    """Answer with tools. Closing the generator ends what is under way, tools included.

    Args:
        call: the first request, without tools.
        tools: what the model may call; their names differ.
        settings: the application's.

    Raises:
        Failure: why there is no (whole) answer.
    """
    queue: asyncio.Queue[AgentEvent | None] = asyncio.Queue(_QUEUE)
    steps = _Steps(call, tools, settings, queue.put)
    agent: Any = create_agent(call.endpoint.chat, tools=list(tools), middleware=[steps])
    # The middleware sends the conversation; the graph's own state is what this answer adds.
    state = {"messages": [HumanMessage("")]}
    # A request and its tools are two steps; the middleware ends the loop long before.
    config = {"recursion_limit": 4 * MAX_MODEL_CALLS}

    async def work() -> None:
        try:
            await agent.ainvoke(state, config)
        except asyncio.CancelledError:
            # Nobody takes anything out of the queue any more.
            raise
        except BaseException:
            await queue.put(None)
            raise
        await queue.put(None)

    task = asyncio.create_task(work())
    try:
        while (event := await queue.get()) is not None:
            yield event
        await task
    finally:
        task.cancel()
        await asyncio.wait([task])
        with suppress(asyncio.CancelledError):
            task.exception()


class _Steps(AgentMiddleware[Any, Any, Any]):
    """What happens at each step of one answer; tells the reader of it by ``put``."""

    def __init__(
        self,
        call: Call,
        tools: Sequence[BaseTool],
        settings: Settings,
        put: Callable[[AgentEvent], Awaitable[None]],
    ) -> None:
        super().__init__()
        self.tools = []
        self._call = call
        self._described = [convert_to_openai_tool(tool) for tool in tools]
        self._names = [tool.name for tool in tools]
        self._settings = settings
        self._put = put
        self._model_calls = 0
        self._tool_calls = 0
        self._ids: set[str] = set()
        # Calls whose arguments are no JSON object, with what they are instead.
        self._wrong: dict[str, str] = {}

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> AIMessage:
        """Ask the model; the handler, which would ask it by LangChain's own way, is not used."""
        del handler
        self._model_calls += 1
        last = self._model_calls >= MAX_MODEL_CALLS or self._tool_calls >= MAX_TOOL_CALLS
        if last:
            await self._put(_limit_reached(self._model_calls, self._tool_calls))
        first = self._model_calls == 1
        asked = replace(
            self._call,
            system=self._call.system + (_LAST if last else ""),
            turns=[*self._call.turns, *(_turn(message) for message in request.messages[1:])],
            tools=() if last else self._described,
            continued=self._call.continued and first,
        )
        model_call = ModelCall(asked, self._settings)
        async with aclosing(model_call.events()) as events:
            async for event in events:
                await self._put(event)
        content = model_call.content
        calls = [] if last else await self._usable(model_call)
        if last and not content.strip():
            await self._put(Delta(_NO_ANSWER))
        return AIMessage(
            content,
            tool_calls=[
                {
                    "name": one.name,
                    "args": one.parsed() or {},
                    "id": one.call_id,
                    "type": "tool_call",
                }
                for one in calls
            ],
        )

    async def _usable(self, model_call: ModelCall) -> list[CalledTool]:
        """Return the calls to be made, each with an id and a name that can be kept."""
        if not model_call.called:
            return []
        if model_call.finish_reason in (None, "length"):
            # Cut in the middle: what it would have called is not known.
            await self._put(
                Notice("tool_call_cut", "The answer ended while the model was calling a tool.")
            )
            return []
        for one in model_call.called:
            one.name = re.sub(r"[^\w.-]", "_", one.name)[:64] or "unnamed"
            if not one.call_id.isprintable() or not 0 < len(one.call_id) <= 200:
                one.call_id = ""
            if not one.call_id or one.call_id in self._ids:
                # Nine letters and digits: all that Mistral's templates take.
                one.call_id = uuid4().hex[:9]
            self._ids.add(one.call_id)
            if len(one.arguments) > _MAX_ARGUMENT_CHARS or one.parsed() is None:
                self._wrong[one.call_id] = one.arguments
        return model_call.called

    async def awrap_tool_call(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
    ) -> ToolMessage:
        """Call a tool, and have whatever goes wrong reach the model as text."""
        call_id, name = str(request.tool_call["id"]), request.tool_call["name"]
        await self._put(ToolStarted(call_id, name, request.tool_call["args"]))
        self._tool_calls += 1
        status, text, sources = await self._result(request, handler, call_id, name)
        await self._put(ToolEnded(call_id, status, text, sources))
        told = "success" if status is ToolStatus.COMPLETE else "error"
        return ToolMessage(text, tool_call_id=call_id, name=name, status=told)

    async def _result(
        self,
        request: ToolCallRequest,
        handler: Callable[[ToolCallRequest], Awaitable[ToolMessage | Command[Any]]],
        call_id: str,
        name: str,
    ) -> tuple[ToolStatus, str, list[dict[str, Any]]]:
        if self._tool_calls > MAX_TOOL_CALLS:
            return ToolStatus.ERROR, "This call was not made: there were too many.", []
        if request.tool is None:
            known = ", ".join(self._names)
            return ToolStatus.ERROR, f"There is no tool {name!r}. There are: {known}.", []
        if call_id in self._wrong:
            said = cut(self._wrong[call_id], 500)
            return ToolStatus.ERROR, f"The arguments are no JSON object: {said}", []
        try:
            async with asyncio.timeout(TOOL_TIMEOUT):
                message = await handler(request)
        except TimeoutError:
            return ToolStatus.ERROR, f"The tool did not answer within {TOOL_TIMEOUT:g} seconds.", []
        except Exception as error:
            log.warning("tool_failed", tool=name, reason=reason(error))
            return ToolStatus.ERROR, f"The tool failed: {reason(error)}", []
        if not isinstance(message, ToolMessage):
            return ToolStatus.ERROR, "The tool gave no text.", []
        found = message.artifact.found if isinstance(message.artifact, Sources) else []
        status = ToolStatus.ERROR if message.status == "error" else ToolStatus.COMPLETE
        return status, cut(_text(message.content), MAX_RESULT_CHARS), found


def _limit_reached(model_calls: int, tool_calls: int) -> Notice:
    return Notice(
        "tool_limit",
        f"The agent was told to answer now: it has asked the model {model_calls} times and called "
        f"{tool_calls} tools.",
    )


def _text(content: str | list[Any]) -> str:
    """Return the text of a tool's result; what is no text is named."""
    if isinstance(content, str):
        return content
    return "\n".join(
        block if isinstance(block, str) else block.get("text") or f"[{block.get('type')}]"
        for block in content
    )


def _turn(message: AnyMessage) -> Turn:
    """Return a message of the graph's state as it is sent."""
    content = _text(message.content)
    if isinstance(message, ToolMessage):
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": content}
    turn: Turn = {"role": "assistant", "content": content}
    if isinstance(message, AIMessage) and message.tool_calls:
        calls = message.tool_calls
        turn["tool_calls"] = [called(str(one["id"]), one["name"], one["args"]) for one in calls]
    return turn
