"""What the documents say: links lead somewhere, snippets load, keys and texts exist."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args
from urllib.parse import unquote, urlsplit

import pytest
import trustme
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import BaseModel

from archi.diagnosis.causes import RULES
from archi.models import lookup
from archi.project import ROOT, stacks
from archi.settings import Settings, from_mapping
from archi.settings.load import from_yaml
from archi.vllm_registry import TOOL_PARSERS

PAGES = sorted(
    path
    for path in ROOT.rglob("*.md")
    if not any(part.startswith(".") for part in path.relative_to(ROOT).parts)
)
USERS_PAGES = [path for path in PAGES if path.parent in (ROOT, ROOT / "docs", ROOT / "docs" / "ci")]

# Where links may lead beside this repository.
HOSTS = {
    "docs.docker.com",
    "docs.nvidia.com",
    "docs.vllm.ai",
    "www.pulumi.com",
}

# The headings of the page that ours takes the place of: others link to them.
VLLM_HEADINGS = """
vLLM Provider / Why vLLM? / Prerequisites / Quick Start / 1. Configure your deployment / 2. Deploy /
3. Verify / Architecture / Configuration Reference / Config YAML / Model references /
vLLM service settings / Environment Variables / Host Networking / Tool Calling / Smoke Testing /
Troubleshooting / vLLM server not starting / Chatbot can't reach vLLM / Model not found (404) /
Tool calling returns 400 / Slow first response
"""

# Words of code in the pages that look like keys and are tools, or others' names.
NO_KEYS = {
    "input_audio",
    "known_hosts",
    "parent_id",
    "resource_group",
    "search_documents",
    "title_by",
}


@dataclass(frozen=True)
class Snippet:
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str


def tokens(page: Path) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(page.read_text())


def inline(page: Path) -> Iterator[Token]:
    for token in tokens(page):
        yield from token.children or ()


def snippets(*languages: str) -> list[Any]:
    found = [
        Snippet(page, (token.map or [0])[0] + 1, token.info.strip(), token.content)
        for page in USERS_PAGES
        for token in tokens(page)
        if token.type == "fence"
    ]
    return [
        pytest.param(one, id=f"{one.page.relative_to(ROOT)}:{one.line}")
        for one in found
        if one.language in languages
    ]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    made: list[str] = []
    parsed = tokens(page)
    for position, token in enumerate(parsed):
        if token.type != "heading_open":
            continue
        text = "".join(child.content for child in parsed[position + 1].children or ())
        slug = re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-")
        count = sum(1 for other in made if re.fullmatch(rf"{re.escape(slug)}(-\d+)?", other))
        made.append(f"{slug}-{count}" if slug in made else slug)
    return set(made)


def code(page: Path) -> list[str]:
    """All that stands as code in a page, in its lines and in its blocks."""
    blocks = [token.content for token in tokens(page) if token.type == "fence"]
    return blocks + [token.content for token in inline(page) if token.type == "code_inline"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for token in inline(page):
        target = token.attrs.get("href") or token.attrs.get("src")
        if target is None:
            continue
        parts = urlsplit(str(target))
        if parts.scheme:
            assert parts.scheme == "https", target
            assert parts.hostname in HOSTS, target
            continue
        file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        assert file.exists(), f"{page.name}: {target}"
        assert file.is_relative_to(ROOT), target
        if parts.fragment:
            assert parts.fragment in anchors(file), f"{page.name}: {target}"


def test_the_page_has_the_headings_that_others_link_to() -> None:
    page = ROOT / "docs" / "vllm.md"
    wanted = [heading.strip() for heading in VLLM_HEADINGS.replace("\n", " ").split(" / ")]
    there = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    assert [heading for heading in there if heading in wanted] == wanted
    advanced = anchors(ROOT / "docs" / "advanced_setup_deploy.md")
    assert "running-llms-locally-on-your-gpus" in advanced


@pytest.fixture
def project_of_the_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with the file of one's own that the pages name."""
    for ours in ("Pulumi.yaml", "archi", "images"):
        (tmp_path / ours).symlink_to(ROOT / ours)
    (tmp_path / "certificates").mkdir()
    made = trustme.CA().issue_cert("chat.example.org")
    for pem in made.cert_chain_pems:
        pem.write_to_path(tmp_path / "certificates" / "chat.pem", append=True)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("project_of_the_pages")
