"""In every state axe finds nothing, the keyboard is enough, and each word is spoken once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect

from tests.chat_page import (
    DESKTOP,
    PHONE,
    OpenPage,
    answered,
    ask,
    looking_up,
    reload,
    scroll_until_visible,
)
from tests.scripted_vllm import MODEL, Script, ScriptedVllm

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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_while_an_answer_streams_and_the_model_restarts(
    open_page: OpenPage, vllm: ScriptedVllm, scheme: str
) -> None:
    page = open_page(viewport=DESKTOP, color_scheme=scheme, reduced_motion="reduce")
    vllm.script = Script(hold=True)
    expect(ask(page, "Hold on")).to_have_text("Hello")
    assert violations(page) == []
    vllm.stop()
    try:
        expect(page.get_by_test_id("banner")).to_be_visible()
        assert violations(page) == []
    finally:
        vllm.start_again()


@pytest.mark.usefixtures("whales")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_tools_sources_and_documents(
    open_page: OpenPage, vllm: ScriptedVllm, scheme: str
) -> None:
    page = open_page(viewport=DESKTOP, color_scheme=scheme, reduced_motion="reduce")
    vllm.script = looking_up()
    answered(page, "Look it up").get_by_test_id("tool-call").locator("summary").click()
    assert violations(page) == []
    page.get_by_test_id("source").first.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_test_id("open-documents").click()
    expect(page.get_by_test_id("document").first).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_a_long_conversation(
    open_page: OpenPage, vllm: ScriptedVllm, scheme: str
) -> None:
    page = open_page(viewport=DESKTOP, color_scheme=scheme, reduced_motion="reduce")
    vllm.script = Script(tokens=[RICH], repeat=8)
    for question in ("Write a lot", "And more"):
        answered(page, question)
    page.mouse.move(640, 300)
    to_end = page.get_by_role("button", name="Scroll to the newest message")
    scroll_until_visible(page, -900, to_end)
    assert violations(page) == []


def test_each_word_of_an_answer_is_spoken_once(page: Page, vllm: ScriptedVllm) -> None:
    # A probe that takes too long would have the model's return spoken, too.
    ready = {"ready": True, "model": MODEL, "models": [MODEL], "error": None}
    page.route("**/api/state", lambda route: route.fulfill(json=ready))
    reload(page)
    expect(page.get_by_test_id("composer")).to_be_focused()
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
    expect(answers).to_have_attribute("data-status", "complete")
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
    for _ in range(300):
        if page.evaluate(focused).strip() == name:
            return
        page.keyboard.press(key)
    raise AssertionError(f"{name} cannot be reached with {key}")


def test_motion_and_contrast_are_as_the_reader_wants(
    open_page: OpenPage, vllm: ScriptedVllm
) -> None:
    style = "([what, name]) => getComputedStyle(document.querySelector(what))[name]"

    def of(page: Page, what: str, name: str) -> str:
        expect(page.locator(what).first).to_be_attached()
        return str(page.evaluate(style, [what, name]))

    usual = open_page(viewport=DESKTOP)
    page = open_page(viewport=DESKTOP, reduced_motion="reduce", contrast="more")
    # Lines are as dark as texts, and faint texts as dark as the rest.
    text = of(page, "body", "color")
    assert of(usual, ".tips", "color") != text
    assert of(page, ".tips", "color") == text
    assert of(page, ".model", "borderTopColor") == text
    assert of(usual, ".model", "borderTopColor") != text
    # What moves while one waits stands still for who wants that.
    for waiting, moves in ((usual, True), (page, False)):
        vllm.script = Script(hang="first")
        ask(waiting, "Wait")
        expect(waiting.locator(".waiting")).to_be_visible()
        assert (of(waiting, ".waiting i", "animationName") != "none") is moves
        waiting.get_by_test_id("stop").click()
        expect(waiting.get_by_test_id("stop")).to_be_hidden()
    assert violations(page) == []
