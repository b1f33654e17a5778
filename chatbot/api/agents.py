"""``/api/agents``: which agents there are."""

from __future__ import annotations

from typing import Any

from chatbot.api.description import blueprint, shown
from chatbot.api.document_schemas import AgentList, ShownAgent, ShownProblem
from chatbot.services import services

api = blueprint("agents", __name__)


@api.get("/agents", responses={"200": AgentList})
def list_agents() -> dict[str, Any]:
    """List the agents with the tools that they may use, and what is wrong with their files."""
    parts = services()
    default = parts.agents.default().name
    every = parts.tool_names()
    agents = [
        ShownAgent(
            name=agent.name,
            description=agent.description,
            model=parts.agents.model_of(agent.name),
            tools=every if agent.tools is None else list(agent.tools),
            default=agent.name == default,
        )
        for agent in parts.agents.all()
    ]
    problems = [
        ShownProblem(file=f"agents/{one.file}", message=one.message)
        for one in parts.agents.problems()
    ]
    if parts.mcp.problem is not None:
        problems.append(ShownProblem(file="mcp.yaml", message=parts.mcp.problem))
    return shown(AgentList(agents=agents, problems=problems))
