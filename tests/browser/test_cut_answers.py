from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.chat_page import answered, reload, text_of
from tests.scripted_vllm import Script, ScriptedVllm


def test_an_answer_cut_off_says_so_and_is_continued(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(tokens=["First half,"], cut="end")
    answer = answered(page, "Will you finish?")
    expect(answer).to_have_attribute("data-status", "interrupted")
    expect(answer).to_contain_text("cut off before its end")
    vllm.script = Script(tokens=[" second half."])
    answer.get_by_test_id("continue").click()
    expect(answer).to_have_attribute("data-status", "complete")
    expect(text_of(answer)).to_have_text("First half, second half.")
    reload(page)
    expect(text_of(answer)).to_have_text("First half, second half.")


def test_an_answer_at_its_greatest_length_is_continued(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(tokens=["So far"], finish_reason="length")
    answer = answered(page, "Be long")
    expect(answer).to_contain_text("greatest length")
    vllm.script = Script(tokens=[" and on."])
    answer.get_by_test_id("continue").click()
    expect(text_of(answer)).to_have_text("So far and on.")
    expect(answer.get_by_test_id("continue")).to_have_count(0)


def test_a_model_killed_in_mid_answer_leaves_what_had_come(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(cut="abort")
    answer = answered(page, "Die in the middle")
    expect(answer.get_by_test_id("error-card")).to_contain_text("does not answer")
    expect(text_of(answer)).to_contain_text("Hello")
    expect(answer.get_by_test_id("continue")).to_be_visible()


def test_a_stopped_answer_is_tried_again(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(error=(500, "CUDA error"))
    answer = answered(page, "Fail once")
    expect(answer.get_by_test_id("error-card")).to_contain_text("CUDA error")
    vllm.script = Script(tokens=["Again."])
    answer.get_by_test_id("retry").click()
    answers = page.get_by_test_id("message-assistant")
    expect(answers).to_have_count(1)
    expect(text_of(answers)).to_have_text("Again.")


def test_a_conversation_that_is_too_long_offers_a_new_one(page: Page, vllm: ScriptedVllm) -> None:
    message = "This model's maximum context length is 2048 tokens. However, you asked for 3000."
    vllm.script = Script(error=(400, message))
    answer = answered(page, "Too long")
    answer.get_by_test_id("fresh").click()
    expect(page.get_by_role("heading", name="What would you like to know?")).to_be_visible()
    expect(page.get_by_test_id("composer")).to_be_focused()
