from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.chat_application import ChatApplication
from tests.scripted_vllm import MODEL, Script, ScriptedVllm

PHONE = {"width": 390, "height": 844}


def ask(page: Page, question: str) -> Locator:
    """Ask by the keyboard; returns the answer that it opens."""
    answers = page.get_by_test_id("message-assistant")
    before = answers.count()
    page.get_by_test_id("composer").fill(question)
    page.get_by_test_id("composer").press("Enter")
    expect(answers).to_have_count(before + 1)
    return answers.last


def test_an_answer_appears_token_by_token(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(hold=True)
    answer = ask(page, "Who is there?")
    expect(page.get_by_test_id("message-user").last).to_have_text("Who is there?")
    expect(answer).to_have_text("Hello")
    expect(answer).to_have_attribute("data-status", "streaming")
    vllm.release()
    expect(answer).to_have_attribute("data-status", "complete")
    expect(answer.get_by_test_id("answer-text")).to_have_text("Hello from the script.")
    figures = answer.get_by_test_id("figures")
    expect(figures).to_contain_text("tokens/s")
    expect(figures).to_contain_text("first token after")
    expect(page.get_by_test_id("send")).to_be_visible()
    expect(page.get_by_test_id("model-name")).to_have_text(MODEL)


def test_enter_sends_and_shift_enter_starts_a_line(page: Page, vllm: ScriptedVllm) -> None:
    composer = page.get_by_test_id("composer")
    composer.fill("one")
    composer.press("Shift+Enter")
    composer.press_sequentially("two")
    expect(composer).to_have_value("one\ntwo")
    composer.press("Enter")
    expect(page.get_by_test_id("message-user")).to_have_text("one\ntwo")
    expect(composer).to_have_value("")


def test_stop_ends_the_answer_and_frees_the_model(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(hang="last")
    answer = ask(page, "Go on for ever")
    expect(answer).to_contain_text("script.")
    page.get_by_test_id("stop").click()
    expect(answer).to_have_attribute("data-status", "stopped")
    expect(answer).to_contain_text("You stopped this answer.")
    expect(answer).to_contain_text("Hello from the script.")
    assert vllm.wait(lambda server: server.aborted == 1 and server.running == 0)
    vllm.script = Script(tokens=["Again."])
    answer.get_by_test_id("retry").click()
    expect(page.get_by_test_id("message-assistant")).to_have_count(1)
    expect(page.get_by_test_id("message-assistant").get_by_test_id("answer-text")).to_have_text(
        "Again."
    )


def test_reload_shows_the_conversation(page: Page) -> None:
    expect(ask(page, "Remember this?")).to_have_attribute("data-status", "complete")
    page.reload()
    expect(page.get_by_test_id("message-user")).to_have_text("Remember this?")
    expect(page.get_by_test_id("message-assistant").get_by_test_id("answer-text")).to_have_text(
        "Hello from the script."
    )
    expect(page).to_have_title(re.compile("Remember this"))


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
    expect(answer.get_by_test_id("answer-text")).to_have_text("Hello from the script.")


ATTACKS = [
    "<script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    "<svg onload='window.hacked = 1'>",
    "<iframe srcdoc='<script>parent.hacked = 1</script>'></iframe>",
    "[click](javascript:window.hacked=1)",
    "[click](data:text/html,<script>window.hacked=1</script>)",
    "![x](https://evil.example/pixel.png)",
    "```html\n<img src=x onerror='window.hacked = 1'>\n```",
    '```"><img/src=x/onerror=window.hacked=1>\ncode\n```',
    "<a href='x' onclick='window.hacked = 1' style='position:fixed;inset:0'>x</a>",
    "<form action='https://evil.example'><input name=x></form>",
]


@pytest.mark.parametrize("attack", ATTACKS)
def test_html_in_an_answer_is_harmless(page: Page, vllm: ScriptedVllm, attack: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    vllm.script = Script(tokens=[*re.findall(r".{1,7}", attack, re.DOTALL), "\n\nThe end."])
    answer = ask(page, attack)
    expect(answer).to_have_attribute("data-status", "complete")
    expect(answer).to_contain_text("The end.")
    assert page.evaluate("window.hacked") is None
    allowed = "script, img, iframe, form, style, [onerror], [onload], [onclick], [style]"
    assert answer.get_by_test_id("answer-text").locator(allowed).count() == 0
    for link in answer.locator(".prose a").all():
        assert re.match("https?:", link.get_attribute("href") or "https:")
    assert not [url for url in asked if "evil.example" in url]


def test_markdown_is_shown_as_such(page: Page, vllm: ScriptedVllm) -> None:
    text = "# Title\n\n**bold** and [a link](https://example.org)\n\n```python\nprint('hi')\n```\n"
    vllm.script = Script(tokens=re.findall(r"(?s).{1,5}", text))
    answer = ask(page, "Show me")
    expect(answer.get_by_role("heading", name="Title")).to_be_visible()
    expect(answer.locator("strong")).to_have_text("bold")
    expect(answer.get_by_role("link", name="a link")).to_have_attribute(
        "rel", "noopener noreferrer nofollow"
    )
    expect(answer.locator("pre")).to_have_text("print('hi')")
    expect(answer.locator(".code-head")).to_contain_text("python")
    expect(answer.locator(".hljs-string")).to_have_text("'hi'")


def test_a_model_that_is_down_gives_a_card_with_the_next_step(
    page: Page, vllm: ScriptedVllm
) -> None:
    vllm.stop()
    try:
        answer = ask(page, "Anybody there?")
        card = answer.get_by_test_id("error-card")
        expect(card).to_contain_text("does not answer")
        expect(card).to_contain_text("docker logs")
        expect(page.get_by_test_id("banner")).to_be_visible()
        expect(page.get_by_test_id("banner")).to_contain_text("not ready")
    finally:
        vllm.start_again()
    expect(page.get_by_test_id("banner")).to_be_hidden()
    answer.get_by_test_id("retry").click()
    expect(page.get_by_test_id("message-assistant")).to_have_attribute("data-status", "complete")


def test_an_answer_cut_off_says_so(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(cut="end")
    answer = ask(page, "Will you finish?")
    expect(answer).to_have_attribute("data-status", "interrupted")
    expect(answer).to_contain_text("cut off before its end")


def test_reasoning_is_shown_apart(page: Page, vllm: ScriptedVllm) -> None:
    vllm.script = Script(reasoning=["Thinking hard."])
    answer = ask(page, "Why?")
    expect(answer.get_by_test_id("answer-text")).to_have_text("Hello from the script.")
    answer.get_by_text("Reasoning").click()
    expect(answer.get_by_text("Thinking hard.")).to_be_visible()


def test_a_conversation_is_renamed_and_deleted(page: Page) -> None:
    expect(ask(page, "A first title")).to_have_attribute("data-status", "complete")
    item = page.get_by_test_id("conversation-item").filter(has_text="A first title")
    item.hover()
    item.get_by_test_id("rename-conversation").click()
    page.get_by_test_id("rename-input").fill("A better title")
    page.get_by_test_id("rename-input").press("Enter")
    item = page.get_by_test_id("conversation-item").filter(has_text="A better title")
    expect(item).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("A better title")
    page.reload()
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
    page.reload()
    expect(page.get_by_test_id("composer")).to_be_focused()
    expect(item).to_have_count(0)


def test_a_phone_can_do_everything(open_page: object, vllm: ScriptedVllm) -> None:
    page: Page = open_page(viewport=PHONE, has_touch=True, is_mobile=True)  # type: ignore[operator]
    vllm.script = Script(tokens=["A", " ", "w" * 200, "\n\n```\n" + "x" * 300 + "\n```\n"])
    expect(ask(page, "Fit on a phone")).to_have_attribute("data-status", "complete")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    expect(page.get_by_test_id("conversation-item").first).not_to_be_in_viewport()
    page.get_by_role("button", name="Open the list of conversations").tap()
    item = page.get_by_test_id("conversation-item").filter(has_text="Fit on a phone").first
    expect(item).to_be_in_viewport()
    item.get_by_test_id("delete-conversation").tap()
    page.get_by_test_id("confirm-delete").tap()
    expect(page.get_by_test_id("message-user")).to_have_count(0)
    page.get_by_role("button", name="Close the list of conversations").tap()
    expect(page.get_by_test_id("composer")).to_be_in_viewport()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast_in_light_and_dark(open_page: object, scheme: str) -> None:
    page: Page = open_page(color_scheme=scheme)  # type: ignore[operator]
    expect(ask(page, "Is it readable?")).to_have_attribute("data-status", "complete")
    dark = page.evaluate(LUMINANCE, ["body", "backgroundColor"]) < 0.2
    assert dark == (scheme == "dark")
    for selector in (".prose", ".figures", ".hint", ".conversation-link", ".bubble", "#model-name"):
        ratio = page.evaluate(CONTRAST, selector)
        assert ratio >= 4.5, (selector, ratio)


# WCAG 2.2, relative luminance and contrast ratio.
LUMINANCE_OF = """
const luminance = (colour) => {
  const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
"""
LUMINANCE = f"""([selector, property]) => {{ {LUMINANCE_OF}
  return luminance(getComputedStyle(document.querySelector(selector))[property]);
}}"""
CONTRAST = f"""(selector) => {{ {LUMINANCE_OF}
  let node = document.querySelector(selector);
  const front = luminance(getComputedStyle(node).color);
  let colour = "rgba(0, 0, 0, 0)";
  for (; colour === "rgba(0, 0, 0, 0)"; node = node.parentElement) {{
    colour = getComputedStyle(node).backgroundColor;
  }}
  const back = luminance(colour);
  return (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
}}"""


def test_it_works_by_keyboard_alone_and_speaks(page: Page, vllm: ScriptedVllm) -> None:
    page.keyboard.type("Only keys")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("message-assistant")).to_have_attribute("data-status", "complete")
    expect(page.locator("#live")).to_have_text("The answer: Hello from the script.")
    expect(page.get_by_test_id("composer")).to_be_focused()
    # From the field backwards to the buttons of the answer.
    page.keyboard.press("Shift+Tab")
    expect(page.get_by_role("button", name="Copy").last).to_be_focused()


def test_a_busy_application_gives_the_question_back(
    page: Page, application: ChatApplication
) -> None:
    page.route(
        "**/messages",
        lambda route: (
            route.fulfill(
                status=503,
                json={
                    "error": {
                        "code": "too_many_streams",
                        "message": "All 4 places for concurrent answers are taken.",
                        "next_step": "Try again in a few seconds.",
                    }
                },
            )
            if route.request.method == "POST"
            else route.continue_()
        ),
    )
    page.get_by_test_id("composer").fill("Is there room?")
    page.get_by_test_id("send").click()
    expect(page.get_by_test_id("error-card")).to_contain_text("Try again in a few seconds.")
    expect(page.get_by_test_id("composer")).to_have_value("Is there room?")
    expect(page.get_by_test_id("send")).to_be_enabled()
