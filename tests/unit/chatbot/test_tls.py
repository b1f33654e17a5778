"""The application with a certificate of its own: what people and programs see of it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import trustme

from tests.chat_application import ChatApplication
from tests.scripted_vllm import Script, ScriptedVllm


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    """An authority's file; the application's certificate of it lies where it reads it."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    secrets = tmp_path / "files" / "secrets"
    secrets.mkdir(parents=True)
    chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
    (secrets / "tls_certificate").write_bytes(chain)
    (secrets / "tls_key").write_bytes(issued.private_key_pem.bytes())
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    return tmp_path / "ca.pem"


@pytest.fixture
def application(tmp_path: Path, ca: Path, vllm: ScriptedVllm) -> Iterator[ChatApplication]:
    with ChatApplication(tmp_path, vllm.base_url, ca=ca, ARCHI_AUTH="local") as application:
        yield application


def test_cookies_are_for_tls_only_and_a_plain_connection_gets_nothing(
    application: ChatApplication, ca: Path
) -> None:
    answer = requests.get(f"{application.url}/login", verify=str(ca), timeout=60)
    assert answer.ok
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-archi_session=")
    assert "; Secure" in cookie
    assert answer.headers["Strict-Transport-Security"]
    with pytest.raises(requests.RequestException):
        requests.get(f"http://127.0.0.1:{application.port}/healthz", timeout=60)


def test_a_client_that_leaves_before_anything_was_written_frees_the_model(
    tmp_path: Path, ca: Path, vllm: ScriptedVllm
) -> None:
    vllm.script = Script(hang="headers")
    body = b'{"messages": [{"role": "user", "content": "Hi"}]}'
    head = (
        b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    context = ssl.create_default_context(cafile=str(ca))
    with ChatApplication(tmp_path, vllm.base_url, ca=ca) as application:
        plain = socket.create_connection(("127.0.0.1", application.port), timeout=60)
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as connection:
            connection.sendall(head + body)
            assert vllm.wait(lambda server: server.running == 1)
        assert vllm.wait(lambda server: server.aborted == 1 and server.running == 0)
