"""Agents as files: which are read, and what is said of those that can't be."""

from __future__ import annotations

from pathlib import Path

import pytest

from archi.settings import SettingsError, agent_files, from_mapping

WRITER = "---\nname: Writer\ntools: [search_documents]\n---\nYou write.\n"


def problems(folder: Path) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        from_mapping("bot", {"services": {"chatbot": {"agents": str(folder)}}})
    return list(refused.value.problems)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "agents"
    made.mkdir()
    return made


def test_agents_are_the_md_files_of_the_folder_by_name(folder: Path) -> None:
    (folder / "writer.md").write_text(WRITER)
    (folder / "plain.md").write_text("You answer plainly.\n")
    (folder / "notes.txt").write_text("not an agent")
    found = agent_files.read(str(folder))
    assert [(one.name, one.content) for one in found] == [
        ("plain.md", "You answer plainly.\n"),
        ("writer.md", WRITER),
    ]
    from_mapping("bot", {"services": {"chatbot": {"agents": str(folder)}}})


def test_without_a_folder_of_ones_own_it_is_the_projects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("archi", "agents"):
        (tmp_path / name).mkdir()
    (tmp_path / "Pulumi.yaml").touch()
    (tmp_path / "agents" / "writer.md").write_text(WRITER)
    monkeypatch.chdir(tmp_path)
    assert [one.name for one in agent_files.read(None)] == ["writer.md"]
    (tmp_path / "agents" / "writer.md").unlink()
    (tmp_path / "agents").rmdir()
    assert agent_files.read(None) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "it has no system prompt. Write it below the second line of ---."),
        ("---\nname: A\n---\n \n", "it has no system prompt. Write it below the second line of"),
        ("---\nname: A\n", "its front matter has no end. Close it with a line of ---."),
        ("---\nname: [\n---\nx", "its front matter is no YAML in line 2. Write name: and tools:"),
        ("---\n- a\n---\nx", "its front matter is no YAML mapping. Write name: and tools: there."),
        ("---\nname: 5\n---\nx", "name: 5 is no text. Put it in quotes."),
        ("---\ntools: x\n---\nx", "tools: a list of names is wanted, such as [search_documents]."),
        ("x" * 70_000, "it has more than 64 KiB. Shorten it."),
    ],
)
def test_a_file_that_is_no_agent_is_named_with_the_mend(
    folder: Path, content: str, said: str
) -> None:
    (folder / "a.md").write_text(content)
    [problem] = problems(folder)
    assert problem.startswith(f"agents/a.md: {said}")


def test_a_file_with_a_name_that_can_not_be_is_named(folder: Path) -> None:
    (folder / "my agent.md").write_text(WRITER)
    [problem] = problems(folder)
    assert problem.startswith("agents/my agent.md: a file's name is made of")


def test_bytes_that_are_no_text_are_refused(folder: Path) -> None:
    (folder / "a.md").write_bytes(b"\xff\xfe")
    assert problems(folder) == ["agents/a.md: it is no UTF-8. Save the file as UTF-8."]


def test_two_agents_of_one_name_are_refused(folder: Path) -> None:
    (folder / "a.md").write_text(WRITER)
    (folder / "b.md").write_text(WRITER)
    assert problems(folder) == [
        "agents/b.md: its name is 'Writer', as that of a.md. Give each agent a name of its own."
    ]
