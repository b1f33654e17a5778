from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.chat_page import answered, reload
from tests.scripted_vllm import MODEL, ScriptedVllm


def save(page: Page) -> None:
    """Save the settings; until the application has them, the dialog covers the page."""
    page.get_by_test_id("save-settings").click()
    expect(page.get_by_test_id("settings-dialog")).to_be_hidden()


def test_settings_of_a_new_conversation_hold_for_its_answers(
    page: Page, vllm: ScriptedVllm
) -> None:
    page.get_by_test_id("open-settings").click()
    page.get_by_label("System prompt").fill("Answer like a pirate.")
    page.get_by_label("Temperature").fill("0.3")
    save(page)
    answered(page, "Who are you?")
    reload(page)
    page.get_by_test_id("open-settings").click()
    expect(page.get_by_label("System prompt")).to_have_value("Answer like a pirate.")
    expect(page.get_by_label("Temperature")).to_have_value("0.3")
    page.get_by_role("button", name="Use the defaults").click()
    expect(page.get_by_test_id("settings-dialog")).to_be_hidden()
    page.get_by_test_id("open-settings").click()
    expect(page.get_by_label("System prompt")).to_have_value("")


def test_the_model_is_one_of_those_that_can_answer(page: Page, vllm: ScriptedVllm) -> None:
    vllm.models = [MODEL, "an/adapter"]
    page.get_by_test_id("open-settings").click()
    picker = page.get_by_label("Model", exact=True)
    expect(picker.locator("option")).to_have_text(["The agent's own", MODEL, "an/adapter"])
    expect(picker).to_have_value("")
    picker.select_option("an/adapter")
    save(page)
    answered(page, "Who are you?")
    assert vllm.requests[-1]["model"] == "an/adapter"
    vllm.models = [MODEL]
    reload(page)
    page.get_by_test_id("open-settings").click()
    expect(picker).to_have_value("an/adapter")
    expect(page.get_by_text("It is not served now.")).to_be_visible()
    picker.select_option("")
    save(page)
    answered(page, "And now?")
    assert vllm.requests[-1]["model"] == MODEL


def test_a_wrong_setting_is_named_at_its_field(page: Page) -> None:
    answered(page, "Take my settings")
    page.get_by_test_id("open-settings").click()
    page.get_by_label("Temperature").fill("7")
    page.get_by_test_id("save-settings").click()
    expect(page.get_by_role("alert")).to_contain_text("temperature")
    expect(page.get_by_label("Temperature")).to_have_attribute("aria-invalid", "true")


def test_the_appearance_is_chosen_and_kept(page: Page) -> None:
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.get_by_test_id("open-settings").click()
    page.get_by_text("Dark", exact=True).click()
    dark = page.evaluate(colour)
    assert dark != light
    reload(page)
    expect(page.get_by_test_id("composer")).to_be_focused()
    assert page.evaluate(colour) == dark
    page.get_by_test_id("open-settings").click()
    expect(page.get_by_label("Dark")).to_be_checked()
    page.get_by_text("As the system").click()
    assert page.evaluate(colour) == light


def test_the_help_lists_the_shortcuts(page: Page) -> None:
    page.keyboard.press("Control+/")
    help_dialog = page.get_by_test_id("help-dialog")
    expect(help_dialog).to_contain_text("Search all conversations")
    page.keyboard.press("Escape")
    expect(help_dialog).to_be_hidden()
    page.keyboard.press("Control+,")
    expect(page.get_by_test_id("settings-dialog")).to_be_visible()
