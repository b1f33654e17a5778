"""Ports for servers that a test starts later."""

from __future__ import annotations

import contextlib
import random
import socket

# Below the range from which the kernel takes the ports of connections: one of that range may be
# taken by any connection of this machine before the server binds it.
_LOWEST, _HIGHEST = 10_000, 30_000
_taken: list[socket.socket] = []


def free_port() -> int:
    """A port that nobody listens on, and that no other test of this machine is given meanwhile."""
    while True:
        port = random.randint(_LOWEST, _HIGHEST)
        # A name in the kernel alone, which goes with this process.
        claim = socket.socket(socket.AF_UNIX)
        with socket.socket() as probe, contextlib.suppress(OSError):
            claim.bind(f"\0archi-test-port-{port}")
            _taken.append(claim)
            probe.bind(("0.0.0.0", port))
            return port
