"""The deployed page in a real browser, with real vLLM behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.chat_application import until
from tests.chat_page import new_context, reload, visit
from tests.e2e.conftest import Assistant
from tests.e2e.vllm_processes import engine_process, halted

ANSWER_MS = 180_000
"""How long a small model on a busy CPU may take for an answer."""

RECORD_GROWTH = """() => {
  window.lengths = [];
  new MutationObserver(() => {
    const answers = document.querySelectorAll('[data-testid="answer-text"]');
    const text = answers.length ? answers[answers.length - 1].textContent : "";
    if (text.length > (window.lengths.at(-1) ?? 0)) window.lengths.push(text.length);
  }).observe(document.body, {subtree: true, childList: true, characterData: true});
}"""


@pytest.fixture
def page(browser: Browser, assistant: Assistant) -> Iterator[Page]:
    context = new_context(browser, viewport={"width": 1280, "height": 800})
    page = context.new_page()
    visit(page, assistant.url)
    expect(page.get_by_test_id("model-name")).to_have_text("HuggingFaceTB/SmolLM2-135M-Instruct")
    yield page
    context.close()


def ask(page: Page, question: str) -> Locator:
    page.get_by_test_id("composer").fill(question)
    page.get_by_test_id("send").click()
    return page.get_by_test_id("message-assistant").last


def test_a_question_gets_an_answer_token_by_token(page: Page) -> None:
    page.evaluate(RECORD_GROWTH)
    answer = ask(page, "Tell me a story about a lighthouse in ten sentences.")
    expect(answer).to_have_attribute("data-status", "complete", timeout=ANSWER_MS)
    lengths = page.evaluate("window.lengths")
    assert len(lengths) >= 3, lengths
    text = answer.get_by_test_id("answer-text").inner_text()
    assert text.strip()
    expect(answer.get_by_test_id("figures")).to_contain_text("tokens/s")

    reload(page)
    kept = page.get_by_test_id("message-assistant").last.get_by_test_id("answer-text")
    expect(kept).to_have_text(text)


def test_the_model_is_asked_for_the_title(page: Page, assistant: Assistant) -> None:
    answer = ask(page, "Say hello in one sentence.")
    expect(answer).to_have_attribute("data-status", "complete", timeout=ANSWER_MS)
    conversation = f"/api/conversations/{page.url.rsplit('/', 1)[-1]}"
    until(lambda: assistant.get(conversation)["title_by"] == "model", ANSWER_MS / 1000)
    until(lambda: assistant.running() == 0, ANSWER_MS / 1000)
    # Where so small a model writes no title, the question's words stay.
    heading = page.get_by_role("heading", level=1)
    until(lambda: heading.inner_text() == assistant.get(conversation)["title"])


def test_stop_ends_the_work_of_vllm(page: Page, assistant: Assistant) -> None:
    engine = engine_process(assistant)
    answer = ask(page, "Count from one to one thousand, one number a line.")
    expect(answer.get_by_test_id("answer-text")).not_to_be_empty(timeout=ANSWER_MS)
    with halted(engine):
        assert assistant.running() >= 1  # a worker's look whether it generates may be one more
        page.get_by_test_id("stop").click()
        expect(answer).to_have_attribute("data-status", "stopped")
    until(lambda: assistant.running() == 0, ANSWER_MS / 1000)
