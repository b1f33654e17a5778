"""Where the smoke test goes: what each variable of the environment does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from archi.cli.exit_codes import ExitCode
from archi.smoke import SmokeError, of_deployment
from archi.smoke.endpoints import _engine_elsewhere, _is_own

GIVEN = {
    "SMOKE_PROVIDER": "vllm",
    "SMOKE_VLLM_BASE_URL": "http://gpu1.example.org:8000/v1/",
    "SMOKE_VLLM_MODEL": "Qwen/Qwen3-8B",
    "SMOKE_CHAT_URL": "http://localhost:7861/v1/",
}


def test_variables_that_name_everything_need_no_stack() -> None:
    found = of_deployment("bot", GIVEN)
    assert found.vllm_url == "http://gpu1.example.org:8000/v1"
    assert found.chat_url == "http://localhost:7861"
    assert (found.model, found.deployment, found.provider) == ("Qwen/Qwen3-8B", "bot", "vllm")
    assert found.given == set(GIVEN)
    assert (found.vllm_key(), found.chat_key()) == (None, None)


def test_keys_are_those_of_the_environment() -> None:
    keys = {"SMOKE_VLLM_API_KEY": " vllm-key\n", "SMOKE_CHAT_API_KEY": "chat-key"}
    found = of_deployment("bot", {**GIVEN, **keys})
    assert (found.vllm_key(), found.chat_key()) == ("vllm-key", "chat-key")
    assert "vllm-key" not in repr(found)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("SMOKE_PROVIDER", "ollama", "SMOKE_PROVIDER=ollama is not known; known: vllm."),
        ("SMOKE_VLLM_BASE_URL", "localhost:8000", "is no URL. Mend: write it whole, such as"),
        ("SMOKE_VLLM_BASE_URL", "http://", "such as http://localhost:8000/v1."),
        ("SMOKE_VLLM_BASE_URL", "http://localhost:port/v1", "is no URL"),
        ("SMOKE_CHAT_URL", "localhost", "such as http://localhost:7861."),
        ("SMOKE_CHAT_URL", "http://me:secret@localhost", "SMOKE_CHAT_URL has a name or a password"),
        ("SMOKE_VLLM_API_KEY", "schlüssel", "characters that no API key has"),
        ("SMOKE_CHAT_API_KEY", "two\nlines", "characters that no API key has"),
    ],
)
def test_what_can_not_be_is_refused_with_its_name(variable: str, value: str, said: str) -> None:
    with pytest.raises(SmokeError) as refused:
        of_deployment("bot", {**GIVEN, variable: value})
    assert said in str(refused.value)
    assert variable in str(refused.value)
    assert "secret" not in str(refused.value)
    assert refused.value.code is ExitCode.REFUSED


def test_the_deployments_own_key_goes_to_its_own_server_and_to_this_machine_only() -> None:
    stacks = "https://gpu1.example.org/v1"
    assert _is_own(stacks, stacks)
    assert _is_own(f"{stacks}/", stacks)
    assert _is_own("http://127.0.0.1:9000/v1", None)
    assert not _is_own("https://gpu2.example.org/v1", stacks)
    assert not _is_own("https://gpu1.example.org:444/v1", stacks)
    assert not _is_own("http://localhost.example.org/v1", stacks)


@pytest.mark.parametrize(
    ("host", "elsewhere"),
    [
        ("", False),
        ("unix:///var/run/docker.sock", False),
        ("tcp://127.0.0.1:2375", False),
        ("tcp://gpu1.example.org:2376", True),
        ("ssh://deploy@gpu1.example.org", True),
    ],
)
def test_ports_are_another_machines_where_the_engine_is(host: str, elsewhere: bool) -> None:
    assert _engine_elsewhere(host) is elsewhere


def test_an_engine_that_is_silent_has_no_key_and_no_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(os.environ, "DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    found = of_deployment("bot", {**GIVEN, "SMOKE_VLLM_BASE_URL": "http://localhost:8000/v1"})
    assert found.vllm_key() is None
    assert found.execute is not None
    with pytest.raises(Exception, match="Docker can't be asked"):
        found.execute(["true"])
