from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.chat_page import ask, text_of
from tests.scripted_vllm import Script, ScriptedVllm

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


def test_tables_ticks_and_formulas_are_drawn(page: Page, vllm: ScriptedVllm) -> None:
    text = (
        "| a | b |\n|---|--:|\n| 1 | 2 |\n\n- [x] done\n\n"
        "Inline $x^2$, and it costs $5 or $6.\n\n$$\n\\frac{a}{b}\n$$\n"
    )
    vllm.script = Script(tokens=re.findall(r"(?s).{1,4}", text))
    answer = ask(page, "Draw")
    expect(answer.locator("td").last).to_have_css("text-align", "right")
    expect(answer.get_by_role("checkbox")).to_be_checked()
    expect(answer.locator(".maths .katex")).to_have_count(2)
    expect(answer.locator(".maths.display mfrac")).to_have_count(1)
    expect(answer).to_contain_text("it costs $5 or $6.")


FORMULAS = [
    r"$\href{javascript:window.hacked=1}{x}$",
    r"$\url{javascript:window.hacked=1}$",
    r"$\includegraphics{https://evil.example/pixel.png}$",
    r"$\htmlStyle{background:url(https://evil.example)}{x}$",
    r"$\text{<img src=x onerror='window.hacked = 1'>}$",
    r"$\def\a{\a\a}\a$",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_is_harmless(page: Page, vllm: ScriptedVllm, formula: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    vllm.script = Script(tokens=[formula, "\n\nThe end."])
    answer = ask(page, "A formula, please")
    expect(answer).to_contain_text("The end.")
    expect(answer).to_have_attribute("data-status", "complete")
    text = text_of(answer)
    assert text.locator("a, img, [href], [src], [onerror]").count() == 0
    assert page.evaluate("window.hacked") is None
    assert not [url for url in asked if "evil.example" in url]
