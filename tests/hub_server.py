"""A model hub on loopback that speaks what huggingface_hub asks for: one model from a folder.

    with HubServer(folder, "org/tiny") as hub:
        ...  # HF_ENDPOINT=hub.endpoint

The protocol is the Hugging Face hub's: ``/api/models/<id>/revision/<rev>?blobs=true`` and
``/<id>/resolve/<rev>/<file>`` with Range; errors are named in ``X-Error-Code``.
"""

from __future__ import annotations

import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True)
class Request:
    """A request that came in: method, path without query, its Range and Authorization headers."""

    method: str
    path: str
    range: str | None
    authorization: str | None


@dataclass
class HubServer:
    """The hub; a context manager.

    Attributes:
        folder: the model's files.
        model_id: the one model it has, such as ``org/tiny``.
        branch: its one branch; the commit is known as a revision too.
        gated: a token gets "you must accept the conditions", no token too.
        token: where set, requests without this token get 401 as for a private model.
        stop_after: bytes of weights after which an answer stops, until `resume` is called.
        requests: what came in, oldest first.
        stopped: set when an answer has stopped there.
    """

    folder: Path
    model_id: str
    branch: str = "main"
    gated: bool = False
    token: str | None = None
    stop_after: int | None = None
    requests: list[Request] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)
    _resumed: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> HubServer:
        hub = self

        class Handler(_Handler):
            server_hub = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.resume()
        self._server.shutdown()
        self._server.server_close()

    @property
    def endpoint(self) -> str:
        """For HF_ENDPOINT; reached from containers on the host's network."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def commit(self) -> str:
        """The branch's commit; another one when a file changes."""
        digest = hashlib.sha1(usedforsecurity=False)
        for path in self.files():
            digest.update(f"{path}\0".encode() + (self.folder / path).read_bytes())
        return digest.hexdigest()

    def files(self) -> list[str]:
        """Paths of the model's files, sorted."""
        found = (path for path in self.folder.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.folder).as_posix() for path in found)

    def resume(self) -> None:
        """Let stopped answers go on, and stop none any more."""
        self.stop_after = None
        self._resumed.set()

    def downloads(self) -> list[str]:
        """Files asked for with GET, in order, each as often as it was."""
        start = f"/{self.model_id}/resolve/{self.commit}/"
        return [
            request.path.removeprefix(start)
            for request in self.requests
            if request.method == "GET" and request.path.startswith(start)
        ]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_hub: HubServer

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self) -> None:
        hub = self.server_hub
        path = unquote(urlsplit(self.path).path)
        authorization = self.headers.get("Authorization")
        hub.requests.append(Request(self.command, path, self.headers.get("Range"), authorization))
        api, resolve = f"/api/models/{hub.model_id}/revision/", f"/{hub.model_id}/resolve/"
        if authorization and hub.token and authorization != f"Bearer {hub.token}":
            return self._refuse(401, message="Invalid credentials in Authorization header")
        if not path.startswith((api, resolve)) or (hub.token and not authorization):
            # The real one does not tell a stranger whether a private model exists.
            return self._refuse(401 if not authorization else 404, "RepoNotFound")
        revision, _, name = path.removeprefix(api).removeprefix(resolve).partition("/")
        if revision not in (hub.branch, hub.commit):
            return self._refuse(404, "RevisionNotFound")
        if path.startswith(api):
            return self._model()
        if hub.gated:
            return self._refuse(403, "GatedRepo")
        if name not in hub.files():
            return self._refuse(404, "EntryNotFound")
        return self._file(hub.folder / name)

    def _refuse(self, status: int, code: str = "", message: str = "") -> None:
        body = json.dumps({"error": message or code}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("X-Error-Message", message or code)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _model(self) -> None:
        hub = self.server_hub
        body = json.dumps(
            {
                "_id": "1",
                "id": hub.model_id,
                "modelId": hub.model_id,
                "sha": hub.commit,
                "private": False,
                "gated": "manual" if hub.gated else False,
                "siblings": [_sibling(hub.folder, name) for name in hub.files()],
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _file(self, path: Path) -> None:
        hub = self.server_hub
        content = path.read_bytes()
        whole = len(content)
        start = 0
        if wanted := self.headers.get("Range"):
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        self.send_header("Content-Length", str(whole - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", hub.commit)
        self.end_headers()
        if self.command == "HEAD":
            return
        rest = content[start:]
        if hub.stop_after is not None and _is_weights(path.name):
            self.wfile.write(rest[: hub.stop_after])
            self.wfile.flush()
            rest = rest[hub.stop_after :]
            hub.stopped.set()
            hub._resumed.wait()
        try:
            self.wfile.write(rest)
        except OSError:
            self.close_connection = True  # the client was killed, as tests do


def _is_weights(name: str) -> bool:
    return name.endswith((".safetensors", ".bin"))


def _sibling(folder: Path, name: str) -> dict[str, object]:
    content = (folder / name).read_bytes()
    one: dict[str, object] = {
        "rfilename": name,
        "size": len(content),
        "blobId": hashlib.sha1(content, usedforsecurity=False).hexdigest(),
    }
    if _is_weights(name):
        sha256 = hashlib.sha256(content).hexdigest()
        one["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 134}
    return one
