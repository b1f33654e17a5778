"""A proxy that inspects TLS with a CA of its own, as companies have them, on loopback.

    with InterceptingProxy(folder, {"hub.example.invalid": 8080}) as proxy:
        ...  # HTTPS_PROXY=proxy.address, SSL_CERT_FILE=proxy.ca_file

Each host leads to a port of this machine; another host is refused, and so is whoever does not
trust the CA. Names that no resolver knows prove that nothing went round it.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

import trustme

_BLOCK = 1 << 16


@dataclass
class InterceptingProxy:
    """The proxy; a context manager.

    Attributes:
        folder: for the CA's certificate.
        routes: host name to port of this machine, where plain HTTP is spoken.
        address: for HTTPS_PROXY.
        asked: hosts that were asked for, oldest first.
        deciphered: those whose traffic went through in the clear.
    """

    folder: Path
    routes: Mapping[str, int]
    asked: list[str] = field(default_factory=list)
    deciphered: list[str] = field(default_factory=list)
    address: str = ""

    def __enter__(self) -> InterceptingProxy:
        self._ca = trustme.CA()
        self._ca.cert_pem.write_to_path(str(self.ca_file))
        self._contexts: dict[str, ssl.SSLContext] = {}
        for host in self.routes:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._ca.issue_cert(host).configure_cert(context)
            self._contexts[host] = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()

    @property
    def ca_file(self) -> Path:
        """For SSL_CERT_FILE."""
        return self.folder / "proxy-ca.pem"

    def environment(self) -> dict[str, str]:
        """What a machine behind it has set."""
        return {
            "HTTPS_PROXY": self.address,
            "https_proxy": self.address,
            "NO_PROXY": "localhost,127.0.0.1",
            "no_proxy": "localhost,127.0.0.1",
            "SSL_CERT_FILE": str(self.ca_file),
            "REQUESTS_CA_BUNDLE": str(self.ca_file),
        }

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            if not (block := client.recv(_BLOCK)):
                return
            request += block
        method, target, _ = request.split(b"\r\n", 1)[0].decode().split(" ", 2)
        host = target.rsplit(":", 1)[0]
        self.asked.append(host)
        if method != "CONNECT" or host not in self.routes:
            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            client.close()
            return
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        try:
            inside = self._contexts[host].wrap_socket(client, server_side=True)
        except OSError:
            client.close()
            return  # it does not trust the CA
        self.deciphered.append(host)
        server = socket.create_connection(("127.0.0.1", self.routes[host]))
        threading.Thread(target=_pour, args=(inside, server), daemon=True).start()
        _pour(server, inside)


def _pour(source: socket.socket, sink: socket.socket) -> None:
    try:
        while block := source.recv(_BLOCK):
            sink.sendall(block)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        sink.close()
