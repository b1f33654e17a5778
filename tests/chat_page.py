"""What the tests of the page do with it again and again."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.scripted_vllm import Script

OpenPage = Callable[..., Page]

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}


def looking_up() -> Script:
    """The model searches the documents before it answers, and says so first."""
    return Script(
        rounds=[[("search_documents", '{"query": "narwhals tusk"}')]],
        said_first=["Let me look. \U0001f40b"],
        tokens=["They have ", "one tusk."],
    )


def ask(page: Page, question: str) -> Locator:
    """Ask by the keyboard; returns the answer that it opens."""
    answers = page.get_by_test_id("message-assistant")
    before = answers.count()
    page.get_by_test_id("composer").fill(question)
    page.get_by_test_id("composer").press("Enter")
    expect(answers).to_have_count(before + 1)
    return answers.last


def answered(page: Page, question: str) -> Locator:
    """Ask, and wait until the answer has ended; returns it."""
    answer = ask(page, question)
    expect(answer).not_to_have_attribute("data-status", "streaming")
    return answer


def text_of(answer: Locator) -> Locator:
    """The answer's text, without what stands around it."""
    return answer.get_by_test_id("answer-text")
