from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.chat_page import answered, ask, reload, text_of
from tests.scripted_vllm import Script, ScriptedVllm


def test_an_answer_is_asked_for_again_and_both_stay(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(tokens=["The first."])
    answered(page, "Say it")
    vllm.script = Script(tokens=["The second."])
    answers = page.get_by_test_id("message-assistant")
    answers.get_by_test_id("regenerate").click()
    expect(text_of(answers)).to_have_text("The second.")
    expect(answers.get_by_test_id("branches")).to_contain_text("2/2")
    answers.get_by_test_id("branch-previous").click()
    expect(text_of(answers)).to_have_text("The first.")
    expect(answers.get_by_test_id("branches")).to_contain_text("1/2")
    expect(answers.get_by_test_id("branch-previous")).to_be_disabled()
    expect(answers.get_by_test_id("branch-next")).to_be_focused()
    # What is shown is what the next question follows, also after a reload.
    reload(page)
    expect(text_of(answers)).to_have_text("The first.")
    answered(page, "And then?")
    said = [turn["content"] for turn in vllm.requests[-1]["messages"][1:]]
    assert said == ["Say it", "The first.", "And then?"]


def test_a_question_is_edited_into_a_branch_of_its_own(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(tokens=["About cats."])
    answered(page, "Tell me about cats")
    answered(page, "More")
    vllm.script = Script(tokens=["About dogs."])
    question = page.get_by_test_id("message-user").first
    question.hover()
    question.get_by_test_id("edit-question").click()
    field = page.get_by_test_id("edit-field")
    expect(field).to_have_value("Tell me about cats")
    field.fill("Tell me about dogs")
    page.get_by_test_id("send-edit").click()
    expect(page.get_by_test_id("message-user")).to_have_count(1)
    expect(text_of(page.get_by_test_id("message-assistant"))).to_have_text("About dogs.")
    assert [turn["content"] for turn in vllm.requests[-1]["messages"][1:]] == ["Tell me about dogs"]
    expect(question.get_by_test_id("branches")).to_contain_text("2/2")
    question.get_by_test_id("branch-previous").click()
    expect(page.get_by_test_id("question-text")).to_have_text(["Tell me about cats", "More"])
    question.get_by_test_id("branch-next").click()
    expect(page.get_by_test_id("question-text")).to_have_text(["Tell me about dogs"])


def test_an_edit_while_an_answer_is_written_comes_back(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(hold=True)
    answer = ask(page, "Not done yet")
    expect(answer).to_have_text("Hello")
    page.keyboard.press("Control+Shift+E")
    page.get_by_test_id("edit-field").fill("Asked too early")
    page.get_by_test_id("send-edit").click()
    composer = page.get_by_test_id("composer")
    expect(composer).to_have_value("Asked too early")
    expect(page.get_by_test_id("question-text")).to_have_text(["Not done yet"])
    expect(page.get_by_test_id("stop")).to_be_visible()
    vllm.release()
    expect(answer).to_have_attribute("data-status", "complete")
    composer.press("Enter")
    expect(page.get_by_test_id("question-text")).to_have_text(["Not done yet", "Asked too early"])


def test_an_edit_is_left_with_escape(page: Page) -> None:
    answered(page, "Leave me as I am")
    page.keyboard.press("Control+Shift+E")
    field = page.get_by_test_id("edit-field")
    expect(field).to_be_focused()
    field.fill("Changed")
    field.press("Escape")
    expect(page.get_by_test_id("question-text")).to_have_text("Leave me as I am")
    expect(page.get_by_test_id("edit-question")).to_be_focused()
