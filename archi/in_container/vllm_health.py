"""vLLM's health, asked from inside its container. Standard library only: any vLLM image runs it.

    vllm_health.py --port 8000               exit 0 when /v1/models answers
    vllm_health.py --port 8000 --watchdog    the same, and end a server that has stopped answering
    vllm_health.py --port 8000 --warm-up ID  one chat completion with a tool; prints its seconds

Docker restarts what exits, never what is unhealthy: so the watchdog ends a server that answered
once and then failed in a row, and the container's restart policy brings it back.
"""

import argparse
import json
import os
import pathlib
import signal
import sys
import time
import urllib.error
import urllib.request
from typing import Any

FAILURES_BEFORE_RESTART = 4
STATE = pathlib.Path("/tmp/archi-health.json")  # noqa: S108 - the container's own
KEY_FILE = pathlib.Path("/run/archi/secrets/vllm_api_key")

TOOL = {
    "type": "function",
    "function": {
        "name": "noop",
        "description": "Does nothing.",
        "parameters": {"type": "object", "properties": {}},
    },
}


def call(port: int, path: str, body: "dict[str, Any] | None", timeout: float) -> None:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    request.add_header("Content-Type", "application/json")
    if KEY_FILE.exists():
        request.add_header("Authorization", f"Bearer {KEY_FILE.read_text().strip()}")
    data = None if body is None else json.dumps(body).encode()
    # A proxy named in the environment is for the outside, never for this container itself.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, data=data, timeout=timeout) as answer:
        json.load(answer)


def server() -> "tuple[int, str] | None":
    """The server's process (the child of the container's init) and when it was started."""
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # ended while we looked
        pid, parent, started = int(stat.parent.name), int(fields[1]), fields[19]
        if parent == 1 and pid != os.getpid():
            return pid, started
    return None


def watch(*, healthy: bool) -> None:
    """Count failures in a row of a server that answered before; end it after some."""
    found = server()
    if found is None:
        return
    pid, started = found
    try:
        state = json.loads(STATE.read_text())
    except (OSError, ValueError):
        state = {}
    if state.get("started") != started:
        state = {"started": started, "answered": False, "failures": 0}
    state["answered"] = state["answered"] or healthy
    state["failures"] = 0 if healthy else state["failures"] + 1
    STATE.write_text(json.dumps(state))
    if state["answered"] and state["failures"] >= FAILURES_BEFORE_RESTART:
        print(f"vLLM failed {state['failures']} checks in a row: ending process {pid}")
        os.kill(pid, signal.SIGKILL)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--watchdog", action="store_true")
    parser.add_argument("--warm-up", metavar="MODEL")
    arguments = parser.parse_args()
    begin = time.monotonic()
    try:
        if arguments.warm_up:
            body = {
                "model": arguments.warm_up,
                "messages": [{"role": "user", "content": "Hello"}],
                "max_tokens": 1,
                "tools": [TOOL],
            }
            call(arguments.port, "/v1/chat/completions", body, timeout=600)
        else:
            call(arguments.port, "/v1/models", None, timeout=8)
        failure = None
    except urllib.error.HTTPError as error:
        failure = f"HTTP {error.code}: {error.read(2000).decode(errors='replace')}"
    except (OSError, ValueError) as error:
        failure = str(error)
    if arguments.watchdog:
        watch(healthy=failure is None)
    print(failure or f"{time.monotonic() - begin:.2f}")
    return 1 if failure else 0


if __name__ == "__main__":
    sys.exit(main())
