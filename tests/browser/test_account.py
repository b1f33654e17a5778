"""The pages of accounts, keys and usage, on an application where people log in."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.test_accessibility import violations
from tests.chat_application import ChatApplication
from tests.chat_page import DESKTOP, PHONE, answered, new_context, reload, visit
from tests.oidc_provider import CLIENT_ID, CLIENT_SECRET, OidcProvider
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
    context = new_context(browser, viewport=DESKTOP, reduced_motion="reduce")
    page = context.new_page()
    visit(page, guarded.url)
    expect(page.get_by_role("heading", name="The first admin")).to_be_visible()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == []
    page.emulate_media(color_scheme="light")
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
    visit(admin, guarded.url)
    vllm.script = Script()
    answer = answered(admin, "Do you know me?")
    expect(answer).to_contain_text("Hello from the script.")
    admin.get_by_role("link", name="grace").click()
    expect(admin.get_by_role("heading", name="Account", level=1)).to_be_visible()
    admin.get_by_label("Name").fill("laptop")
    admin.get_by_role("button", name="Make a key").click()
    expect(admin.get_by_test_id("new-key")).to_have_text(re.compile(r"\S{20,}"))
    assert violations(admin) == []
    admin.get_by_role("button", name="Revoke").click()
    admin.get_by_test_id("confirm-delete").click()
    expect(admin.locator("#keys")).to_contain_text("revoked")


def test_an_admin_sees_usage_and_manages_accounts(admin: Page, guarded: ChatApplication) -> None:
    visit(admin, f"{guarded.url}/admin")
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
    context = new_context(browser, viewport=DESKTOP, reduced_motion="reduce")
    page = context.new_page()
    visit(page, f"{guarded.url}/admin")
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


def logged_in(browser: Browser, url: str, name: str, password: str) -> Page:
    page = new_context(browser, viewport=DESKTOP).new_page()
    visit(page, f"{url}/login")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Log in").click()
    return page


@pytest.mark.parametrize(
    ("user_agent", "name"),
    [
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
            "Firefox on Linux",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 "
            "(KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/142.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        ("curl/8.5.0", "curl"),
        ("Mozilla/5.0 (something)", "Mozilla/5.0 (something)"),
        ("", "Unknown"),
    ],
)
def test_a_sessions_browser_has_the_name_that_people_call_it(
    page: Page, user_agent: str, name: str
) -> None:
    named = "async (it) => (await import('/static/js/browser-name.js')).browserName(it)"
    assert page.evaluate(named, user_agent) == name


def test_a_session_is_ended_and_a_new_password_ends_the_others(
    browser: Browser, guarded: ChatApplication, admin: Page
) -> None:
    other = logged_in(browser, guarded.url, "grace", PASSWORD)
    expect(other.get_by_test_id("composer")).to_be_focused()
    visit(admin, f"{guarded.url}/account")
    sessions = admin.locator("#sessions")
    expect(sessions).to_contain_text("this one")
    expect(sessions).to_contain_text("Chrome on Linux")
    sessions.get_by_role("button", name="End").first.click()
    expect(sessions.get_by_role("button", name="End")).to_have_count(0)
    reload(other)
    expect(other.get_by_role("button", name="Log in")).to_be_visible()
    other.context.close()

    other = logged_in(browser, guarded.url, "grace", PASSWORD)
    expect(other.get_by_test_id("composer")).to_be_focused()
    admin.get_by_label("Password now").fill("not this one")
    admin.get_by_label("New password").fill("eight lively belugas")
    admin.get_by_role("button", name="Change it").click()
    expect(admin.get_by_test_id("error-card")).to_be_visible()
    admin.get_by_label("Password now").fill(PASSWORD)
    admin.get_by_role("button", name="Change it").click()
    expect(admin.get_by_text("The password is changed.")).to_be_visible()
    reload(other)
    expect(other.get_by_role("button", name="Log in")).to_be_visible()
    other.context.close()
    other = logged_in(browser, guarded.url, "grace", PASSWORD)
    expect(other.get_by_role("alert")).to_be_visible()
    other.context.close()
    admin.get_by_label("Password now").fill("eight lively belugas")
    admin.get_by_label("New password").fill(PASSWORD)
    admin.get_by_role("button", name="Change it").click()
    expect(admin.get_by_label("New password")).to_have_value("")


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_the_pages_of_accounts(
    browser: Browser, guarded: ChatApplication, admin: Page, size: dict[str, int], scheme: str
) -> None:
    look = {"viewport": size, "color_scheme": scheme, "reduced_motion": "reduce"}
    state = admin.context.storage_state()
    context = new_context(browser, **look, storage_state=state)
    page = context.new_page()
    for path, part in (("account", "#sessions"), ("admin", "#audit")):
        visit(page, f"{guarded.url}/{path}")
        expect(page.locator(f"{part} td").first).to_be_visible()
        assert violations(page) == []
        # Tables scroll in their frames; the page itself is no wider than the screen.
        assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
    context.close()
    context = new_context(browser, **look)
    page = context.new_page()
    visit(page, f"{guarded.url}/login")
    page.get_by_label("Name").fill("grace")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert violations(page) == []
    context.close()


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    with OidcProvider() as made:
        made.claims = {"sub": "1", "preferred_username": "ann"}
        yield made


def test_a_person_of_a_provider_logs_in_and_asks(
    browser: Browser,
    provider: OidcProvider,
    tmp_path: Path,
    vllm: ScriptedVllm,
) -> None:
    settings = {
        "ARCHI_WORKERS": "1",
        "ARCHI_AUTH": "oidc",
        "ARCHI_OIDC_ISSUER": provider.url,
        "ARCHI_OIDC_CLIENT_ID": CLIENT_ID,
    }
    application = ChatApplication(tmp_path, vllm.base_url, **settings)
    application.told(ARCHI_PUBLIC_URL=application.url)
    secret = tmp_path / "files" / "secrets" / "oidc_client_secret"
    secret.write_text(CLIENT_SECRET)
    context = new_context(browser, viewport=DESKTOP)
    page = context.new_page()
    with application:
        visit(page, f"{application.url}/account")
        page.get_by_role("link", name="Log in").click()
        expect(page.get_by_role("heading", name="Account", level=1)).to_be_visible()
        expect(page.get_by_role("heading", name="Password")).to_be_hidden()
        visit(page, application.url)
        expect(page.get_by_role("link", name="ann")).to_be_visible()
        expect(answered(page, "Do you know me?")).to_contain_text("Hello from the script.")
        context.close()
