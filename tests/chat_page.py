"""What the tests of the page do with it again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    Locator,
    Page,
    Request,
    Route,
    expect,
)

from tests.chat_application import until
from tests.scripted_vllm import Script

OpenPage = Callable[..., Page]

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}

_NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"

# Milliseconds that an action waits for what it acts on; a busy machine pauses for a while.
_PATIENCE = 120_000


def new_context(browser: Browser, **options: Any) -> BrowserContext:
    """A browser's context with patience for a busy machine."""
    context = browser.new_context(**options)
    context.set_default_timeout(_PATIENCE)
    return context


def visit(page: Page, url: str) -> None:
    """Open an address, whole."""
    _whole(page, lambda: page.goto(url))


def reload(page: Page) -> None:
    """Load the page again, whole."""
    _whole(page, page.reload)


def _whole(page: Page, load: Callable[[], object]) -> None:
    """Load until nothing was broken off by a change of the machine's networks.

    Chromium breaks off whatever it is loading when an interface comes or goes, and other tests make
    and remove Docker's networks at the same time: the page then stands there without its scripts.
    """
    for _ in range(5):
        broken: list[str] = []

        def failed(request: Request, broken: list[str] = broken) -> None:
            if request.failure == _NETWORK_CHANGED:
                broken.append(request.url)

        page.on("requestfailed", failed)
        try:
            load()
        except Error as error:
            if _NETWORK_CHANGED not in error.message:
                raise
            broken.append(page.url)
        finally:
            page.remove_listener("requestfailed", failed)
        if not broken:
            return
    raise AssertionError(f"the networks change all the time: {broken}")


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


def held_by(page: Page, held: list[Route]) -> Route:
    """The request that a route has put there instead of letting it go, when it has been made."""
    until(lambda: held or page.wait_for_timeout(20))
    return held.pop()


def scroll_until_visible(page: Page, by: int, wanted: Locator) -> None:
    """Turn the wheel until something shows; a turn counts as the reader's for a second only."""

    def shown() -> bool:
        page.mouse.wheel(0, by)
        page.wait_for_timeout(100)
        return wanted.is_visible()

    until(shown)


def text_of(answer: Locator) -> Locator:
    """The answer's text, without what stands around it."""
    return answer.get_by_test_id("answer-text")
