"""The pages of accounts, keys and usage, on an application where people log in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_accessibility import violations
from tests.chat_application import ChatApplication
from tests.chat_page import DESKTOP, answered
from tests.scripted_vllm import Script, ScriptedVllm

PASSWORD = "seven tired narwhals"


@pytest.fixture(scope="module")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, vllm_process: ScriptedVllm
) -> Iterator[ChatApplication]:
    folder = tmp_path_factory.mktemp("guarded")
    more = {"ARCHI_WORKERS": "1", "ARCHI_AUTH": "local"}
    with ChatApplication(folder, vllm_process.base_url, **more) as running:
        yield running


@pytest.fixture(scope="module")
def admin(browser: Browser, guarded: ChatApplication) -> Iterator[Page]:
    """The first admin, made on the page with the token of the log."""
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    page.goto(guarded.url)
    expect(page.get_by_role("heading", name="The first admin")).to_be_visible()
    assert violations(page) == []
    lines = (json.loads(line) for line in guarded.log.read_text().splitlines() if line[:1] == "{")
    [token] = [line["token"] for line in lines if line.get("event") == "no_admin_yet"]
    page.get_by_label("Token from the log").fill(token)
    page.get_by_label("Name").fill("grace")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("The same password again").fill(PASSWORD)
    page.get_by_role("button", name="Make the first admin").click()
    expect(page.get_by_test_id("composer")).to_be_focused()
    yield page
    context.close()


def test_who_is_logged_in_asks_and_makes_a_key(
    admin: Page, vllm: ScriptedVllm, guarded: ChatApplication
) -> None:
    admin.goto(guarded.url)
    vllm.script = Script()
    expect(answered(admin, "Do you know me?")).to_have_attribute("data-status", "complete")
    admin.get_by_role("link", name="grace").click()
    admin.get_by_label("Name").fill("laptop")
    admin.get_by_role("button", name="Make a key").click()
    expect(admin.get_by_test_id("new-key")).to_have_text(re.compile(r"\S{20,}"))
    assert violations(admin) == []
    admin.get_by_role("button", name="Revoke").click()
    admin.get_by_test_id("confirm-delete").click()
    expect(admin.locator("#keys")).to_contain_text("revoked")


def test_an_admin_sees_usage_and_manages_accounts(admin: Page, guarded: ChatApplication) -> None:
    admin.goto(f"{guarded.url}/admin")
    expect(admin.get_by_role("img", name=re.compile("^Answers: [1-9]"))).to_be_visible()
    expect(admin.locator("#usage")).to_contain_text("grace")
    expect(admin.locator("#audit")).to_contain_text("grace")
    admin.get_by_label("Name").fill("ada")
    admin.get_by_label("First password").fill(PASSWORD)
    admin.get_by_role("button", name="Make the account").click()
    people = admin.locator("#users")
    expect(people).to_contain_text("ada")
    assert violations(admin) == []
    admin.get_by_role("button", name="Delete: ada").click()
    admin.get_by_test_id("confirm-delete").click()
    expect(people).not_to_contain_text("ada")


def test_without_a_session_the_page_leads_to_the_login(
    browser: Browser, guarded: ChatApplication, admin: Page
) -> None:
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    page.goto(f"{guarded.url}/admin")
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    assert violations(page) == []
    page.get_by_label("Name").fill("grace")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_contain_text("The name or the password is wrong.")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Admin", level=1)).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("button", name="Log in")).to_be_visible()
    context.close()
