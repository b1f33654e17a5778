from __future__ import annotations

import pytest
import requests
from playwright.sync_api import APIResponse, Page, Route, expect

from tests.chat_application import ChatApplication, until
from tests.chat_page import answered, held_by, reload, scroll_until_visible, text_of, visit
from tests.scripted_vllm import Script, ScriptedVllm


def rename(page: Page, title: str, better: str) -> None:
    item = page.get_by_test_id("conversation-item").filter(has_text=title)
    item.hover()
    item.get_by_test_id("rename-conversation").click()
    page.get_by_test_id("rename-input").fill(better)
    page.get_by_test_id("rename-input").press("Enter")


def test_a_conversation_is_renamed_and_deleted(page: Page) -> None:
    answered(page, "A first title")
    rename(page, "A first title", "A better title")
    item = page.get_by_test_id("conversation-item").filter(has_text="A better title")
    expect(item).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("A better title")
    reload(page)
    item.hover()
    item.get_by_test_id("delete-conversation").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("A better title")
    dialog.get_by_role("button", name="Keep it").click()
    expect(item).to_be_visible()
    item.hover()
    item.get_by_test_id("delete-conversation").click()
    page.get_by_test_id("confirm-delete").click()
    expect(item).to_have_count(0)
    expect(page.get_by_test_id("message-assistant")).to_have_count(0)
    reload(page)
    expect(page.get_by_test_id("composer")).to_be_focused()
    expect(item).to_have_count(0)


