from __future__ import annotations

import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from chatbot import vendor
from tests.chat_application import Chat


@pytest.mark.parametrize("path", ["/", "/api/conversations", "/static/js/main.js", "/nowhere"])
def test_every_response_carries_the_security_headers(chat: Chat, path: str) -> None:
    headers = chat.client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http:" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "same-origin"


def test_the_page_has_nothing_inline_and_nothing_from_elsewhere(chat: Chat) -> None:
    found: list[str] = []

    class Reader(HTMLParser):
        inside = ""

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.inside = tag
            for name, value in attrs:
                if name.startswith("on") or name == "style":
                    found.append(f"{tag} {name}")
                if name in ("src", "href") and value and not value.startswith(("/", "#")):
                    found.append(f"{tag} {name}={value}")

        def handle_data(self, data: str) -> None:
            if self.inside in ("script", "style") and data.strip():
                found.append(f"inline {self.inside}")

        def handle_endtag(self, tag: str) -> None:
            self.inside = ""

    Reader().feed(chat.client.get("/").text)
    assert found == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "http://localhost:1", "Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("path", ["/api/conversations", "/v1/chat/completions"])
def test_changes_asked_for_by_other_sites_are_refused(
    chat: Chat, path: str, headers: dict[str, str]
) -> None:
    response = chat.client.post(path, json={}, headers=headers)
    assert response.status_code == 403
    assert response.json["error"]["code"] == "cross_origin_refused"
    assert chat.client.get("/api/conversations").json["conversations"] == []


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}],
)
def test_changes_by_the_page_and_by_programs_are_accepted(
    chat: Chat, headers: dict[str, str]
) -> None:
    assert chat.client.post("/api/conversations", json={}, headers=headers).status_code == 201


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:7861", 200),
        ("127.0.0.1:7861", 200),
        ("[::1]:7861", 200),
        ("chatbot:7861", 200),
        ("rebound.example.org:7861", 421),
    ],
)
def test_a_public_name_cannot_be_rebound_to_the_application(
    chat: Chat, host: str, status: int
) -> None:
    assert chat.client.get("/api/conversations", headers={"Host": host}).status_code == status


def test_too_large_bodies_are_refused(chat: Chat) -> None:
    response = chat.client.post("/v1/chat/completions", json={"messages": "x" * 5_000_000})
    assert response.status_code == 413
    assert response.json["error"]["code"] == "request_entity_too_large"


def test_vendored_files_are_what_their_lock_says() -> None:
    vendor.check()


def test_a_changed_vendored_file_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(vendor.__file__).parent / "static" / "vendor"
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(vendor, "_FOLDER", tmp_path)
    vendor.check()
    (tmp_path / "marked.js").write_text("alert(1)")
    with pytest.raises(vendor.VendorError, match=r"marked\.js"):
        vendor.check()
