"""Six walks of somebody who has never seen the page: by visible words and labels only."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.chat_page import looking_up
from tests.scripted_vllm import Script, ScriptedVllm


def ask(page: Page, question: str) -> None:
    page.get_by_placeholder("Ask a question").fill(question)
    page.get_by_role("button", name="Send").click()


def test_how_to_stop(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(hang="last")
    ask(page, "Never end")
    expect(page.get_by_test_id("answer-text").get_by_text("Hello from")).to_be_visible()
    page.get_by_role("button", name="Stop the answer").click()
    expect(page.get_by_text("You stopped this answer.")).to_be_visible()


def test_how_to_try_again(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(error=(500, "CUDA error"))
    ask(page, "Please fail")
    expect(page.get_by_role("alert")).to_contain_text("CUDA error")
    vllm.script = Script(tokens=["Now it works."])
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_test_id("answer-text").get_by_text("Now it works.")).to_be_visible()
    vllm.script = Script(tokens=["And differently."])
    page.get_by_role("button", name="Answer again").click()
    expect(page.get_by_test_id("answer-text").get_by_text("And differently.")).to_be_visible()


def test_why_an_answer_ended(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(finish_reason="length")
    ask(page, "How long may it be?")
    expect(page.get_by_text("The answer reached its greatest length.")).to_be_visible()
    vllm.script = Script(cut="end")
    ask(page, "And when it breaks?")
    expect(page.get_by_text("The answer was cut off before its end.")).to_be_visible()
    vllm.script = Script(error=(401, "Unauthorized"))
    ask(page, "And when it is refused?")
    expect(page.get_by_text("refused the API key")).to_be_visible()


def test_what_it_cost(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(hold=True)
    ask(page, "What does this cost?")
    expect(page.get_by_test_id("answer-text").get_by_text("Hello")).to_be_visible()
    vllm.release()
    cost = page.get_by_role("group", name="What this answer cost")
    expect(cost).to_contain_text(re.compile(r"tokens/s.*first token after.*5 tokens.*of context"))


@pytest.mark.usefixtures("whales")
def test_where_a_source_is(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = looking_up()
    ask(page, "How many tusks?")
    sources = page.get_by_role("region", name="Sources")
    sources.get_by_role("button", name="whales.pdf, page 2").click()
    passage = page.get_by_role("dialog", name="whales.pdf")
    expect(passage).to_contain_text("Narwhals have one tusk.")
    with page.expect_download() as download:
        passage.get_by_role("link", name="Download the document").click()
    assert download.value.suggested_filename == "whales.pdf"


def test_how_to_delete_everything(page: Page) -> None:
    ask(page, "Forget me")
    expect(page.get_by_role("link", name="Forget me")).to_be_visible()
    page.get_by_role("button", name="Settings", exact=True).click()
    page.get_by_role("button", name="Delete all conversations").click()
    page.get_by_role("button", name="Delete everything").click()
    expect(page.get_by_role("link", name="Forget me")).to_have_count(0)
    expect(page.get_by_text("Your conversations will be listed here.")).to_be_visible()
