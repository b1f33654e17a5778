from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.chat_page import answered, looking_up, reload
from tests.scripted_vllm import Script, ScriptedVllm

NOTE = {
    "name": "whales.txt",
    "mimeType": "text/plain",
    "buffer": b"Narwhals have one tusk. It is a tooth.",
}


def test_a_question_carries_a_file(page: Page, vllm: ScriptedVllm) -> None:
    page.get_by_test_id("attach-input").set_input_files(NOTE)
    expect(page.get_by_test_id("attachment")).to_contain_text("whales.txt")
    expect(page.get_by_test_id("attachment")).to_have_attribute("data-state", "there")
    answered(page, "How many tusks?")
    expect(page.get_by_test_id("attachment")).to_have_count(0)
    expect(page.get_by_role("list", name="Attachments")).to_contain_text("whales.txt")
    assert "It is a tooth." in str(vllm.requests[-1]["messages"])


def test_an_image_reaches_a_model_that_sees_and_one_that_does_not_says_so(
    page: Page, vllm: ScriptedVllm
) -> None:
    image = {"name": "dot.png", "mimeType": "image/png", "buffer": page.screenshot()}
    page.get_by_test_id("attach-input").set_input_files(image)
    expect(page.get_by_test_id("attachment")).to_have_attribute("data-state", "there")
    answered(page, "What is on it?")
    expect(page.get_by_role("list", name="Attachments")).to_contain_text("dot.png")
    *_, question = vllm.requests[-1]["messages"]
    [part] = [part for part in question["content"] if part["type"] == "image_url"]
    assert part["image_url"]["url"].startswith("data:image/")
    vllm.script = Script(images=False)
    page.get_by_test_id("regenerate").click()
    answer = page.get_by_test_id("message-assistant")
    expect(answer.get_by_test_id("error-card")).to_contain_text("image")


def test_a_file_that_is_refused_says_why_and_can_be_removed(page: Page) -> None:
    program = {"name": "run.exe", "mimeType": "text/plain", "buffer": b"MZ\x90\x00\x03\x00\x00\x00"}
    page.get_by_test_id("attach-input").set_input_files(program)
    refused = page.get_by_test_id("attachment")
    expect(refused).to_have_attribute("data-state", "refused")
    page.get_by_test_id("composer").fill("Send it anyway")
    expect(page.get_by_test_id("send")).to_be_disabled()
    page.get_by_role("button", name="Remove run.exe").click()
    expect(refused).to_have_count(0)
    expect(page.get_by_test_id("send")).to_be_enabled()


def test_documents_are_listed_uploaded_and_deleted(page: Page) -> None:
    page.get_by_test_id("open-documents").click()
    page.get_by_test_id("documents-input").set_input_files({**NOTE, "name": "kept.txt"})
    item = page.get_by_test_id("document").filter(has_text="kept.txt")
    expect(item).to_contain_text("yours")
    with page.expect_download() as download:
        item.get_by_role("link").click()
    assert download.value.suggested_filename == "kept.txt"
    item.get_by_test_id("delete-document").click()
    page.get_by_test_id("confirm-delete").click()
    expect(item).to_have_count(0)


def test_reasoning_is_shown_apart(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(reasoning=["Thinking hard."])
    answer = answered(page, "Why?")
    expect(answer.get_by_test_id("answer-text")).to_have_text("Hello from the script.")
    answer.get_by_text("Reasoning").click()
    expect(answer.get_by_text("Thinking hard.")).to_be_visible()


@pytest.mark.usefixtures("whales")
def test_the_tools_of_an_answer_are_traced_where_they_were_called(
    page: Page, vllm: ScriptedVllm
) -> None:
    vllm.script = looking_up()
    vllm.script.rounds.append([("calculator", '{"expression": "6 * 7"}'), ("time", "{}")])
    vllm.script.said_first.append("It is a tooth.\n\n")
    answer = answered(page, "Look it up")
    # As it came, and as it was kept.
    for _ in range(2):
        calls = answer.get_by_test_id("tool-call")
        expect(calls.locator("strong")).to_have_text(["search_documents", "calculator", "time"])
        places = answer.get_by_test_id("answer-text").or_(answer.locator(".tools"))
        expect(places).to_have_text(
            [
                "Let me look. \U0001f40b",
                re.compile("search_documents"),
                "It is a tooth.",
                re.compile("calculator.*time", re.DOTALL),
                "They have one tusk.",
            ]
        )
        call = calls.first
        expect(call).to_contain_text(re.compile(r"done · \d+ ms|done · [\d.]+ s"))
        call.locator("summary").click()
        expect(call.get_by_label("Arguments")).to_contain_text("narwhals tusk")
        expect(call.get_by_label("Result")).to_contain_text("Narwhals have one tusk.")
        reload(page)
        expect(answer).to_have_attribute("data-status", "complete")


def test_an_answer_is_rated(page: Page) -> None:
    answer = answered(page, "Was it good?")
    answer.get_by_test_id("rate-down").click()
    page.get_by_test_id("comment").fill("Too short.")
    page.get_by_role("dialog").get_by_role("button", name="Send").click()
    expect(answer.get_by_test_id("rate-down")).to_have_attribute("aria-pressed", "true")
    reload(page)
    expect(answer.get_by_test_id("rate-down")).to_have_attribute("aria-pressed", "true")
    answer.get_by_test_id("rate-down").click()
    expect(answer.get_by_test_id("rate-down")).to_have_attribute("aria-pressed", "false")
