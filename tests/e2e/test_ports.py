"""Who holds a port."""

from __future__ import annotations

import os
import socket

from archi.docker_engine import connect
from archi.images import image
from archi.names import Names
from archi.ports import holder
from tests.chat_application import until
from tests.e2e.conftest import STACK, Assistant
from tests.ports import free_port


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_a_free_port_has_no_holder() -> None:
    assert holder(connect(), free_port(), "bot") is None


def test_a_process_is_named_with_its_id() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        found = holder(connect(), listener.getsockname()[1], "bot")
    assert found is not None
    assert f"process {os.getpid()}" in found.who
    assert str(os.getpid()) in found.mend


def test_our_own_container_is_no_clash_and_anothers_is(deployed: Assistant) -> None:
    assert holder(deployed.client, deployed.chat_port, STACK) is None
    found = holder(deployed.client, deployed.chat_port, "another")
    assert found is not None
    assert f"container {deployed.names.chatbot}" in found.who


def test_on_the_hosts_network_too_our_own_container_is_no_clash_and_anothers_is() -> None:
    client, port = connect(), free_port()
    server = client.containers.run(
        image("base", "packages").tag,
        ["python3", "-m", "http.server", "--bind", "127.0.0.1", str(port)],
        name="archi-e2e-host-network",
        labels=Names("archi-e2e-ports").labels("chatbot"),
        network_mode="host",
        detach=True,
    )
    try:
        until(lambda: is_listening(port))
        assert holder(client, port, "archi-e2e-ports") is None
        found = holder(client, port, "another")
        assert found is not None
        assert "container archi-e2e-host-network" in found.who
        assert found.mend == "`docker stop archi-e2e-host-network`"
    finally:
        server.remove(force=True)
