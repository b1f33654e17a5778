from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.chat_page import answered, ask, reload, scroll_until_visible
from tests.scripted_vllm import Script, ScriptedVllm

MESSAGES = 1_000

# Milliseconds that the page did not react, by the browser's own count.
WATCH = """() => {
  window.long = [];
  new PerformanceObserver((list) => list.getEntries().forEach(
    (entry) => window.long.push(Math.round(entry.duration)))
  ).observe({type: "longtask", buffered: false});
}"""


def made_long(route: Route) -> None:
    """Put a thousand messages before those that there are."""
    response = route.fetch()
    body: dict[str, Any] = response.json()
    pattern, parent = body["messages"][0], None
    rows = []
    for at in range(MESSAGES):
        row = json.loads(json.dumps(pattern))
        row |= {
            "id": f"01900000-0000-7000-8000-{at:012}",
            "parent_id": parent,
            "role": "assistant" if at % 2 else "user",
            "content": f"Message {at}\n\n- a list\n\n```python\nprint({at})\n```\n" * 2,
        }
        parent = row["id"]
        rows.append(row)
    body["messages"][0]["parent_id"] = parent
    body["messages"] = rows + body["messages"]
    route.fulfill(response=response, json=body)


def test_a_thousand_messages_open_scroll_and_stream_smoothly(
    page: Page, vllm: ScriptedVllm, capsys: pytest.CaptureFixture[str]
) -> None:
    answered(page, "The thousandth")
    page.route("**/messages?tree=true", made_long)
    reload(page)
    page.evaluate(WATCH)
    expect(page.get_by_text("The thousandth").last).to_be_in_viewport()
    expect(page.locator(".message")).to_have_count(MESSAGES + 2)
    expect(page.get_by_test_id("regenerate").last).to_be_visible()
    opening = page.evaluate("window.long.splice(0)")
    # However long a busy machine takes: drawing all of them at once is what must not be.
    drawn = page.get_by_test_id("regenerate")
    assert drawn.count() < 50

    page.mouse.move(640, 400)
    for _ in range(40):
        page.mouse.wheel(0, -1500)
    to_end = page.get_by_role("button", name="Scroll to the newest message")
    scroll_until_visible(page, -1500, to_end)
    scrolling = page.evaluate("window.long.splice(0)")

    to_end.click()
    vllm.script = Script(tokens=["word ", "more ", "\n\n"], repeat=300)
    answer = ask(page, "Stream")
    expect(answer).to_have_attribute("data-status", "complete")
    streaming = page.evaluate("window.long.splice(0)")
    with capsys.disabled():
        for name, tasks in (("open", opening), ("scroll", scrolling), ("stream", streaming)):
            longest = max(tasks, default=0)
            print(f"\nlong tasks, {name}: {len(tasks)}, {sum(tasks)} ms, longest {longest} ms")
    assert drawn.count() < MESSAGES / 4
    # Generous for a busy machine: drawing all of them at once is what takes longer.
    assert max([*scrolling, *streaming], default=0) < 2_000
