from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.chat_page import answered


def test_a_conversation_is_exported_and_everything_is_imported_again(
    page: Page, tmp_path: Path
) -> None:
    answered(page, "Take me out")
    page.get_by_test_id("open-settings").click()
    with page.expect_download() as markdown:
        page.get_by_test_id("export-markdown").click()
    assert "Hello from the script." in Path(markdown.value.path()).read_text()
    with page.expect_download() as one:
        page.get_by_test_id("export-json").click()
    kept = tmp_path / "kept.json"
    one.value.save_as(kept)
    with page.expect_download() as everything:
        page.get_by_test_id("export-all").click()
    assert "Take me out" in Path(everything.value.path()).read_text()
    page.get_by_test_id("import-input").set_input_files(kept)
    expect(page.get_by_text("Imported: 1 conversations with 2 messages.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Take me out")).to_have_count(2)


def test_a_file_that_is_none_says_so(page: Page) -> None:
    page.get_by_test_id("open-settings").click()
    wrong = {"name": "x.json", "mimeType": "application/json", "buffer": b"not json"}
    page.get_by_test_id("import-input").set_input_files(wrong)
    note = page.locator("#import-note")
    expect(note).not_to_have_text("Importing …")
    expect(note).to_be_visible()
