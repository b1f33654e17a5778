"""One request to vLLM or to the chat application, as the chat container makes it.

    ask.py vllm|chat METHOD PATH SECONDS [BODY]
    ask.py key

Standard library only. Addresses are those of the container's own environment; vLLM's API key is
read here, one for the chat application is made and revoked here, and neither travels. Prints one
JSON object: {"address", "status", "content_type", "text", "first", "cut"}, with ``first`` the
seconds until the answer began and ``cut`` why it ended early or null; or {"address", "why", "said"}
where no answer came. With ``key``, which makes a key for who asks from elsewhere: {"key"}, or
{"why", "said"} where there is none to be had.
"""

import http.client
import json
import os
import pathlib
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

SECRETS = pathlib.Path(os.environ.get("ARCHI_FILES", "/run/archi")) / "secrets"
KEY_FILE = SECRETS / "vllm_api_key"
REFUSES_KEY = (401, 403)
LIFETIME = "10m"


def address(service: str) -> str:
    if service == "vllm":
        return os.environ["VLLM_BASE_URL"]
    host, port = os.environ["ARCHI_LISTEN"].rsplit(":", 1)
    own = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104 - compared
    scheme = "https" if (SECRETS / "tls_certificate").exists() else "http"
    return f"{scheme}://{own}:{port}"


def opener(service: str, url: str) -> urllib.request.OpenerDirector:
    if service == "chat":
        # Its certificate is for the address that people open; in here nobody sits between.
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        own = urllib.request.HTTPSHandler(context=trusting)
        return urllib.request.build_opener(urllib.request.ProxyHandler({}), own)
    # As the chat application does: no proxy can reach a name of the deployment's own network.
    host = urlsplit(url).hostname or ""
    if "." not in host or host.startswith("127."):
        return urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return urllib.request.build_opener()


def ask(
    service: str, url: str, method: str, path: str, seconds: float, body: str
) -> "dict[str, Any]":
    key = KEY_FILE.read_text().strip() if service == "vllm" and KEY_FILE.exists() else None
    answer = send(service, url + path, method, seconds, body, key)
    if service != "chat" or answer.get("status") not in REFUSES_KEY:
        return answer
    made = chat_key()
    if "key" not in made:
        return made
    try:
        return {**send(service, url + path, method, seconds, body, made["key"]), "key_sent": True}
    finally:
        chatbot("key", "revoke", made["key"])


def send(
    service: str, url: str, method: str, seconds: float, body: str, key: "str | None"
) -> "dict[str, Any]":
    request = urllib.request.Request(url, method=method)  # noqa: S310 - the settings say it
    request.add_header("Content-Type", "application/json")
    if key:
        request.add_header("Authorization", f"Bearer {key}")
    begin = time.monotonic()
    try:
        with opener(service, url).open(
            request, data=body.encode() or None, timeout=seconds
        ) as answer:
            return read(answer, answer.status, begin, seconds)
    except urllib.error.HTTPError as error:
        return read(error, error.code, begin, seconds)
    except urllib.error.URLError as error:
        return {"why": why(error.reason), "said": str(error.reason)}
    except (OSError, http.client.HTTPException) as error:
        return {"why": why(error), "said": f"{type(error).__name__}: {error}"}


def chat_key() -> "dict[str, str]":
    """A key for a few minutes; of an account where people log in: an admin's if there is one."""
    create = ("key", "create", "smoke", "--expires", LIFETIME)
    made = chatbot(*create)
    if made.returncode != 0:
        listed = chatbot("user", "list")
        owner = somebody(listed.stdout)
        if owner is None and listed.returncode == 0:
            return {"why": "no-account", "said": "nobody has an account yet"}
        made = chatbot(*create, "--user", owner) if owner else made
    if made.returncode != 0:
        lines = made.stderr.strip().splitlines()
        return {"why": "no-key", "said": lines[-1] if lines else f"exit code {made.returncode}"}
    return {"key": made.stdout.strip().splitlines()[-1]}


def somebody(listing: str) -> "str | None":
    """An account that may ask, from rows of name, role, state and more, with tabs between."""
    rows = [row.split("\t") for row in listing.splitlines() if row.count("\t") >= 2]
    active = [row for row in rows if row[2] == "active"]
    return min(active, key=lambda row: row[1] != "admin")[0] if active else None


def chatbot(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "chatbot", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def read(
    answer: "http.client.HTTPResponse | urllib.error.HTTPError",
    status: int,
    begin: float,
    seconds: float,
) -> "dict[str, Any]":
    first, cut, pieces = 0.0, None, []
    try:
        while piece := answer.read1(65536):
            first = first or time.monotonic() - begin
            pieces.append(piece)
            if time.monotonic() - begin > seconds:
                cut = "timeout"
                break
    except http.client.IncompleteRead as error:
        pieces.append(error.partial)
        cut = "broken"
    except (OSError, ValueError) as error:
        cut = "timeout" if isinstance(error, TimeoutError) else "broken"
    return {
        "status": status,
        "content_type": answer.headers.get("Content-Type", ""),
        "text": b"".join(pieces).decode(errors="replace"),
        "first": first,
        "cut": cut,
    }


def why(reason: object) -> str:
    if isinstance(reason, ssl.SSLError):
        return "certificate" if isinstance(reason, ssl.SSLCertVerificationError) else "no-tls"
    if isinstance(reason, socket.gaierror):
        return "name-unknown"
    if isinstance(reason, TimeoutError):
        return "timeout"
    return "refused" if isinstance(reason, ConnectionRefusedError) else "broken"


def main() -> "dict[str, Any]":
    if sys.argv[1:] == ["key"]:
        return chat_key()
    service, method, path, seconds, *body = sys.argv[1:]
    url = address(service).rstrip("/")
    return {"address": url, **ask(service, url, method, path, float(seconds), "".join(body))}


if __name__ == "__main__":
    print(json.dumps(main()))
