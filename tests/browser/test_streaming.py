from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.chat_application import ChatApplication
from tests.chat_database import unwritable
from tests.chat_page import answered, ask, reload, scroll_until_visible, text_of, visit
from tests.scripted_vllm import MODEL, Script, ScriptedVllm

TEXT = "Hello from the script."


def test_an_answer_appears_token_by_token(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(hold=True)
    answer = ask(page, "Who is there?")
    expect(page.get_by_test_id("question-text").last).to_have_text("Who is there?")
    expect(answer).to_have_text("Hello")
    expect(answer).to_have_attribute("data-status", "streaming")
    vllm.release()
    expect(answer).to_have_attribute("data-status", "complete")
    expect(text_of(answer)).to_have_text(TEXT)
    expect(page.get_by_test_id("send")).to_be_visible()
    expect(page.get_by_test_id("model-name")).to_have_text(MODEL)


def test_each_answer_shows_what_it_cost(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(hold=True)
    answer = ask(page, "What does it cost?")
    expect(answer).to_have_text("Hello")
    vllm.release()
    figures = answer.get_by_test_id("figures")
    expect(figures).to_contain_text("tokens/s")
    expect(figures).to_contain_text("first token after")
    expect(figures).to_contain_text("5 tokens")
    expect(figures.get_by_test_id("context-meter")).to_have_attribute("max", "2048")
    expect(figures).to_contain_text("% of context")


def test_enter_sends_and_shift_enter_starts_a_line(page: Page, vllm: ScriptedVllm) -> None:
    composer = page.get_by_test_id("composer")
    composer.fill("one")
    composer.press("Shift+Enter")
    composer.press_sequentially("two")
    expect(composer).to_have_value("one\ntwo")
    composer.press("Enter")
    expect(page.get_by_test_id("question-text")).to_have_text("one\ntwo")
    expect(composer).to_have_value("")
    expect(page.get_by_test_id("message-assistant")).to_have_attribute("data-status", "complete")


def test_stop_ends_the_answer_and_frees_the_model(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(hang="last")
    answer = ask(page, "Go on for ever")
    expect(answer).to_contain_text("script.")
    page.get_by_test_id("stop").click()
    expect(answer).to_have_attribute("data-status", "stopped")
    expect(answer).to_contain_text("You stopped this answer.")
    expect(text_of(answer)).to_have_text(TEXT)
    assert vllm.wait(lambda server: server.aborted == 1 and server.running == 0)
    expect(page.get_by_test_id("composer")).to_be_focused()


def test_escape_stops_before_the_first_word(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(hang="headers")
    answer = ask(page, "Anything?")
    assert vllm.wait(lambda server: server.running == 1)
    page.keyboard.press("Escape")
    expect(answer).to_contain_text("You stopped it before the first word.")
    assert vllm.wait(lambda server: server.running == 0)


def test_a_reload_shows_the_conversation(page: Page) -> None:
    answered(page, "Remember this?")
    reload(page)
    expect(page.get_by_test_id("question-text")).to_have_text("Remember this?")
    expect(text_of(page.get_by_test_id("message-assistant"))).to_have_text(TEXT)
    expect(page).to_have_title(re.compile("Remember this"))


def test_a_reload_in_mid_answer_goes_on_without_duplicates(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(hold=True)
    expect(text_of(ask(page, "Reload me"))).to_have_text("Hello")
    reload(page)
    answer = page.get_by_test_id("message-assistant")
    expect(text_of(answer)).to_have_text("Hello")
    expect(page.get_by_test_id("stop")).to_be_visible()
    vllm.release()
    expect(answer).to_have_attribute("data-status", "complete")
    expect(text_of(answer)).to_have_text(TEXT)
    assert len(vllm.requests) == 1


def test_a_second_tab_shows_the_same_answer_grow(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(hold=True)
    expect(text_of(ask(page, "Two tabs"))).to_have_text("Hello")
    context: BrowserContext = page.context
    other = context.new_page()
    visit(other, page.url)
    answer = other.get_by_test_id("message-assistant")
    expect(text_of(answer)).to_have_text("Hello")
    vllm.release()
    for tab in (page, other):
        expect(tab.get_by_test_id("message-assistant")).to_have_attribute("data-status", "complete")
        expect(text_of(tab.get_by_test_id("message-assistant"))).to_have_text(TEXT)


def test_what_one_tab_asks_the_other_one_shows(page: Page) -> None:
    answered(page, "Both look at this")
    other = page.context.new_page()
    visit(other, page.url)
    expect(other.get_by_test_id("message-assistant")).to_have_count(1)
    answered(page, "And at this")
    expect(other.get_by_test_id("message-assistant")).to_have_count(2)
    expect(text_of(other.get_by_test_id("message-assistant").last)).to_have_text(TEXT)


def test_a_broken_connection_is_taken_up_where_it_ended(page: Page, vllm: ScriptedVllm) -> None:
    followed: list[str | None] = []

    def cut_short(route: Route) -> None:
        """Let only the first two events of the answer through, as a proxy that gives up."""
        response = route.fetch()
        events = response.text().split("\n\n")
        route.fulfill(response=response, body="\n\n".join(events[:2]) + "\n\n")

    page.on(
        "request",
        lambda request: (
            followed.append(request.headers.get("last-event-id"))
            if request.url.endswith("/events")
            else None
        ),
    )
    page.route(re.compile(r"/api/conversations/[^/]+/messages$"), cut_short)
    vllm.script = Script(tokens=["One ", "two ", "three."], delay=0.1)
    answer = answered(page, "Through a bad line")
    expect(text_of(answer)).to_have_text("One two three.")
    assert len(followed) == 1
    assert followed[0] is not None


def test_an_answer_goes_on_while_another_conversation_is_read(
    page: Page, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(hold=True)
    expect(ask(page, "The slow one")).to_have_text("Hello")
    page.get_by_test_id("new-conversation").click()
    expect(page.get_by_test_id("message-assistant")).to_have_count(0)
    page.get_by_role("link", name="The slow one").click()
    answer = page.get_by_test_id("message-assistant")
    expect(answer).to_have_attribute("data-status", "streaming")
    vllm.release()
    expect(answer).to_have_attribute("data-status", "complete")
    expect(text_of(answer)).to_have_text(TEXT)


def test_an_answer_that_is_not_saved_says_so_until_it_is(
    page: Page, vllm: ScriptedVllm, application: ChatApplication
) -> None:
    vllm.script = Script(hold=True)
    answer = ask(page, "Is it safe?")
    expect(answer).to_have_text("Hello")
    with unwritable(application.folder):
        vllm.release()
        expect(answer).to_contain_text("This answer is not saved yet.")
        expect(text_of(answer)).to_have_text(TEXT)
    expect(answer).not_to_contain_text("not saved")
    expect(answer.get_by_test_id("figures")).to_be_visible()
    reload(page)
    expect(text_of(answer)).to_have_text(TEXT)


def test_the_page_stays_at_the_end_unless_one_scrolls_up(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(tokens=["A line.\n\n"], repeat=60)
    answer = answered(page, "Write a lot")
    expect(answer.get_by_text("A line.").last).to_be_in_viewport()
    page.mouse.move(640, 300)
    to_end = page.get_by_role("button", name="Scroll to the newest message")
    scroll_until_visible(page, -600, to_end)
    to_end.click()
    expect(page.get_by_test_id("regenerate")).to_be_in_viewport()
    expect(to_end).to_be_hidden()
