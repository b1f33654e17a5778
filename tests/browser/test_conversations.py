from __future__ import annotations

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.chat_application import ChatApplication
from tests.chat_page import answered, reload, text_of, visit
from tests.scripted_vllm import Script, ScriptedVllm


def test_a_conversation_is_renamed_and_deleted(page: Page) -> None:
    answered(page, "A first title")
    item = page.get_by_test_id("conversation-item").filter(has_text="A first title")
    item.hover()
    item.get_by_test_id("rename-conversation").click()
    page.get_by_test_id("rename-input").fill("A better title")
    page.get_by_test_id("rename-input").press("Enter")
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
    answered(page, "And why?")
    assert len(vllm.title_requests) == 1


def test_a_new_title_is_seen_in_every_tab(page: Page) -> None:
    answered(page, "Two tabs, one title")
    other = page.context.new_page()
    visit(other, page.url)
    expect(other.get_by_role("heading", level=1)).to_have_text("Two tabs, one title")
    item = page.get_by_test_id("conversation-item").filter(has_text="Two tabs, one title")
    item.hover()
    item.get_by_test_id("rename-conversation").click()
    page.get_by_test_id("rename-input").fill("Seen twice")
    page.get_by_test_id("rename-input").press("Enter")
    expect(other.get_by_role("heading", level=1)).to_have_text("Seen twice")


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
    page.mouse.wheel(0, 10_000)
    expect(page.get_by_role("link", name="Numbered 00")).to_have_count(1)
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
