"""In every state axe finds nothing, the keyboard is enough, and each word is spoken once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Page, Route, expect

from tests.chat_page import DESKTOP, PHONE, OpenPage, answered, ask
from tests.scripted_vllm import Script, ScriptedVllm

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")

RICH = (
    "# Title\n\nText with `code`, **bold** and [a link](https://example.org).\n\n"
    "```python\nprint('hi')  # a comment\n```\n\n| a | b |\n|---|--:|\n| 1 | 2 |\n\n"
    "- [x] done\n- [ ] open\n\n$$\\sum_i x_i$$\n"
)

THEMES = [(size, scheme) for size in (DESKTOP, PHONE) for scheme in ("light", "dark")]


def violations(page: Page) -> list[str]:
    """What axe-core has against the page, a line each."""
    page.evaluate(AXE)
    found: list[dict[str, Any]] = page.evaluate("axe.run().then(({violations}) => violations)")
    return [
        f"{one['id']}: {one['help']}: {node['html'][:160]}: {node['failureSummary'][:200]}"
        for one in found
        for node in one["nodes"]
    ]


@pytest.mark.parametrize(("size", "scheme"), THEMES)
def test_axe_finds_nothing(
    open_page: OpenPage, vllm: ScriptedVllm, size: dict[str, int], scheme: str
) -> None:
    page = open_page(viewport=size, color_scheme=scheme, reduced_motion="reduce")
    assert violations(page) == []

    vllm.script = Script(tokens=re.findall(r"(?s).{1,9}", RICH), reasoning=["Let me think."])
    answer = answered(page, "Show everything")
    expect(answer.locator(".katex").first).to_be_visible()
    answer.get_by_text("Reasoning").click()
    assert violations(page) == []

    vllm.script = Script(error=(500, "CUDA error"))
    expect(answered(page, "Fail").get_by_test_id("error-card")).to_be_visible()
    page.get_by_test_id("message-user").last.get_by_test_id("edit-question").click()
    assert violations(page) == []

    page.keyboard.press("Escape")
    for shortcut, dialog in (("Control+,", "settings-dialog"), ("Control+/", "help-dialog")):
        page.keyboard.press(shortcut)
        expect(page.get_by_test_id(dialog)).to_be_visible()
        assert violations(page) == []
        page.keyboard.press("Escape")

    page.keyboard.press("Control+k")
    page.get_by_test_id("search").fill("everything")
    expect(page.get_by_test_id("search-hit").first).to_be_visible()
    assert violations(page) == []


def test_axe_finds_nothing_while_an_answer_streams_and_the_model_restarts(
    page: Page, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(hold=True)
    expect(ask(page, "Hold on")).to_have_text("Hello")
    assert violations(page) == []
    vllm.stop()
    try:
        expect(page.get_by_test_id("banner")).to_be_visible()
        assert violations(page) == []
    finally:
        vllm.start_again()


def test_axe_finds_nothing_in_tools_sources_and_documents(page: Page) -> None:
    answered(page, "Look it up")
    page.route(re.compile("tree=true"), with_tools)
    page.reload()
    page.get_by_test_id("tool-call").locator("summary").click()
    assert violations(page) == []
    page.get_by_test_id("source").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_test_id("open-documents").click()
    expect(page.get_by_test_id("documents-dialog")).to_be_visible()
    assert violations(page) == []


def with_tools(route: Route) -> None:
    """Give the answer a tool call with a source, as one of an agent with documents has."""
    response = route.fetch()
    body = response.json()
    body["messages"][-1]["tool_calls"] = [
        {
            "id": "1",
            "call_id": "call-1",
            "name": "search_documents",
            "arguments": {"query": "narwhal"},
            "content_offset": 0,
            "status": "complete",
            "result": "Narwhals have one tusk.",
            "sources": [
                {
                    "document_id": "01a22509-610f-7393-bd01-9251f352d7c8",
                    "name": "whales.pdf",
                    "page": 7,
                    "text": "Narwhals have one tusk.",
                }
            ],
            "started_at": body["messages"][-1]["created_at"],
            "duration_ms": 1250,
        }
    ]
    route.fulfill(response=response, json=body)


def test_each_word_of_an_answer_is_spoken_once(page: Page, vllm: ScriptedVllm) -> None:
    page.evaluate(
        """() => {
          window.spoken = [];
          new MutationObserver((records) => records.forEach((record) =>
            record.addedNodes.forEach((node) => window.spoken.push(node.textContent))
          )).observe(document.getElementById("live"), {childList: true});
        }"""
    )
    vllm.script = Script(
        tokens=["First ", "part.\n\nSecond", " part.\n\n", "Third part."], delay=0.1
    )
    answered(page, "Speak")
    expect(page.locator("#live")).to_contain_text("Third part.")
    assert page.evaluate("window.spoken") == [
        "The model is answering.",
        "First part.",
        "Second part.",
        "Third part.",
    ]


def test_it_works_by_keyboard_alone(page: Page, vllm: ScriptedVllm) -> None:
    page.keyboard.type("Only keys")
    page.keyboard.press("Enter")
    answers = page.get_by_test_id("message-assistant")
    expect(answers).to_have_attribute("data-status", "complete")
    expect(page.get_by_test_id("composer")).to_be_focused()
    reach(page, "Answer again", "Shift+Tab")
    vllm.script = Script(tokens=["Another one."])
    page.keyboard.press("Enter")
    expect(answers).to_contain_text("Another one.")
    page.keyboard.press("Control+Shift+E")
    page.keyboard.type("!")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("question-text")).to_have_text("Only keys!")
    page.keyboard.press("Control+Shift+O")
    expect(page.get_by_test_id("composer")).to_be_focused()
    expect(page.get_by_test_id("message-user")).to_have_count(0)
    reach(page, "Delete: Only keys", "Shift+Tab")
    page.keyboard.press("Enter")
    reach(page, "Delete", "Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("link", name="Only keys")).to_have_count(0)


def reach(page: Page, name: str, key: str) -> None:
    """Press a key until the button with that name has the focus."""
    focused = (
        "document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText"
    )
    for _ in range(60):
        if page.evaluate(focused).strip() == name:
            return
        page.keyboard.press(key)
    raise AssertionError(f"{name} cannot be reached with {key}")


def test_motion_and_contrast_are_as_the_reader_wants(open_page: OpenPage) -> None:
    line = "getComputedStyle(document.querySelector('.composer')).borderTopColor"
    usual = open_page(viewport=DESKTOP).evaluate(line)
    page = open_page(viewport=DESKTOP, reduced_motion="reduce", contrast="more")
    assert page.evaluate("document.getAnimations().length") == 0
    assert page.evaluate(line) != usual or page.evaluate(
        "matchMedia('(prefers-contrast: more)').matches"
    )
    assert violations(page) == []