def test_the_model_writes_the_title_after_the_first_answer(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(title='"Whales and their tusks"')
    answered(page, "Which whale has a tusk, and what is it for?")
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Whales and their tusks")
    item = page.get_by_test_id("conversation-item").filter(has_text="Whales and their tusks")
    expect(item).to_be_visible()
    expect(page).to_have_title("Whales and their tusks · Archi")
    # The reader may look again, and the model is not asked again.
    reload(page)
    expect(heading).to_have_text("Whales and their tusks")
    expect(page.get_by_test_id("message-assistant")).to_have_count(1)
    answered(page, "And why?")
    assert len(vllm.title_requests) == 1


def test_a_new_title_is_seen_in_every_tab(page: Page) -> None:
    answered(page, "Two tabs, one title")
    other = page.context.new_page()
    visit(other, page.url)
    expect(other.get_by_role("heading", level=1)).to_have_text("Two tabs, one title")
    expect(other.get_by_role("link", name="Two tabs, one title")).to_be_visible()
    expect(other.get_by_test_id("message-assistant")).to_have_count(1)
    rename(page, "Two tabs, one title", "Seen twice")
    expect(other.get_by_role("heading", level=1)).to_have_text("Seen twice")


def test_a_title_that_comes_late_does_not_replace_ones_own(page: Page, vllm: ScriptedVllm) -> None:
    late: list[tuple[Route, APIResponse]] = []
    page.route("**/title", lambda route: late.append((route, route.fetch())))
    vllm.script = Script(title="What the model says")
    answered(page, "Who is the first to name it?")
    until(lambda: late or page.wait_for_timeout(20))
    rename(page, "Who is the first to name it?", "What I say")
    heading = page.get_by_role("heading", level=1)
    expect(heading).to_have_text("What I say")
    heading.evaluate(
        """(heading) => {
          window.titles = [];
          new MutationObserver(() => window.titles.push(heading.textContent))
            .observe(heading, {childList: true});
        }"""
    )
    route, response = late.pop()
    route.fulfill(response=response)
    answered(page, "And now?")
    assert set(page.evaluate("window.titles")) == {"What I say"}


def test_a_list_that_comes_late_does_not_hide_what_is_new(
    page: Page, application: ChatApplication
) -> None:
    answered(page, "Who is on the list?")
    late: list[tuple[Route, APIResponse]] = []
    through: list[bool] = []

    def hold(route: Route) -> None:
        if through:
            route.continue_()
        else:
            late.append((route, route.fetch()))

    page.route("**/api/conversations?*", hold)
    visit(page, application.url)
    until(lambda: late or page.wait_for_timeout(20))
    through.append(True)
    answered(page, "Who is faster than it?")
    items = page.get_by_test_id("conversation-item")
    expect(items).to_have_count(1)
    route, response = late.pop()
    route.fulfill(response=response)
    expect(items.filter(has_text="Who is on the list?").first).to_be_visible()
    expect(items.filter(has_text="Who is faster than it?").first).to_be_visible()


def test_a_question_sent_while_the_conversation_loads_follows_it(
    page: Page, application: ChatApplication
) -> None:
    answered(page, "The first question")
    held: list[Route] = []
    page.route("**/messages?tree=true", lambda route: held.append(route))
    reload(page)
    page.get_by_test_id("composer").fill("The second question")
    page.get_by_test_id("composer").press("Enter")
    expect(page.get_by_test_id("composer")).to_have_value("")
    expect(page.get_by_test_id("message-user")).to_have_count(0)
    held_by(page, held).continue_()
    page.unroute("**/messages?tree=true")
    answers = page.get_by_test_id("message-assistant")
    expect(answers).to_have_count(2)
    expect(answers.last).to_have_attribute("data-status", "complete")
    url = f"{application.url}/api/conversations/{page.url.rsplit('/', 1)[-1]}/messages"
    messages = requests.get(url, timeout=60).json()["messages"]
    asked = [message["content"] for message in messages if message["role"] == "user"]
    assert asked == ["The first question", "The second question"]


REFUSED = {
    "error": {
        "code": "too_many_streams",
        "type": "server_error",
        "param": None,
        "message": "All places are taken.",
        "next_step": "Try again in a few seconds.",
    }
}


def test_a_question_that_is_refused_comes_back_with_all_that_it_had(page: Page) -> None:
    answered(page, "Is there room?")
    held: list[Route] = []
    page.route("**/messages", lambda route: held.append(route))
    note = {"name": "note.txt", "mimeType": "text/plain", "buffer": b"Narwhals"}
    page.get_by_test_id("attach-input").set_input_files(note)
    attachment = page.get_by_test_id("attachment")
    expect(attachment).to_have_attribute("data-state", "there")
    composer = page.get_by_test_id("composer")
    composer.fill("What does it say?")
    composer.press("Enter")
    expect(attachment).to_have_count(0)
    composer.fill("And what else?")
    held_by(page, held).fulfill(status=503, json=REFUSED)
    expect(page.get_by_test_id("error-card")).to_contain_text("All places are taken.")
    expect(composer).to_have_value("What does it say?\n\nAnd what else?")
    expect(attachment).to_contain_text("note.txt")
    page.get_by_role("button", name="Remove note.txt").click()
    # In another conversation it does not come up; in its own it waits.
    composer.fill("And now?")
    composer.press("Enter")
    page.get_by_test_id("new-conversation").click()
    held_by(page, held).fulfill(status=503, json=REFUSED)
    expect(composer).to_have_value("")
    page.get_by_test_id("conversation-item").filter(has_text="Is there room?").first.click()
    expect(composer).to_have_value("And now?")


def test_search_finds_a_message_and_shows_it(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(tokens=["A narwhal ", "has one tusk."])
    answered(page, "Which whale has a tusk?")
    vllm.script = Script()
    answered(page, "Thanks")
    page.get_by_test_id("new-conversation").click()
    page.keyboard.press("Control+k")
    search = page.get_by_test_id("search")
    expect(search).to_be_focused()
    search.fill("narwh")
    hit = page.get_by_test_id("search-hit").filter(has_text="one tusk")
    expect(hit.locator("mark")).to_have_text("narwh")
    search.press("ArrowDown")
    expect(hit).to_be_focused()
    hit.press("Enter")
    found = page.get_by_test_id("message-assistant").first
    expect(found).to_be_focused()
    expect(text_of(found)).to_be_in_viewport()
    search.fill("xylophone-of-nobody")
    expect(page.get_by_text("Nothing found.")).to_be_visible()
    search.press("Escape")
    expect(search).to_have_value("")
    expect(page.get_by_test_id("conversation-item").first).to_be_visible()


@pytest.fixture
def many(application: ChatApplication) -> int:
    """More conversations than the list shows at first."""
    count = 60
    url = f"{application.url}/api/conversations"
    with requests.Session() as session:
        for at in range(count):
            session.post(url, json={"title": f"Numbered {at:02}"}, timeout=60)
    return count


def test_older_conversations_come_as_one_scrolls(page: Page, many: int) -> None:
    reload(page)
    items = page.get_by_test_id("conversation-item").filter(has_text="Numbered")
    expect(items.first).to_be_visible()
    expect(page.get_by_role("link", name="Numbered 00")).to_have_count(0)
    page.locator(".list-frame").hover()
    scroll_until_visible(page, 10_000, page.get_by_role("link", name="Numbered 00"))
    expect(items).to_have_count(many)


def test_everything_is_deleted_after_a_question(page: Page) -> None:
    answered(page, "Soon gone")
    page.get_by_test_id("open-settings").click()
    page.get_by_test_id("delete-all").click()
    expect(page.get_by_role("dialog")).to_contain_text("Delete all conversations?")
    page.get_by_test_id("confirm-delete").click()
    expect(page.get_by_test_id("conversation-item")).to_have_count(0)
    expect(page.get_by_text("Your conversations will be listed here.")).to_be_visible()
    expect(page.get_by_test_id("message-user")).to_have_count(0)
