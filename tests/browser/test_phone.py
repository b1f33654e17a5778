from __future__ import annotations

from playwright.sync_api import expect

from tests.chat_page import PHONE, OpenPage, answered
from tests.scripted_vllm import Script, ScriptedVllm


def test_a_phone_can_do_everything(open_page: OpenPage, vllm: ScriptedVllm) -> None:
    page = open_page(viewport=PHONE, has_touch=True, is_mobile=True)
    vllm.script = Script(tokens=["A", " ", "w" * 200, "\n\n```\n" + "x" * 300 + "\n```\n"])
    answered(page, "Fit on a phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    expect(page.get_by_test_id("conversation-item").first).not_to_be_in_viewport()
    page.get_by_role("button", name="Open the list of conversations").tap()
    item = page.get_by_test_id("conversation-item").filter(has_text="Fit on a phone").first
    expect(item).to_be_in_viewport()
    item.get_by_test_id("delete-conversation").tap()
    page.get_by_test_id("confirm-delete").tap()
    expect(page.get_by_test_id("message-user")).to_have_count(0)
    expect(page.get_by_test_id("composer")).to_be_in_viewport()
    page.get_by_role("button", name="Open the list of conversations").tap()
    page.get_by_role("button", name="Close the list of conversations").tap()
    expect(page.get_by_test_id("composer")).to_be_in_viewport()
