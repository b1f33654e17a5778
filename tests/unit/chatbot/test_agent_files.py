from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import pytest

from chatbot.agent.agents import Agents
from chatbot.deployment_files import DeploymentFiles
from chatbot.failures import Failure
from chatbot.pipelines import Pipelines
from tests.chat_application import Chat, until, write_files
from tests.scripted_vllm import MODEL, Script, ScriptedVllm

WRITER = "---\nname: Writer\ndescription: Writes.\ntools: [time]\n---\n\nWrite well.\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = write_files(tmp_path / "files")
    (folder / "agents").mkdir()
    return folder


def _write(folder: Path, name: str, content: str) -> None:
    new = folder / "agents" / f"{name}.new"
    new.write_text(content)
    new.replace(folder / "agents" / name)


def test_agents_are_the_pipelines_and_the_files(folder: Path) -> None:
    _write(folder, "writer.md", WRITER)
    _write(folder, "plain.md", "Only a prompt.")
    agents = Agents(DeploymentFiles(folder))
    react, plain, writer = sorted(agents.all(), key=lambda agent: agent.name.lower())
    assert (react.name, react.tools) == ("ChatAgent", None)
    assert (plain.name, plain.tools, plain.prompt) == ("plain", (), "Only a prompt.")
    assert (writer.name, writer.tools, writer.prompt) == ("Writer", ("time",), "Write well.")
    assert agents.default() == react
    assert agents.model_of("Writer") == MODEL


def test_a_file_of_a_pipelines_name_takes_its_place(folder: Path) -> None:
    _write(folder, "chat.md", "---\nname: ChatAgent\n---\nMine.")
    assert Agents(DeploymentFiles(folder)).default().prompt == "Mine."


def test_agents_are_read_again_and_the_last_good_one_stays(folder: Path) -> None:
    agents = Agents(DeploymentFiles(folder))
    _write(folder, "writer.md", WRITER)
    assert agents.get("Writer").prompt == "Write well."
    _write(folder, "writer.md", WRITER.replace("well", "better"))
    assert agents.get("Writer").prompt == "Write better."
    _write(folder, "writer.md", "---\nname: Writer\n")
    assert agents.get("Writer").prompt == "Write better."
    [problem] = agents.problems()
    assert (problem.file, "no end" in problem.message) == ("writer.md", True)
    (folder / "agents" / "writer.md").unlink()
    with pytest.raises(Failure, match="There are: ChatAgent"):
        agents.get("Writer")
    assert agents.problems() == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("---\nname: [x]\n---\nPrompt", "no short text"),
        ("---\ntools: time\n---\nPrompt", "a list of names"),
        ("---\n- a\n---\nPrompt", "no YAML mapping"),
        ("---\na: [\n---\nPrompt", "no YAML"),
        ("---\nname: x\n---\n\n", "no system prompt"),
        ("x" * 70_000, "64 KiB"),
    ],
)
def test_what_is_no_agent_is_said(folder: Path, content: str, said: str) -> None:
    _write(folder, "wrong.md", content)
    agents = Agents(DeploymentFiles(folder))
    assert [agent.name for agent in agents.all()] == ["ChatAgent"]
    [problem] = agents.problems()
    assert said in problem.message


def test_two_files_of_one_name_are_told(folder: Path) -> None:
    _write(folder, "a.md", WRITER)
    _write(folder, "b.md", WRITER.replace("well", "worse"))
    agents = Agents(DeploymentFiles(folder))
    assert agents.get("Writer").prompt == "Write well."
    assert [problem.file for problem in agents.problems()] == ["b.md"]


def test_the_page_gets_the_agents_with_their_tools(chat: Chat) -> None:
    folder = chat.folder / "files"
    (folder / "agents").mkdir()
    _write(folder, "writer.md", WRITER)
    _write(folder, "wrong.md", "---\n")
    listed = chat.client.get("/api/agents").json
    react, writer = listed["agents"]
    assert (react["name"], react["default"], react["model"]) == ("ChatAgent", True, MODEL)
    assert react["tools"] == ["search_documents", "time", "calculator"]
    assert writer == {
        "name": "Writer",
        "description": "Writes.",
        "model": MODEL,
        "tools": ["time"],
        "default": False,
    }
    assert [problem["file"] for problem in listed["problems"]] == ["agents/wrong.md"]


def test_an_agent_answers_with_its_prompt_and_its_tools(chat: Chat, vllm: ScriptedVllm) -> None:
    folder = chat.folder / "files"
    (folder / "agents").mkdir()
    _write(folder, "writer.md", WRITER)
    _write(folder, "plain.md", "Only a prompt.")
    list(chat.events(chat.post(chat.new(), content="Hello?", agent="Writer")))
    asked = vllm.requests[-1]
    assert asked["messages"][0] == {"role": "system", "content": "Write well."}
    assert [tool["function"]["name"] for tool in asked["tools"]] == ["time"]
    list(chat.events(chat.post(chat.new(), content="Hello?", agent="plain")))
    assert "tools" not in vllm.requests[-1]
    conversation = chat.new()
    change = {
        "settings": {
            "agent": "Writer",
            "system_prompt": "Rhyme.",
            "sampling": {"temperature": 0.5, "top_p": 0.9, "max_tokens": 7},
        }
    }
    chat.client.patch(f"/api/conversations/{conversation}", json=change)
    assert chat.ask(conversation, "Hello?")["agent"] == "Writer"
    asked = vllm.requests[-1]
    assert asked["messages"][0]["content"] == "Rhyme."
    assert (asked["temperature"], asked["top_p"], asked["max_tokens"]) == (0.5, 0.9, 7)


