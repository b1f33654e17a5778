"""What an edit of a running deployment does, a row each, by the real engine."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import Assistant

VLLM_REPLACED = {"vllm-server": "replace", "vllm-server-ready": "update"}
CHAT_REPLACED = {"chatbot": "replace", "chatbot-ready": "update"}
POSTGRES_REPLACED = {"postgres": "replace", "postgres-ready": "update"}
IMAGE = {"services": {"vllm": {"image": "me/vllm:1"}}}
NEW_IMAGE = {"vllm-image": "create", "vllm-cpu-image": "delete", "preflight": "update"}

# What is written into the stack file -> what `up` would do; everything else stays as it is.
SETTINGS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "nothing": ({}, {}),
    "health check": ({"services": {"vllm": {"start_timeout": "31m"}}}, VLLM_REPLACED),
    "memory": (
        {"services": {"vllm": {"memory": "9g"}, "chatbot": {"memory": "2g"}}},
        {"vllm-server": "update", "chatbot": "update"},
    ),
    "memory of the database": (
        # Its share for buffers is an argument, and goes with the memory.
        {"services": {"postgres": {"memory": "1g"}}},
        POSTGRES_REPLACED,
    ),
    "model": (
        {"hf_endpoint": "http://localhost:1", "services": {"vllm": {"model": "o/m"}}},
        {
            "weights-smollm2-image": "delete",
            "weights-downloaded": "update",
            "vllm-arguments": "update",
            "files-written": "update",
            **VLLM_REPLACED,
        },
    ),
    "pipelines": (
        {
            "pipeline_map": {
                "Agent": {
                    "models": {
                        "required": {"agent_model": "vllm/HuggingFaceTB/SmolLM2-135M-Instruct"}
                    }
                }
            }
        },
        {"files-written": "update"},
    ),
    "port of the chat application": (
        {"services": {"chatbot": {"port": 7999}}},
        {"preflight": "update", **CHAT_REPLACED},
    ),
    "port of vLLM": (
        {"services": {"vllm": {"port": 8999}}},
        {"preflight": "update", **VLLM_REPLACED},
    ),
    "vLLM not published": (
        {"services": {"vllm": {"publish": False}}},
        {"preflight": "update", **VLLM_REPLACED},
    ),
    "argument of the engine": (
        {"services": {"vllm": {"max_num_seqs": 4}}},
        {"vllm-arguments": "update", **VLLM_REPLACED},
    ),
    "image": (IMAGE, {**NEW_IMAGE, "vllm-arguments": "update", **VLLM_REPLACED}),
    "GPUs": (
        {"gpu_ids": "0", **IMAGE},
        {**NEW_IMAGE, "vllm-arguments": "update", **VLLM_REPLACED},
    ),
    "host mode": (
        {"host_mode": True},
        {
            "network": "delete",
            "preflight": "update",
            "vllm-arguments": "update",
            **VLLM_REPLACED,
            **POSTGRES_REPLACED,
            **CHAT_REPLACED,
        },
    ),
    "database in a file": (
        {"services": {"chatbot": {"database": "sqlite"}}},
        {
            "postgres": "delete",
            "postgres-data": "delete",  # of the state alone: the volume is retained
            "postgres-ready": "delete",
            "postgres-image": "delete",
            "preflight": "update",
            "files-written": "update",
            "chatbot-conversations": "create",
            **CHAT_REPLACED,
        },
    ),
}


@pytest.mark.parametrize("edit", SETTINGS)
def test_an_edit_of_the_stack_file(full: Assistant, edit: str) -> None:
    config, expected = SETTINGS[edit]
    with full.edited(**config):
        steps = full.steps()
    of_packages = {"weights-smollm2-image", "vllm-cpu-image"}
    if full.base != "offline":  # public images are pulled, under one name for all
        expected = {name: step for name, step in expected.items() if name not in of_packages}
        expected |= {"vllm-image": "update"} if "vllm-image" in expected else {}
    assert steps == expected


def test_a_refresh_finds_no_difference(full: Assistant) -> None:
    assert full.steps("--refresh") == {}


# What is changed in the program -> what `up` would do.
PROGRAM: dict[str, tuple[str, list[tuple[str, str]], dict[str, str]]] = {
    "restart policy": (
        "components/container.py",
        [('"restart": "unless-stopped"', '"restart": "always"')],
        {"vllm-server": "update", "chatbot": "update", "postgres": "update"},
    ),
    "label of a volume": (
        "components/postgres.py",
        [('names.labels("postgres"), self', 'names.labels("database"), self')],
        {},
    ),
    "name of a component": (
        "components/deployment.py",
        [
            ('"chatbot",\n            ChatbotArgs(', '"assistant",\n            ChatbotArgs('),
            (
                "depends_on=present(images.chat, self.files.written, *gates, *self.base),\n"
                "            ),\n            self._child(),",
                "depends_on=present(images.chat, self.files.written, *gates, *self.base),\n"
                '            ),\n            self._child(formerly="chatbot"),',
            ),
        ],
        {},
    ),
}


@pytest.mark.parametrize("edit", PROGRAM)
def test_an_edit_of_the_program(full: Assistant, edit: str) -> None:
    name, changes, expected = PROGRAM[edit]
    path = full.checkout.path / name
    before = path.read_text()
    content = before
    for old, new in changes:
        assert old in content
        content = content.replace(old, new)
    try:
        path.write_text(content)
        assert full.steps() == expected
    finally:
        path.write_text(before)


def test_memory_is_changed_while_everything_goes_on(full: Assistant) -> None:
    before = full.ids()
    full.touched = True
    with full.edited(services={"chatbot": {"memory": "1100m"}}):
        full.up()
        assert full.ids() == before
        limit = full.container("chatbot").attrs["HostConfig"]["Memory"]
        assert limit == 1100 * 1024**2
        assert full.steps("--refresh") == {}
    full.up()
    assert full.ids() == before


def test_pipelines_reach_the_chat_application_without_a_restart(full: Assistant) -> None:
    before = full.ids()
    config, _ = SETTINGS["pipelines"]
    full.touched = True
    with full.edited(**config):
        full.up()
        read = full.container("chatbot").exec_run(["cat", "/run/archi/pipelines.yaml"])
        assert b"agent_model: vllm/HuggingFaceTB/SmolLM2-135M-Instruct" in read.output
        full.ready()
    assert full.ids() == before
