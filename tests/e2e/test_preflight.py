"""What is asked of the host, and of a vLLM elsewhere, before anything is started."""

from __future__ import annotations

from dataclasses import replace

import pytest

from archi import external_vllm, preflight, render
from archi.images import image
from archi.settings import GpuIds
from tests.e2e.conftest import Assistant

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"


def test_a_full_disk_is_refused_with_what_frees_some(
    deployed: Assistant, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = preflight.Preflight(
        deployment="archi-e2e-preflight",
        ports={},
        gpu_ids=GpuIds.model_validate("none"),
        gpu_driver="nvidia",
        image=image("base", "packages").tag,
        postgres_image=None,
    )
    preflight.check(deployed.client, wanted)
    monkeypatch.setattr(preflight, "_LEAST_FREE_GIB", 10**6)
    with pytest.raises(preflight.PreflightError) as refused:
        preflight.check(deployed.client, wanted)
    assert "GiB left; a deployment needs 1000000" in str(refused.value)
    assert "`docker system df`" in str(refused.value)


def test_limits_that_docker_may_not_set_are_refused(deployed: Assistant) -> None:
    wanted = preflight.Preflight(
        deployment="archi-e2e-preflight",
        ports={},
        gpu_ids=GpuIds.model_validate("none"),
        gpu_driver="nvidia",
        image=image("base", "packages").tag,
        postgres_image=None,
        ulimits={"nofile": (1024, 1024)},
    )
    preflight.check(deployed.client, wanted)
    # More than any kernel gives (fs.nr_open), whatever the daemon may.
    with pytest.raises(preflight.PreflightError) as refused:
        preflight.check(deployed.client, replace(wanted, ulimits={"nofile": (2**31, 2**31)}))
    assert "archi:services.vllm.ulimits can't be had." in str(refused.value)
    assert "Docker may not set the container's ulimits" in str(refused.value)


def asked(deployed: Assistant, base_url: str, model: str = MODEL) -> external_vllm.ExternalVllm:
    return external_vllm.ExternalVllm(
        deployment=deployed.stack,
        image=deployed.container("chatbot").attrs["Config"]["Image"],
        network=deployed.names.network,
        files=deployed.names.files_volume,
        folder=str(render.FILES_PATH),
        base_url=base_url,
        model=model,
    )


def test_a_vllm_is_asked_from_the_deployments_own_network(deployed: Assistant) -> None:
    """By Docker's DNS, which knows the name there alone."""
    external_vllm.check(deployed.client, asked(deployed, "http://vllm-server:8000/v1"))


@pytest.mark.parametrize(
    ("base_url", "model", "says"),
    [
        ("http://vllm-server:8000/v1", "o/m", f"it serves {MODEL}, not o/m."),
        ("http://vllm-server:9/v1", MODEL, "nothing answers there"),
        ("http://nowhere.invalid:8000/v1", MODEL, "its host's name is not known"),
        ("http://chatbot:7861/healthz/v1", MODEL, "no OpenAI-compatible server"),
        ("https://vllm-server:8000/v1", MODEL, "it does not speak TLS"),
    ],
)
def test_a_vllm_that_cannot_be_used_is_refused_with_cause_and_mend(
    deployed: Assistant, base_url: str, model: str, says: str
) -> None:
    with pytest.raises(external_vllm.ExternalVllmError) as refused:
        external_vllm.check(deployed.client, asked(deployed, base_url, model))
    said = str(refused.value)
    assert f"The vLLM at {base_url} (archi:services.vllm.base_url) can't be used" in said
    assert says in said
    assert "Mend: " in said


def test_the_docker_host_is_told_to_a_container_by_its_own_name(deployed: Assistant) -> None:
    """Nothing listens there: but the name is known."""
    with pytest.raises(external_vllm.ExternalVllmError, match="nothing answers there"):
        external_vllm.check(deployed.client, asked(deployed, "http://host.docker.internal:9/v1"))
