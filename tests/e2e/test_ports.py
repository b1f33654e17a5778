"""Who holds a port."""

from __future__ import annotations

import os
import socket

from archi.docker_engine import connect
from archi.ports import holder
from tests.e2e.conftest import STACK, Assistant, free_port


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
