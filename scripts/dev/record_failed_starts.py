"""Make the real vLLM of the CPU image fail in every way that a CPU allows, and keep what it says.

    python scripts/dev/record_failed_starts.py [NAME …] [--models VOLUME] [--into FOLDER]

Needs Docker, the image archi/vllm-cpu and a volume that holds SmolLM2's weights (by default
``archi-models``; a deployment of the stack `offline` has made both). Writes a log per failure and
``outcomes.json`` (how the container ended), as tests/unit/diagnosis/logs/README.md describes. One
vLLM runs at a time; all of it takes about half an hour on two cores.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
from docker.errors import NotFound
from docker.models.containers import Container

from archi.docker_engine import connect
from archi.images import image
from archi.names import MODELS_VOLUME
from archi.weights import PACKAGED_REVISION

SMOL = f"/models/HuggingFaceTB/SmolLM2-135M-Instruct/{PACKAGED_REVISION}"
BROKEN = "/broken"
BROKEN_VOLUME = "archi-try-broken-models"
NAME = "archi-try-failed-start"
LABELS = {"archi.try": "failed-start"}
ENVIRONMENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_CACHE_ROOT": "/var/cache/vllm",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_CPU_KVCACHE_SPACE": "1",
}
TIMEOUT_SECONDS = 240
READY = "Application startup complete"

# Folders that look like SmolLM2's and are wrong in one way each.
MAKE_BROKEN = f"""
import json, os, pathlib
good, broken = pathlib.Path({SMOL!r}), pathlib.Path({BROKEN!r})
def copy(name, without=(), **config):
    folder = broken / name
    folder.mkdir(exist_ok=True)
    for file in good.iterdir():
        to = folder / file.name
        if file.name in (*without, "config.json") or to.is_symlink():
            continue
        to.symlink_to(file)
    changed = json.loads((good / "config.json").read_text()) | config
    (folder / "config.json").write_text(json.dumps(changed))
    return folder
weights = (good / "model.safetensors").read_bytes()
copy("architecture", architectures=["MoonForCausalLM"])
copy("gone-architecture", architectures=["MotifForCausalLM"])
copy("model-type", model_type="moonlight", architectures=["MoonForCausalLM"])
copy("remote-code", model_type="moon", architectures=["MoonForCausalLM"],
     auto_map={{"AutoConfig": "configuration_moon.MoonConfig"}})
