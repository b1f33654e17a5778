"""One request to vLLM or to the chat application, as the chat container makes it.

    ask.py vllm|chat METHOD PATH SECONDS [BODY]

Standard library only. Addresses are those of the container's own environment, the API key is read
here and travels nowhere. Prints one JSON object: {"address", "status", "content_type", "text",
"first", "cut"}, with ``first`` the seconds until the answer began and ``cut`` why it ended early or
null; or {"address", "why", "said"} where no answer came.
"""

import http.client
import json
import os
import pathlib
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

KEY_FILE = pathlib.Path(os.environ.get("ARCHI_FILES", "/run/archi")) / "secrets/vllm_api_key"


def address(service: str) -> str:
    if service == "vllm":
        return os.environ["VLLM_BASE_URL"]
    host, port = os.environ["ARCHI_LISTEN"].rsplit(":", 1)
    return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{port}"  # noqa: S104 - compared


def opener(url: str) -> urllib.request.OpenerDirector:
    # As the chat application does: no proxy can reach a name of the deployment's own network.
    host = urlsplit(url).hostname or ""
    if "." not in host or host.startswith("127."):
        return urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return urllib.request.build_opener()


def ask(
    service: str, url: str, method: str, path: str, seconds: float, body: str
) -> "dict[str, Any]":
    request = urllib.request.Request(url + path, method=method)  # noqa: S310 - the settings say it
    request.add_header("Content-Type", "application/json")
    if service == "vllm" and KEY_FILE.exists():
        request.add_header("Authorization", f"Bearer {KEY_FILE.read_text().strip()}")
    begin = time.monotonic()
    try:
        with opener(request.full_url).open(
            request, data=body.encode() or None, timeout=seconds
        ) as answer:
            return read(answer, answer.status, begin, seconds)
    except urllib.error.HTTPError as error:
        return read(error, error.code, begin, seconds)
    except urllib.error.URLError as error:
        return {"why": why(error.reason), "said": str(error.reason)}
    except (OSError, http.client.HTTPException) as error:
        return {"why": why(error), "said": f"{type(error).__name__}: {error}"}


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


if __name__ == "__main__":
    service, method, path, seconds, *body = sys.argv[1:]
    url = address(service).rstrip("/")
    answer = ask(service, url, method, path, float(seconds), "".join(body))
    print(json.dumps({"address": url, **answer}))
