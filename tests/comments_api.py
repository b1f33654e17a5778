"""The comments of one pull request (GitHub) or merge request (GitLab), as their APIs keep them."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

TOKEN = "of-the-job"
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}", "PRIVATE-TOKEN": TOKEN}
CHANGES = {"/repos/team/archi": "PATCH", "/projects/7": "PUT"}


class CommentsApi:
    """Both APIs on loopback. Use it as a context manager; ``comments`` are ids to texts."""

    def __init__(self) -> None:
        self.comments: dict[int, str] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def add(self, text: str) -> int:
        """A comment that somebody wrote; gives its id."""
        number = len(self.comments) + 1
        self.comments[number] = text
        return number

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def github(self) -> dict[str, str]:
        """What GitHub Actions sets, and the example besides."""
        return {
            "GITHUB_API_URL": self.url,
            "GITHUB_REPOSITORY": "team/archi",
            "GITHUB_TOKEN": TOKEN,
            "PULL_REQUEST": "5",
            "NO_PROXY": "127.0.0.1",
        }

    @property
    def gitlab(self) -> dict[str, str]:
        """What GitLab CI sets, and the project's variable."""
        return {
            "GITLAB_CI": "true",
            "CI_API_V4_URL": self.url,
            "CI_PROJECT_ID": "7",
            "CI_MERGE_REQUEST_IID": "5",
            "GITLAB_TOKEN": TOKEN,
            "NO_PROXY": "127.0.0.1",
        }

    def _handler(api) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = parse_qs(urlsplit(self.path).query)
                page, size = int(asked["page"][0]), int(asked["per_page"][0])
                listed = [{"id": id_, "body": body} for id_, body in sorted(api.comments.items())]
                self._answer(200, listed[(page - 1) * size : page * size])

            def do_POST(self) -> None:
                self._answer(201, {"id": api.add(self._body())})

            def do_PATCH(self) -> None:
                number = int(self.path.rsplit("/", 1)[1])
                api.comments[number] = self._body()
                self._answer(200, {"id": number})

            do_PUT = do_PATCH

            def _body(self) -> str:
                return str(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"])

            def _answer(self, status: int, content: Any) -> None:
                place = next((place for place in CHANGES if self.path.startswith(place)), "")
                if not any(self.headers.get(key) == value for key, value in AUTHORIZED.items()):
                    status, content = 401, {"message": "Unauthorized"}
                elif self.command not in ("GET", "POST", CHANGES.get(place)):
                    status, content = 405, {"message": "Method Not Allowed"}
                text = json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