copy("wider", hidden_size=640, num_attention_heads=10, num_key_value_heads=5)
copy("no-weights", without=("model.safetensors",))
copy("no-tokenizer", without=("tokenizer.json", "tokenizer_config.json"))
folder = copy("truncated", without=("model.safetensors",))
(folder / "model.safetensors").write_bytes(weights[:1000000])
folder = copy("no-safetensors", without=("model.safetensors",))
(folder / "model.safetensors").write_bytes(b"<html>404</html>" * 64)
(copy("bad-config") / "config.json").write_text('{{"architectures": ["LlamaForCausalLM"],')
copy("no-config").joinpath("config.json").unlink()
folder = copy("unreadable")
os.chown(folder / "config.json", 4711, 4711)
os.chmod(folder / "config.json", 0o400)
(broken / "syntax.jinja").write_text("{{% for message in messages %}}{{{{ message.content }}}}")
(broken / "fails.jinja").write_text("{{{{ messages[9].content }}}}")
(broken / "bad.yaml").write_text("max-model-len: [2048\\n")
"""


@dataclass(frozen=True)
class Case:
    """One way to fail.

    Attributes:
        model: the folder or id that is served.
        arguments: of vLLM, beside those that every start has.
        environment: beside that of every start.
        options: of docker-py's ``containers.run``.
        before: shell commands inside the container, before vLLM takes its place.
        kill: a text of the log, the signal that is sent when it comes, and the process that gets
            it: a part of the name that the kernel has of it (15 characters), or empty for the
            container's own.
        requests: sent once it answers: name of the file to curl's arguments.
        eager: whether it starts without compiling the model.

    """

    model: str = SMOL
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    before: str = ""
    kill: tuple[str, str, str] | None = None
    requests: Mapping[str, Sequence[str]] = field(default_factory=dict)
    eager: bool = True


def _bind(source: str, target: str) -> dict[str, Any]:
    return {"volumes": [f"{source}:{target}:ro"]}


def _ask(body: Mapping[str, Any], key: str = "right") -> list[str]:
    asked = {"messages": [{"role": "user", "content": "Hello"}], "max_tokens": 1, **body}
    return [
        *("-H", f"Authorization: Bearer {key}", "-H", "Content-Type: application/json"),
        *("-d", json.dumps(asked), "http://127.0.0.1:8000/v1/chat/completions"),
    ]


SERVED = "HuggingFaceTB/SmolLM2-135M-Instruct"
TOOL = {"type": "function", "function": {"name": "noop", "parameters": {"type": "object"}}}
NO_PIPE_LIMIT = {"ipc_mode": "host"}

CASES: dict[str, Case] = {
    # The command line.
    "unknown-argument": Case(arguments=["--no-such-flag", "3"]),
    "argument-value": Case(arguments=["--max-num-seqs", "many"]),
    "bad-dtype": Case(arguments=["--dtype", "float9"]),
    "bad-json": Case(arguments=["--speculative-config", "{model: x"]),
    "bad-quantization": Case(arguments=["--quantization", "int3"]),
    "config-missing": Case(arguments=["--config", "/run/archi/vllm.yaml"]),
    "config-broken": Case(arguments=["--config", f"{BROKEN}/bad.yaml"]),
    "tool-parser": Case(arguments=["--enable-auto-tool-choice", "--tool-call-parser", "hermess"]),
    "no-tool-parser": Case(arguments=["--enable-auto-tool-choice"]),
    "reasoning-parser": Case(arguments=["--reasoning-parser", "qwen33"]),
    "template-missing": Case(arguments=["--chat-template", "/run/archi/templates/none.jinja"]),
    # vLLM starts with either of these; the first it parses for itself, and says so.
    "template-broken": Case(
        arguments=["--chat-template", f"{BROKEN}/syntax.jinja"],
        requests={"http-400-template": _ask({"model": SERVED}, key="")},
    ),
    "template-fails": Case(
        arguments=["--chat-template", f"{BROKEN}/fails.jinja"],
        requests={"http-400-template-fails": _ask({"model": SERVED}, key="")},
    ),
    # The model and its files.
    "weights-missing": Case(model="/models/no/where/main"),
    "hub-offline": Case(model="no-one/nothing"),
    "hub-unreachable": Case(
        model="no-one/nothing",
        environment={"HF_HUB_OFFLINE": "0"},
        options={"network_mode": "none"},
    ),
    "no-config": Case(model=f"{BROKEN}/no-config"),
    "bad-config": Case(model=f"{BROKEN}/bad-config"),
    "unreadable": Case(model=f"{BROKEN}/unreadable"),
    "unsupported-architecture": Case(model=f"{BROKEN}/architecture"),
    "gone-architecture": Case(model=f"{BROKEN}/gone-architecture"),
    "unknown-model-type": Case(model=f"{BROKEN}/model-type"),
    "remote-code": Case(model=f"{BROKEN}/remote-code"),
    "no-weights": Case(model=f"{BROKEN}/no-weights"),
    "no-tokenizer": Case(model=f"{BROKEN}/no-tokenizer"),
    "truncated-weights": Case(model=f"{BROKEN}/truncated"),
    "no-safetensors": Case(model=f"{BROKEN}/no-safetensors"),
    "other-shape": Case(model=f"{BROKEN}/wider"),
    "quantization-mismatch": Case(arguments=["--quantization", "awq"]),
    "context-too-long": Case(arguments=["--max-model-len", "100000"]),
    "heads-not-divisible": Case(arguments=["--tensor-parallel-size", "2"]),
    "batch-too-small": Case(arguments=["--max-num-batched-tokens", "4", "--max-num-seqs", "8"]),
    # Memory, disk, libraries, ports.
    "kv-cache-none": Case(
        arguments=["--kv-cache-memory-bytes", "100000"],
        environment={"VLLM_CPU_KVCACHE_SPACE": "0"},
    ),
    "kv-cache-small": Case(
        arguments=["--hf-overrides", '{"max_position_embeddings": 65536}'],
    ),
    "kv-cache-huge": Case(environment={"VLLM_CPU_KVCACHE_SPACE": "4000"}),
    "cpu-memory-taken": Case(
        arguments=["--gpu-memory-utilization", "0.999"], environment={"VLLM_CPU_KVCACHE_SPACE": "0"}
    ),
    "out-of-memory": Case(options={"mem_limit": "1200m", "memswap_limit": "1200m"}),
    "shared-memory": Case(
        arguments=["--data-parallel-size", "1"], options={"ipc_mode": "private", "shm_size": "1m"}
    ),
    "no-libnuma": Case(options=_bind("/dev/null", "/usr/lib/x86_64-linux-gnu/libnuma.so.1.0.0")),
    "no-cpu-kernels": Case(before="rm /opt/vllm/lib/python3.11/site-packages/vllm/_C*.so"),
    "too-many-threads": Case(options={"pids_limit": 24}),
    "disk-full": Case(
        options={"tmpfs": {"/var/cache/vllm": "size=1m"}},
        before="head -c 2m /dev/zero >/var/cache/vllm/taken 2>/dev/null",
        eager=False,
    ),
    "port-taken": Case(before="python3 -m http.server 8000 >/dev/null 2>&1 & sleep 1"),
    # Ended from outside.
    "killed": Case(kill=("Starting to load model", "SIGKILL", "")),
    # Later, while it waits for its engine, vLLM 0.32.0 does not heed SIGTERM: see the logs' README.
    "stopped-while-starting": Case(kill=("non-default args", "SIGTERM", "")),
    "worker-killed": Case(kill=(READY, "SIGKILL", "VLLM::Worker")),
    "engine-killed": Case(kill=(READY, "SIGKILL", "VLLM::Engine")),
    "worker-killed-while-loading": Case(kill=("Starting to load", "SIGKILL", "VLLM::Worker")),
    # Requests that a server without tool calling, with a key, refuses.
    "requests": Case(
        arguments=["--api-key", "right", "--max-model-len", "512"],
        requests={
            "http-401": _ask({"model": SERVED}, key="wrong"),
            "http-404": _ask({"model": "HuggingFaceTB/SmolLM2:135M"}),
            "http-400-tools": _ask({"model": SERVED, "tools": [TOOL], "tool_choice": "auto"}),
            "http-400-named-tool": _ask(
                {
                    "model": SERVED,
                    "tools": [TOOL],
                    "tool_choice": {"type": "function", "function": {"name": "noop"}},
                }
            ),
            "http-400-context": _ask(
                {"model": SERVED, "messages": [{"role": "user", "content": "word " * 600}]}
            ),
            "http-400-tokens": _ask({"model": SERVED, "max_tokens": 600}),
        },
    ),
}

# Lines that say the same in every log and nothing about its failure.
_NOISE = re.compile(
    r"\[api_utils\.py:\d+\]\s+[▄█▀ ]|\[launcher\.py:\d+\] Route: |api_utils\.py:\d+\] $"
)
_MACHINE = (
    (re.compile(r"\b(?:10|172|192)(?:\.\d{1,3}){3}\b"), "172.17.0.2"),
    (re.compile(r"\b[0-9a-f]{12}\b(?=[:/ ]|$)"), "0123456789ab"),  # a container's host name
)


def record(client: docker.DockerClient, name: str, case: Case, models: str, into: Path) -> None:
    """Let it fail; writes ``<name>.log`` and its outcome."""
    _remove(client)
    options = {**NO_PIPE_LIMIT, **case.options}
    volumes = [f"{models}:/models:ro", f"{BROKEN_VOLUME}:{BROKEN}:ro", *options.pop("volumes", [])]
    serve = ["vllm", "serve", case.model, "--served-model-name", SERVED, "--host", "0.0.0.0"]  # noqa: S104
    serve += ["--port", "8000", "--dtype", "float32", *(["--enforce-eager"] if case.eager else [])]
    serve += case.arguments
    container = client.containers.run(
        image("vllm-cpu", "packages").tag,
        ["-c", f'{case.before}\nexec "$@"', "sh", *serve],
        entrypoint=["sh"],
        name=NAME,
        labels=LABELS,
        environment={**ENVIRONMENT, **case.environment},
        volumes=volumes,
        init=True,
        detach=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges:true"],
        **options,
    )
    begin = time.monotonic()
    answers: dict[str, Any] = {}
    if case.kill:
        _until(container, case.kill[0])
        _kill(container, case.kill[1], case.kill[2])
    if case.requests:
        _until(container, READY)
        answers = {file: _answer(container, asked) for file, asked in case.requests.items()}
        container.stop()
    with contextlib.suppress(Exception):
        container.wait(timeout=TIMEOUT_SECONDS)
    container.reload()
    state = container.attrs["State"]
    log = container.logs().decode(errors="replace")
    for file, body in answers.items():
        (into / f"{file}.json").write_text(json.dumps(body, indent=2) + "\n")
    (into / f"{name}.log").write_text(trimmed(log))
    code = None if state["Running"] else state["ExitCode"]
    _note(into, name, {"exit_code": code, "out_of_memory": state["OOMKilled"]})
    ended = "still running" if code is None else f"exit code {code}"
    print(f"{name}: {ended}, {time.monotonic() - begin:.0f} s", flush=True)
    _remove(client)


def trimmed(log: str) -> str:
    """The log without what is the same in all of them and what names this machine."""
    lines = [line.rstrip() for line in log.split("\n") if not _NOISE.search(line)]
    text = "\n".join(lines).strip() + "\n"
    for pattern, instead in _MACHINE:
        text = pattern.sub(instead, text)
    return text


def _note(into: Path, name: str, outcome: Mapping[str, Any]) -> None:
    path = into / "outcomes.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**known, name: outcome}, indent=2, sort_keys=True) + "\n")


def _until(container: Container, text: str) -> None:
    """Wait for a text of the log; returns also when the container ends."""
    for line in container.logs(stream=True, follow=True):
        if text in line.decode(errors="replace"):
            return


def _kill(container: Container, signal: str, process: str) -> None:
    if not process:
        container.kill(signal)
        return
    script = (
        "import os, pathlib, signal\n"
        "for title in pathlib.Path('/proc').glob('[0-9]*/comm'):\n"
        f"    if {process!r} in title.read_text():\n"
        f"        os.kill(int(title.parent.name), signal.{signal})\n"
    )
    container.exec_run(["python3", "-c", script])


def _answer(container: Container, arguments: Sequence[str]) -> dict[str, Any]:
    done = container.exec_run(["curl", "-sS", "-w", "\n%{http_code}", *arguments])
    body, _, status = done.output.decode().rpartition("\n")
    return {"status": int(status), "body": json.loads(body)}


def _remove(client: docker.DockerClient) -> None:
    with contextlib.suppress(NotFound):
        client.containers.get(NAME).remove(force=True, v=True)


def main() -> int:
    """Record all cases, or those that are named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of: {', '.join(CASES)}")
    parser.add_argument("--models", default=MODELS_VOLUME, help="the volume with the weights")
    parser.add_argument("--into", type=Path, default=Path("tests/unit/diagnosis/logs"))
    asked = parser.parse_args()
    if unknown := set(asked.names) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    client = connect()
    client.containers.run(
        image("vllm-cpu", "packages").tag,
        ["-c", MAKE_BROKEN],
        entrypoint=["python3"],
        labels=LABELS,
        volumes=[f"{asked.models}:/models:ro", f"{BROKEN_VOLUME}:{BROKEN}"],
        remove=True,
    )
    for name in asked.names or CASES:
        record(client, name, CASES[name], asked.models, asked.into)
    client.volumes.get(BROKEN_VOLUME).remove()
    return 0


if __name__ == "__main__":
    sys.exit(main())
