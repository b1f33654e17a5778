"""A preview on a pull or merge request: one comment a stack, and what stands in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.ci import post_preview
from scripts.ci.post_preview import LONGEST, body, marker
from tests.comments_api import CommentsApi

PREVIEW = """Previewing update (team):
    ~ docker:index/container:Container: (replace)
Resources:
    + 1 to create
    +-2 to replace
    13 unchanged
"""


@pytest.fixture
def api() -> Iterator[CommentsApi]:
    with CommentsApi() as api:
        yield api


@pytest.fixture(params=["github", "gitlab"])
def request_here(
    request: pytest.FixtureRequest, api: CommentsApi, monkeypatch: pytest.MonkeyPatch
) -> CommentsApi:
    for name in ("GITLAB_CI", "GITHUB_API_URL"):
        monkeypatch.delenv(name, raising=False)
    for name, value in getattr(api, request.param).items():
        monkeypatch.setenv(name, value)
    return api


def post(monkeypatch: pytest.MonkeyPatch, folder: Path, stack: str, preview: str) -> int:
    file = folder / "preview.txt"
    file.write_text(preview)
    monkeypatch.setattr(sys, "argv", ["post_preview.py", stack, str(file)])
    return post_preview.main()


def test_a_second_preview_takes_the_place_of_the_first(
    request_here: CommentsApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for number in range(150):  # more than a page of the list
        request_here.add(f"a remark {number} about {marker('team')}")
    assert post(monkeypatch, tmp_path, "team", PREVIEW) == 0
    assert post(monkeypatch, tmp_path, "team-test", PREVIEW) == 0
    assert post(monkeypatch, tmp_path, "team", PREVIEW.replace("1 to create", "9 to create")) == 0
    *others, team, test = request_here.comments.values()
    assert len(others) == 150
    assert "9 to create" in team
    assert marker("team-test") in test


def test_a_refused_token_is_said_with_its_mend(
    request_here: CommentsApi,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("GITHUB_TOKEN", "GITLAB_TOKEN"):
        monkeypatch.setenv(name, "of-somebody-else")
    assert post(monkeypatch, tmp_path, "team", PREVIEW) == 1
    said = capsys.readouterr().err
    assert "The preview of team could not be posted" in said
    assert "answered 401" in said
    assert "pull-requests: write" in said or "scope `api`" in said
    assert request_here.comments == {}


def test_a_job_for_no_merge_request_says_what_is_missing(
    api: CommentsApi,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in api.gitlab.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("CI_MERGE_REQUEST_IID")
    assert post(monkeypatch, tmp_path, "team", PREVIEW) == 1
    assert "CI_MERGE_REQUEST_IID is not set" in capsys.readouterr().err


def test_the_comment_says_in_a_line_what_is_to_happen() -> None:
    assert "**Stack `team`**: + 1 to create, +-2 to replace, 13 unchanged\n" in body(
        "team", PREVIEW
    )


def test_a_preview_that_failed_is_shown_as_one() -> None:
    shown = body("team", "error: archi:services.vllm.modle: unknown key.")
    assert "no preview, the text says why" in shown
    assert "archi:services.vllm.modle" in shown


def test_nothing_in_the_preview_ends_its_block() -> None:
    shown = body("team", "before\n````\n</details> @everyone\n```\nafter\n")
    assert "\n`````diff\nbefore" in shown
    assert "after\n`````\n" in shown


def test_a_long_preview_is_cut_at_its_beginning_and_says_so() -> None:
    shown = body("team", "a line\n" * 20_000 + PREVIEW)
    assert len(shown) < 65_536
    assert len(shown) > LONGEST
    assert "The beginning is in the job's log." in shown
    assert "13 unchanged" in shown
