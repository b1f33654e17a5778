from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.chat_page import answered, reload
from tests.scripted_vllm import ScriptedVllm


def test_a_model_that_is_down_gives_a_banner_and_a_card_with_the_next_step(
    page: Page, vllm: ScriptedVllm
) -> None:
    vllm.stop()
    banner = page.get_by_test_id("banner")
    try:
        answer = answered(page, "Anybody there?")
        card = answer.get_by_test_id("error-card")
        expect(card).to_contain_text("does not answer")
        expect(card).to_contain_text("docker logs")
        expect(banner).to_contain_text("starting or restarting")
        expect(page.get_by_test_id("banner-elapsed")).to_have_text(
            re.compile(r"waiting for [1-9]\d* s")
        )
    finally:
        vllm.start_again()
    expect(banner).to_be_hidden()
    answer.get_by_test_id("retry").click()
    expect(page.get_by_test_id("message-assistant")).to_have_attribute("data-status", "complete")


def test_the_page_is_there_while_the_model_is_not(page: Page, vllm: ScriptedVllm) -> None:
    answered(page, "Kept while the model is away")
    vllm.stop()
    try:
        reload(page)
        expect(page.get_by_test_id("question-text")).to_have_text("Kept while the model is away")
        expect(page.get_by_test_id("banner")).to_be_visible()
        expect(page.get_by_test_id("composer")).to_be_editable()
    finally:
        vllm.start_again()
    expect(page.get_by_test_id("banner")).to_be_hidden()
    expect(page.locator("#live")).to_contain_text("The model is ready again.")


def test_a_busy_application_gives_the_question_back(page: Page) -> None:
    error = {
        "code": "too_many_streams",
        "message": "All 4 places for concurrent answers are taken.",
        "next_step": "Try again in a few seconds.",
    }
    page.route(
        re.compile("/messages$"), lambda route: route.fulfill(status=503, json={"error": error})
    )
    page.get_by_test_id("composer").fill("Is there room?")
    page.get_by_test_id("send").click()
    expect(page.get_by_test_id("error-card")).to_contain_text("Try again in a few seconds.")
    expect(page.get_by_test_id("composer")).to_have_value("Is there room?")
    expect(page.get_by_test_id("send")).to_be_enabled()


def test_an_application_that_is_away_says_so(page: Page) -> None:
    page.route("**/api/**", lambda route: route.abort())
    page.get_by_test_id("composer").fill("Still there?")
    page.get_by_test_id("send").click()
    expect(page.get_by_test_id("error-card")).to_contain_text("does not answer")
    expect(page.get_by_test_id("banner")).to_contain_text("The chat application is away")
    expect(page.get_by_test_id("composer")).to_have_value("Still there?")


@pytest.mark.parametrize(
    ("code", "title"),
    [
        ("model_not_running", "The model server does not run"),
        ("model_hangs", "The model hangs"),
        ("model_engine_died", "The model has crashed"),
    ],
)
def test_the_banner_says_what_is_the_matter_with_the_model(
    page: Page, code: str, title: str
) -> None:
    def refuse(route: Route) -> None:
        answer = route.fetch()
        error = {"code": code, "message": "What happened.", "next_step": "What to do."}
        route.fulfill(response=answer, json={**answer.json(), "ready": False, "error": error})

    page.route("**/api/state", refuse)
    reload(page)
    expect(page.get_by_test_id("banner")).to_contain_text(title)
    expect(page.get_by_test_id("banner")).to_contain_text("What happened. What to do.")
    page.unroute("**/api/state")
    expect(page.get_by_test_id("banner")).to_be_hidden()
