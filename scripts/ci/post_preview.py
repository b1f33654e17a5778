"""Put a stack's preview on its pull or merge request: one comment a stack, written anew each time.

    post_preview.py STACK FILE    FILE holds what `pulumi preview --diff` printed

Runs in GitHub Actions (GITHUB_TOKEN, PULL_REQUEST) and in GitLab CI (GITLAB_TOKEN); what else it
needs both set themselves.
"""

from __future__ import annotations

import itertools
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

LONGEST = 60_000
"""Characters of a preview that are shown; GitHub takes 65,536 in a comment."""

_SUMMARY = re.compile(r"^ {4}[+~±-]*\s*\d+ (to \w+|unchanged|errored|changes).*$", re.MULTILINE)
_PAGE = 100
_TIMEOUT_SECONDS = 30


class PostError(Exception):
    """The comment could not be written; the text says why and the mend."""


@dataclass(frozen=True)
class Discussion:
    """The comments of one pull or merge request.

    Attributes:
        comments: address of their list; a new one is posted there.
        comment: address of one, with ``{id}`` where its id belongs.
        headers: what authorises.
        change: the method by which one is changed.
        mend: what to do where it is forbidden.

    """

    comments: str
    comment: str
    headers: Mapping[str, str]
    change: str
    mend: str

    @classmethod
    def here(cls, environment: Mapping[str, str]) -> Discussion:
        """Of the pull or merge request that this job runs for.

        Raises:
            PostError: it runs for none, or a variable is missing.

        """
        try:
            if environment.get("GITLAB_CI"):
                project = f"{environment['CI_API_V4_URL']}/projects/{environment['CI_PROJECT_ID']}"
                notes = f"{project}/merge_requests/{environment['CI_MERGE_REQUEST_IID']}/notes"
                return cls(
                    notes,
                    f"{notes}/{{id}}",
                    {"PRIVATE-TOKEN": environment["GITLAB_TOKEN"]},
                    "PUT",
                    "GITLAB_TOKEN must be a project access token with the scope `api`",
                )
            repository = f"{environment['GITHUB_API_URL']}/repos/{environment['GITHUB_REPOSITORY']}"
            return cls(
                f"{repository}/issues/{environment['PULL_REQUEST']}/comments",
                f"{repository}/issues/comments/{{id}}",
                {
                    "Authorization": f"Bearer {environment['GITHUB_TOKEN']}",
                    "Accept": "application/vnd.github+json",
                },
                "PATCH",
                "the job needs the permission `pull-requests: write`",
            )
        except KeyError as missing:
            raise PostError(
                f"{missing.args[0]} is not set: docs/ci/README.md says where."
            ) from None

    def put(self, marker: str, body: str) -> None:
        """Write the comment that begins with ``marker``, the old one anew or a first one."""
        for comment in self._all():
            if str(comment["body"]).startswith(marker):
                self._send(self.change, self.comment.format(id=comment["id"]), {"body": body})
                return
        self._send("POST", self.comments, {"body": body})

    def _all(self) -> Iterator[dict[str, Any]]:
        for page in itertools.count(1):
            found = self._send("GET", f"{self.comments}?per_page={_PAGE}&page={page}")
            yield from found
            if len(found) < _PAGE:
                return

    def _send(self, method: str, url: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        try:
            answer = requests.request(
                method, url, json=body, headers=self.headers, timeout=_TIMEOUT_SECONDS
            )
        except requests.RequestException as error:
            raise PostError(f"{url} can't be reached ({type(error).__name__}).") from None
        if answer.status_code in (401, 403, 404):
            raise PostError(f"{url} answered {answer.status_code}: {self.mend}.")
        if not answer.ok:
            raise PostError(f"{url} answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()


def marker(stack: str) -> str:
    """What a stack's comment begins with; nobody sees it."""
    return f"<!-- archi preview {stack} -->"


def body(stack: str, preview: str) -> str:
    """The comment: what is to happen in a line, and the diff to be opened."""
    summary = ", ".join(match[0].strip() for match in _SUMMARY.finditer(preview))
    shown = preview[-LONGEST:].strip("\n")
    left_out = "" if len(preview) <= LONGEST else "The beginning is in the job's log.\n"
    # A fence longer than any in the text, so that nothing in it ends the block.
    longest = max((len(run) for run in re.findall(r"`{3,}", shown)), default=2)
    fence = "`" * (longest + 1)
    return (
        f"{marker(stack)}\n"
        f"**Stack `{stack}`**: {summary or 'no preview, the text says why'}\n\n"
        f"<details><summary>pulumi preview --diff</summary>\n\n"
        f"{left_out}\n{fence}diff\n{shown}\n{fence}\n\n</details>\n"
    )


def main() -> int:
    """Entry point."""
    stack, file = sys.argv[1:]
    try:
        discussion = Discussion.here(os.environ)
        discussion.put(marker(stack), body(stack, Path(file).read_text(errors="replace")))
    except PostError as error:
        print(f"The preview of {stack} could not be posted: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
