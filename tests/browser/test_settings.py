from __future__ import annotations

from playwright.sync_api import Page, Route, expect

from tests.chat_page import answered, held_by, reload
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


def test_settings_are_filled_in_when_they_are_known(page: Page) -> None:
    page.get_by_test_id("open-settings").click()
    prompt = page.get_by_label("System prompt")
    prompt.fill("Answer like a pirate.")
    save(page)
    answered(page, "Do you know them yet?")
    held: list[Route] = []
    page.route("**/messages?tree=true", lambda route: held.append(route))
    reload(page)
    page.get_by_test_id("open-settings").click()
    expect(page.get_by_test_id("settings-dialog")).to_be_visible()
    expect(prompt).to_be_disabled()
    expect(page.get_by_test_id("save-settings")).to_be_disabled()
    held_by(page, held).continue_()
    page.unroute("**/messages?tree=true")
    expect(prompt).to_have_value("Answer like a pirate.")
    page.get_by_label("Temperature").fill("0.3")
    save(page)
    reload(page)
    page.get_by_test_id("open-settings").click()
    expect(page.get_by_label("Temperature")).to_have_value("0.3")
    expect(prompt).to_have_value("Answer like a pirate.")


def test_back_leaves_the_settings_of_the_conversation_behind(page: Page) -> None:
    answered(page, "Whose settings are these?")
    page.get_by_test_id("open-settings").click()
    page.get_by_label("System prompt").fill("Answer like a pirate.")
    page.go_back()
    expect(page.get_by_test_id("settings-dialog")).to_be_hidden()
    expect(page.get_by_test_id("message-assistant")).to_have_count(0)
    page.get_by_test_id("open-settings").click()
    expect(page.get_by_label("System prompt")).to_have_value("")


def test_settings_that_are_not_known_are_not_saved(page: Page) -> None:
    answered(page, "What if it is not loaded?")
    page.route("**/messages?tree=true", lambda route: route.abort())
    reload(page)
    page.get_by_test_id("open-settings").click()
    expect(page.locator("#settings-error")).to_contain_text("it is not loaded")
    expect(page.get_by_test_id("save-settings")).to_be_disabled()


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
    # What is picked before the models are known again stays picked.
    page.keyboard.press("Escape")
    held: list[Route] = []
    page.route("**/api/agents", lambda route: held.append(route))
    page.get_by_test_id("open-settings").click()
    picker.select_option("")
    held_by(page, held).continue_()
    page.unroute("**/api/agents")
    expect(picker.locator("option")).to_have_text(["The agent's own", MODEL])
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
    body = page.locator("body")
    light = page.evaluate(colour)
    page.get_by_test_id("open-settings").click()
    page.get_by_text("Dark", exact=True).click()
    expect(body).not_to_have_css("background-color", light)
    dark = page.evaluate(colour)
    reload(page)
    expect(page.get_by_test_id("composer")).to_be_focused()
    expect(body).to_have_css("background-color", dark)
    page.get_by_test_id("open-settings").click()
    expect(page.get_by_label("Dark")).to_be_checked()
    page.get_by_text("As the system").click()
    expect(body).to_have_css("background-color", light)


def test_the_help_lists_the_shortcuts(page: Page) -> None:
    page.keyboard.press("Control+/")
    help_dialog = page.get_by_test_id("help-dialog")
    expect(help_dialog).to_contain_text("Search all conversations")
    page.keyboard.press("Escape")
    expect(help_dialog).to_be_hidden()
    page.keyboard.press("Control+,")
    expect(page.get_by_test_id("settings-dialog")).to_be_visible()
