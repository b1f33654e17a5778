"""Which agents there are: those that the pipelines name, and the files in ``agents``.

A file ``agents/<name>.md`` has front matter (``name``, ``tools``, ``description``) and, below it,
the system prompt. Its rules are those of the deployer (archi/settings/agent_files.py). A pipeline
without a file of its name is the built-in ReAct agent, which may use every tool.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
import yaml

from chatbot.deployment_files import DeploymentFiles
from chatbot.failures import Failure
from chatbot.watched_files import stamp

log = structlog.get_logger(__name__)

PLAIN_PROMPT = "You are a helpful assistant. Answer clearly and briefly."
REACT_PROMPT = (
    "You are a helpful assistant. Answer clearly and briefly. Where a tool can find out what you "
    "do not know for certain, call it before you answer; say where what it found comes from. Never "
    "call a tool for what you know already."
)

_MOST_FILES = 100
_MOST_BYTES = 64 * 1024
_MOST_DESCRIPTION = 500
_FENCE = "---"
_FILE_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}\.md", re.ASCII)


@dataclass(frozen=True)
class Agent:
    """What answers. ``tools`` are names of tools and of MCP servers; None: all that there are."""

    name: str
    description: str
    prompt: str
    tools: tuple[str, ...] | None


@dataclass(frozen=True)
class FileProblem:
    """A file that is no agent, or that its last good content stands for."""

    file: str
    message: str


class _WrongFile(ValueError):
    pass


# Where no pipeline names an agent. It has no tools: a small model would call them for anything.
PLAIN = Agent("", "Answers with the model alone.", PLAIN_PROMPT, ())


class Agents:
    """The agents of the deployment, as its files say now. Safe to use from several threads."""

    def __init__(self, files: DeploymentFiles) -> None:
        self._files = files
        self._folder = files.folder / "agents"
        self._lock = threading.Lock()
        self._stamps: dict[str, Hashable] = {}
        self._good: dict[str, Agent] = {}
        self._problems: dict[str, str] = {}

    def all(self) -> list[Agent]:
        """Return the agents by name, those of the pipelines first; the default one is the first."""
        in_files = {agent.name: agent for agent in self._of_files()}
        named = self._files.pipelines().pipelines
        found = [in_files[name] if name in in_files else _react(name) for name in named]
        others = [agent for agent in in_files.values() if agent.name not in named]
        return found + sorted(others, key=lambda agent: agent.name)

    def default(self) -> Agent:
        """Return the agent that answers where none is chosen: the first that the pipelines name."""
        name = next(iter(self._files.pipelines().pipelines), None)
        return PLAIN if name is None else self.get(name)

    def get(self, name: str | None) -> Agent:
        """Return an agent; None is the default one.

        Raises:
            Failure: 409, there is none of that name (any more).
        """
        if name is None:
            return self.default()
        agents = self.all()
        for agent in agents:
            if agent.name == name:
                return agent
        known = ", ".join(agent.name for agent in agents) or "none"
        raise Failure(
            "agent_not_found",
            f"There is no agent {name!r}. There are: {known}.",
            "Choose another agent, or add the file agents/<name>.md and run `pulumi up`.",
            status=409,
            param="agent",
        )

    def model_of(self, name: str | None) -> str:
        """Return the model of an agent: the served one's id, or ``<provider>/<model>``.

        Raises:
            Failure: as ``get``.
        """
        return self._files.pipelines().model_of(self.get(name).name)

    def problems(self) -> list[FileProblem]:
        """Return what is wrong with the files now."""
        self._of_files()
        with self._lock:
            return [FileProblem(name, text) for name, text in sorted(self._problems.items())]

    def _of_files(self) -> list[Agent]:
        with self._lock:
            paths = {path.name: path for path in _paths(self._folder)}
            for name in self._stamps.keys() - paths.keys():
                del self._stamps[name]
                self._good.pop(name, None)
                self._problems.pop(name, None)
            for name, path in paths.items():
                found = stamp(path)
                if self._stamps.get(name) != found:
                    self._stamps[name] = found
                    self._read(name, path)
            agents: dict[str, Agent] = {}
            for file in sorted(self._good):
                agents.setdefault(self._good[file].name, self._good[file])
            return list(agents.values())

    def _read(self, name: str, path: Path) -> None:
        try:
            agent = _read_agent(path)
            self._refuse_second(name, agent)
        except _WrongFile as error:
            self._problems[name] = str(error)
            log.warning("agent_not_taken", file=name, reason=str(error))
        else:
            self._problems.pop(name, None)
            self._good[name] = agent
            log.info("agent_read", file=name, agent=agent.name)

    def _refuse_second(self, name: str, agent: Agent) -> None:
        for other, taken in self._good.items():
            if other != name and taken.name == agent.name:
                raise _WrongFile(
                    f"its name is {agent.name!r}, as that of {other}. Give each agent a name of "
                    "its own."
                )


def _react(name: str) -> Agent:
    return Agent(name, "The built-in agent, with every tool that there is.", REACT_PROMPT, None)


def _paths(folder: Path) -> list[Path]:
    try:
        found = sorted(path for path in folder.iterdir() if path.suffix == ".md")
    except OSError:
        return []
    return found[:_MOST_FILES]


def _read_agent(path: Path) -> Agent:
    if not _FILE_NAME.fullmatch(path.name):
        raise _WrongFile("a file's name is made of letters, digits, '-', '_' and '.'. Rename it.")
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _WrongFile(f"it has more than {_MOST_BYTES // 1024} KiB. Shorten it.")
        content = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise _WrongFile("it is no UTF-8. Save the file as UTF-8.") from None
    except OSError as error:
        raise _WrongFile(f"it can't be read ({error.strerror}).") from None
    said, prompt = _front_matter(content)
    name = said.get("name") or path.stem
    if not isinstance(name, str) or len(name) > 200:
        raise _WrongFile(f"name: {name!r} is no short text. Put it in quotes.")
    tools = said.get("tools") or []
    if not isinstance(tools, list) or not all(isinstance(tool, str) for tool in tools):
        raise _WrongFile("tools: a list of names is wanted, such as [search_documents].")
    if not prompt.strip():
        raise _WrongFile("it has no system prompt. Write it below the second line of ---.")
    description = str(said.get("description") or "")[:_MOST_DESCRIPTION]
    return Agent(name, description, prompt.strip(), tuple(tools))


def _front_matter(content: str) -> tuple[dict[str, Any], str]:
    """Return what stands between the two lines of ``---``, and what stands below."""
    lines = content.splitlines()
    if not lines or lines[0].rstrip() != _FENCE:
        return {}, content
    end = next((at for at, line in enumerate(lines[1:], 1) if line.rstrip() == _FENCE), None)
    if end is None:
        raise _WrongFile("its front matter has no end. Close it with a line of ---.")
    try:
        said = yaml.safe_load("\n".join(lines[1:end]))
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _WrongFile("its front matter is no YAML. Write name: and tools: there.") from None
    if said is None:
        said = {}
    if not isinstance(said, dict):
        raise _WrongFile("its front matter is no YAML mapping. Write name: and tools: there.")
    return said, "\n".join(lines[end + 1 :])