@pytest.mark.parametrize("snippet", snippets("yaml", "yml"))
def test_yaml_is_a_stack_file_or_a_config_yaml_that_loads(snippet: Snippet) -> None:
    content = yaml.safe_load(snippet.text)
    if "config" in content:
        keys = {key.removeprefix("archi:"): value for key, value in content["config"].items()}
        assert all(key.startswith("archi:") for key in content["config"])
        from_mapping("a-page", keys)
    else:
        from_yaml("a-page", "config.yaml", snippet.text.encode())


@pytest.mark.parametrize("snippet", snippets("bash", "sh"))
def test_commands_are_commands_and_name_what_there_is(snippet: Snippet) -> None:
    filled = re.sub(r"<[a-z -]+>", "NAME", snippet.text)
    if filled.lstrip().startswith("--"):
        return  # arguments to be added to a command
    done = subprocess.run(["bash", "-n"], input=filled, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for path in re.findall(r"(?<![\w/.])((?:scripts|stacks|tests|docs)/[\w./-]+\.\w+)", filled):
        own = re.search(r"Pulumi\.(mine|my-deployment|team|team-test)\.yaml$", path)
        assert own or (ROOT / path).exists(), path


def test_every_make_target_that_is_named_exists() -> None:
    made = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for page in PAGES:
        for text in code(page):
            for target in re.findall(r"^(?:sudo )?make ([a-z0-9-]+)", text, re.MULTILINE):
                assert target in made, f"{page.name}: make {target}"


def known_key(path: str) -> bool:
    """Whether the settings have a key ``services.vllm.model``."""
    model: Any = Settings
    for part in path.split("."):
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return model is dict  # below a mapping people choose the keys
        field = model.model_fields.get(part)
        if field is None:
            return False
        model = next(_sections(field.annotation), None)
    return True


def _sections(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif str(annotation).startswith("dict["):
        yield dict
    else:
        for argument in get_args(annotation):
            yield from _sections(argument)


def test_every_key_that_is_named_exists() -> None:
    for page in PAGES:
        for text in code(page):
            for path in re.findall(r"\barchi:([a-z][\w.]*\w)", text):
                assert known_key(path), f"{page.name}: archi:{path}"
            for path in re.findall(r"(?<![\w.:/])(services\.(?!py\b)[a-z][\w.]*\w)", text):
                assert known_key(path), f"{page.name}: {path}"


def test_every_word_that_looks_like_a_key_is_one() -> None:
    keys = NO_KEYS | set(_all_keys(Settings))
    for page in USERS_PAGES:
        if page.name in ("CONTRIBUTING.md", "README.md"):
            continue
        for token in inline(page):
            word = re.fullmatch(r"([a-z]+(?:_[a-z]+)+)(: .+)?", token.content)
            if token.type == "code_inline" and word and not word[1].startswith("test_"):
                assert word[1] in keys, f"{page.name}: {word[1]}"


def test_every_test_that_is_named_exists() -> None:
    known: set[str] = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        named = re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
        known |= {path.name, *named, *(f"{path.name}::{name}" for name in named)}
    for page in USERS_PAGES:
        for token in inline(page):
            if token.type == "code_inline" and token.content.startswith("test_"):
                assert token.content in known, f"{page.name}: {token.content}"


def _all_keys(model: type[BaseModel]) -> Iterator[str]:
    """All keys, and the words that they may be set to."""
    for name, field in model.model_fields.items():
        yield name
        yield from _choices(field.annotation)
        for section in _models(field.annotation):
            yield from _all_keys(section)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _choices(annotation: Any) -> Iterator[str]:
    for argument in get_args(annotation):
        if isinstance(argument, str):
            yield argument
        else:
            yield from _choices(argument)


def test_every_stack_that_is_named_is_shipped() -> None:
    for page in USERS_PAGES:
        for name in re.findall(r"\bstacks? `([a-z-]+)`", page.read_text()):
            assert name in stacks(ROOT), f"{page.name}: {name}"


def test_the_table_of_parsers_is_what_archi_chooses() -> None:
    section = (ROOT / "docs" / "vllm.md").read_text().split("## Tool Calling")[1].split("\n## ")[0]
    rows = dict(re.findall(r"^\| ([^|]+) \| `(\w+)` \|$", section, re.MULTILINE))
    examples = {
        "Qwen (Qwen2.5, Qwen3)": ["Qwen/Qwen2.5-7B-Instruct-1M", "Qwen/Qwen3-8B"],
        "Qwen3-Coder, Qwen3.5 and later": ["Qwen/Qwen3-Coder-30B-A3B-Instruct", "Qwen/Qwen3.5-9B"],
        "Mistral from v0.3, Mixtral 8x22B, Ministral, Magistral": [
            "mistralai/Mistral-7B-Instruct-v0.3",
            "mistralai/Mixtral-8x22B-Instruct-v0.1",
            "mistralai/Ministral-8B-Instruct-2410",
            "mistralai/Magistral-Small-2509",
        ],
        "Llama 3.1 and later": ["meta-llama/Llama-3.1-8B-Instruct"],
        "Llama 4": ["meta-llama/Llama-4-Scout-17B-16E-Instruct"],
        "gpt-oss": ["openai/gpt-oss-20b"],
        "GLM-4.5, GLM-4.6": ["zai-org/GLM-4.5-Air", "zai-org/GLM-4.6"],
        "Kimi K2": ["moonshotai/Kimi-K2-Instruct"],
        "DeepSeek V3, R1": ["deepseek-ai/DeepSeek-V3", "deepseek-ai/DeepSeek-R1"],
        "Gemma 4": ["google/gemma-4-31B-it"],
        "Granite 3.0, 3.1": ["ibm-granite/granite-3.1-8b-instruct"],
        "Granite 4": ["ibm-granite/granite-4.0-h-small"],
        "Phi-4-mini": ["microsoft/Phi-4-mini-instruct"],
        "any other": ["someone/some-model"],
    }
    assert rows.keys() == examples.keys()
    for family, parser in rows.items():
        assert parser in TOOL_PARSERS
        assert {lookup(model).tool_parser for model in examples[family]} == {parser}


def said_by_archi() -> str:
    """All texts of the code, what is filled in left as a NUL."""
    texts: list[str] = []
    for folder in ("archi", "components", "chatbot"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.JoinedStr):
                    parts = [
                        str(part.value) if isinstance(part, ast.Constant) else "\0"
                        for part in node.values
                    ]
                    texts.append("".join(parts))
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    texts.append(re.sub(r"\{\w+\}", "\0", node.value))
    return "\n".join(texts).lower()


def table_texts(page: Path) -> list[str]:
    """What stands as code in the first column of a page's tables."""
    found = []
    parsed = tokens(page)
    for position, token in enumerate(parsed):
        if token.type == "tr_open" and parsed[position + 1].type == "td_open":
            cell = parsed[position + 2].children or []
            found += [child.content for child in cell if child.type == "code_inline"]
    return found


def test_what_the_troubleshooting_page_quotes_is_what_archi_says() -> None:
    said = said_by_archi()
    quoted = table_texts(ROOT / "docs" / "troubleshooting.md")
    assert len(quoted) > 50
    for text in quoted:
        for part in text.lower().split("…"):
            assert part.strip() in said, text


def test_every_diagnosis_stands_in_the_troubleshooting_page() -> None:
    quoted = table_texts(ROOT / "docs" / "troubleshooting.md")
    for rule in RULES:
        if isinstance(rule.what, str):
            what = re.sub(r"\{\w+\}", "…", rule.what)
            assert any(text.rstrip(".") in what for text in quoted), what


def test_no_page_names_this_machine() -> None:
    for page in PAGES:
        assert not re.search(r"/work/|/home/\w|/tmp/", page.read_text()), page.name
