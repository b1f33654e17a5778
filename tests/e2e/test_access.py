"""A deployed chat whose people log in: the first admin, the page's login, keys, the smoke test."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from playwright.sync_api import Browser, expect

from tests.chat_page import new_context, visit
from tests.command_line import ARCHI
from tests.e2e.conftest import Assistant

PASSWORD = "a planted password of the tests"


@pytest.fixture(scope="module")
def guarded(full_deployed: Assistant) -> Iterator[Assistant]:
    """The deployment with local accounts, and without anybody yet; afterwards as it was."""
    full_deployed.touched = True
    vllm = full_deployed.ids()["vllm-server"]
    with full_deployed.edited(services={"chatbot": {"auth": {"mode": "local"}}}):
        full_deployed.up("--refresh")
        assert full_deployed.ids()["vllm-server"] == vllm
        yield full_deployed


def command(assistant: Assistant, *words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """``archi`` in the deployment's checkout."""
    return subprocess.run(
        [*ARCHI, *words],
        cwd=assistant.checkout.path,
        env=assistant.checkout.environment,
        input=typed,
        capture_output=True,
        text=True,
        check=False,
    )


def add(assistant: Assistant, person: str, *options: str) -> None:
    done = command(
        assistant, "user", "add", person, "-n", assistant.stack, *options, typed=f"{PASSWORD}\n"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert PASSWORD not in done.stdout + done.stderr


def log_in(assistant: Assistant, person: str, password: str = PASSWORD) -> requests.Session:
    """A browser's session after the form of ``/login``, ready for changes."""
    session = requests.Session()
    form = session.get(f"{assistant.url}/login", timeout=60).text
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', form)
    assert token is not None, form
    filled = {"name": person, "password": password, "csrf_token": token[1]}
    answer = session.post(f"{assistant.url}/login", data=filled, timeout=60)
    answer.raise_for_status()
    me = session.get(f"{assistant.url}/api/me", timeout=60).json()
    session.headers["X-CSRF-Token"] = me["csrf_token"]
    return session


def test_nobody_gets_in_and_the_first_admin_is_made_by_the_commands(guarded: Assistant) -> None:
    for path in ("/api/conversations", "/api/me", "/v1/models"):
        assert requests.get(f"{guarded.url}{path}", timeout=60).status_code == 401
    guarded.ready()

    add(guarded, "ann", "--admin")
    add(guarded, "bob")
    listed = command(guarded, "user", "list", "-n", guarded.stack, "--json")
    people = {row["name"]: row["role"] for row in json.loads(listed.stdout)}
    assert people == {"ann": "admin", "bob": "user"}
    refused = command(guarded, "user", "add", "bob", "-n", guarded.stack, typed=f"{PASSWORD}\n")
    assert refused.returncode != 0
    assert "bob" in refused.stderr

    with pytest.raises(requests.HTTPError):
        log_in(guarded, "ann", "not the password at all")
    assert log_in(guarded, "ann").get(f"{guarded.url}/api/me", timeout=60).json()["role"] == "admin"


def test_people_do_not_see_what_is_others(guarded: Assistant) -> None:
    ann, bob = log_in(guarded, "ann"), log_in(guarded, "bob")
    made = ann.post(f"{guarded.url}/api/conversations", json={"title": "Ann's"}, timeout=60).json()
    where = f"{guarded.url}/api/conversations/{made['id']}"
    assert ann.get(where + "/messages", timeout=60).ok
    assert bob.get(where + "/messages", timeout=60).status_code == 404
    assert bob.delete(where, timeout=60).status_code == 404
    assert bob.get(f"{guarded.url}/api/users", timeout=60).status_code == 403


def test_a_key_opens_v1_until_it_is_revoked(guarded: Assistant) -> None:
    ann = log_in(guarded, "ann")
    made: dict[str, Any] = ann.post(
        f"{guarded.url}/api/keys", json={"name": "a program"}, timeout=60
    ).json()
    headers = {"Authorization": f"Bearer {made['key']}"}
    body = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 4}
    url = f"{guarded.url}/v1/chat/completions"
    assert requests.post(url, json=body, headers=headers, timeout=120).ok
    assert ann.delete(f"{guarded.url}/api/keys/{made['id']}", timeout=60).status_code == 204
    assert requests.post(url, json=body, headers=headers, timeout=60).status_code == 401


def test_the_smoke_test_makes_itself_a_key_and_leaves_none(guarded: Assistant) -> None:
    done = command(guarded, "smoke", guarded.stack, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["ok"]) == (0, True), done.stdout + done.stderr
    assert any(check["name"].startswith("chat-") for check in found["checks"])


def test_the_page_asks_for_the_password(guarded: Assistant, browser: Browser) -> None:
    context = new_context(browser)
    page = context.new_page()
    visit(page, guarded.url)
    expect(page).to_have_url(f"{guarded.url}/login")
    page.get_by_label("Name").fill("bob")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("composer")).to_be_visible()
    context.close()