def test_an_unknown_agent_is_refused_before_anything_is_written(chat: Chat) -> None:
    conversation = chat.new()
    answer = chat.post(conversation, content="Hello?", agent="Nobody")
    assert answer.status_code == 409
    assert answer.json["error"]["code"] == "agent_not_found"
    assert "ChatAgent" in answer.json["error"]["message"]
    assert chat.messages(conversation) == []


def test_an_agent_that_names_a_missing_tool_says_so(chat: Chat) -> None:
    folder = chat.folder / "files"
    (folder / "agents").mkdir()
    _write(folder, "writer.md", WRITER.replace("[time]", "[time, telescope]"))
    events = list(chat.events(chat.post(chat.new(), content="Hello?", agent="Writer")))
    [notice] = [data for name, data in events if name == "notice"]
    assert (notice["code"], "telescope" in notice["message"]) == ("tool_missing", True)
    assert events[-1][1]["status"] == "complete"


def test_a_cut_answer_is_continued_by_the_model_itself(chat: Chat, vllm: ScriptedVllm) -> None:
    vllm.script = Script(cut="end")
    conversation = chat.new()
    ended = chat.ask(conversation, "Go on")
    assert ended["status"] == "interrupted"
    vllm.script = Script(tokens=[" And", " on."])
    sent = chat.client.post(f"/api/messages/{ended['id']}/continue", json={})
    assert list(chat.events(sent))[-1][1]["content"] == "Hello from the script. And on."
    asked = vllm.requests[-1]
    assert asked["messages"][-1] == {"role": "assistant", "content": "Hello from the script."}
    assert (asked["continue_final_message"], asked["add_generation_prompt"]) == (True, False)


def test_another_provider_answers_for_the_pipelines_that_name_it(
    chat_with: Callable[..., Chat], vllm: ScriptedVllm
) -> None:
    with ScriptedVllm(api_key="the-key") as elsewhere:
        elsewhere.models = ["big-model"]
        # asyncio drops a cancelled timer, whose context holds the agent, when no other one comes
        # before it: with the probe's own that takes half a minute.
        chat = chat_with(vllm.base_url, ARCHI_MODEL_PROBE="0")
        folder = chat.folder / "files"
        (folder / "pipelines.yaml").write_text(
            f"model: {MODEL}\n"
            "pipelines:\n  Here: {m: vllm/%s}\n  There: {m: example/big-model}\n"
            "providers:\n  example:\n"
            "    {base_url: '%s', api_key_secret: EXAMPLE_KEY, "
            "max_tokens_field: max_completion_tokens}\n" % (MODEL, elsewhere.base_url)
        )
        events = list(chat.events(chat.post(chat.new(), content="Hello?", agent="There")))
        assert events[-1][1]["error"]["code"] == "provider_key_missing"
        (folder / "secrets" / "EXAMPLE_KEY").write_text("the-key\n")
        conversation = chat.new()
        change = {"settings": {"agent": "There", "sampling": {"max_tokens": 9}}}
        chat.client.patch(f"/api/conversations/{conversation}", json=change)
        ended = chat.ask(conversation, "Hello?")
        assert (ended["status"], ended["model"]) == ("complete", "example/big-model")
        [asked] = elsewhere.requests
        assert (asked["model"], asked["max_completion_tokens"]) == ("big-model", 9)
        assert elsewhere.headers[0]["authorization"] == "Bearer the-key"
        assert vllm.requests == []
        # With another key come other connections; the old ones are closed.
        assert elsewhere.connections == 1
        (folder / "secrets" / "EXAMPLE_KEY").write_text("another\n")
        assert chat.ask(conversation, "Hello?")["error"]["code"] == "model_key_refused"
        # LangGraph leaves cycles behind, which hold the endpoint until they are collected.
        until(lambda: gc.collect() >= 0 and elsewhere.connections == 1)
        # The other agent stays where it is.
        list(chat.events(chat.post(chat.new(), content="Hello?", agent="Here")))
        assert vllm.requests[-1]["model"] == MODEL
        assert len(elsewhere.requests) == 1


def test_a_model_goes_elsewhere_only_where_a_pipeline_says_so() -> None:
    said = Pipelines(model=MODEL, pipelines={"A": {"m": f"vllm/{MODEL}"}})
    assert said.elsewhere("openai/gpt-oss-20b") is None
    said = Pipelines(model="openai/gpt-oss-20b", pipelines={"A": {"m": "openai/gpt-5"}})
    assert said.elsewhere("openai/gpt-oss-20b") is None
    found = said.elsewhere("openai/gpt-5")
    assert found is not None
    assert (found[0].base_url, found[1]) == ("https://api.openai.com/v1", "gpt-5")
    with pytest.raises(ValueError, match="there is no provider 'elsewhere'"):
        Pipelines(model=MODEL, pipelines={"A": {"m": "elsewhere/x"}})
