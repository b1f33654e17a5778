from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.chat_application import ChatApplication, until
from tests.chat_page import DESKTOP, OpenPage, new_context, visit
from tests.pdf_file import pdf
from tests.scripted_vllm import ScriptedVllm


@pytest.fixture(scope="session")
def vllm_process() -> Iterator[ScriptedVllm]:
    with ScriptedVllm() as server:
        yield server


@pytest.fixture
def vllm(vllm_process: ScriptedVllm) -> Iterator[ScriptedVllm]:
    vllm_process.reset()
    yield vllm_process
    vllm_process.release()
    assert vllm_process.wait(lambda server: server.running == 0)


@pytest.fixture(scope="session")
def application(
    tmp_path_factory: pytest.TempPathFactory, vllm_process: ScriptedVllm
) -> Iterator[ChatApplication]:
    folder = tmp_path_factory.mktemp("application")
    # The grace is longer than a busy machine takes for a reload.
    environment = {"ARCHI_WORKERS": "1", "ARCHI_LEAVE_GRACE": "30"}
    with ChatApplication(folder, vllm_process.base_url, **environment) as running:
        # The first answer imports LangChain, which takes seconds.
        made = requests.post(f"{running.url}/api/conversations", json={}, timeout=60).json()
        url = f"{running.url}/api/conversations/{made['id']}"
        requests.post(f"{url}/messages", json={"content": "Hello?"}, timeout=120)
        requests.delete(url, timeout=60)
        yield running


@pytest.fixture
def open_page(
    browser: Browser, application: ChatApplication, vllm: ScriptedVllm
) -> Iterator[OpenPage]:
    """Opens the application's page; its arguments are those of a browser context.

    The test fails when the page has logged an error or broken its content security policy.
    """
    contexts = []
    problems: list[str] = []

    def opened(**options: object) -> Page:
        context = new_context(browser, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda said: (
                problems.append(said.text)
                if said.type == "error" and "Failed to load resource" not in said.text
                else None
            ),
        )
        visit(page, application.url)
        page.bring_to_front()
        expect(page.get_by_test_id("composer")).to_be_focused()
        return page

    yield opened
    for context in contexts:
        context.close()
    # What is under way has the application ask the model, maybe only in the next test.
    vllm.release()
    state = f"{application.url}/api/admin/state"
    until(lambda: requests.get(state, timeout=60).json()["answers"] == 0)
    assert problems == []


@pytest.fixture
def whales(application: ChatApplication) -> Iterator[None]:
    """A document that the assistant can search, for as long as the test."""
    content = pdf("Whales are mammals.", "Narwhals have one tusk.")
    url = f"{application.url}/api/documents"
    made = requests.post(url, files={"file": ("whales.pdf", content)}, timeout=60)
    yield
    requests.delete(f"{url}/{made.json()['id']}", timeout=60).raise_for_status()


@pytest.fixture
def page(open_page: OpenPage) -> Page:
    return open_page(viewport=DESKTOP)
