"""Which images a deployment needs."""

from __future__ import annotations

from typing import Any

import pytest

from archi import deployment_images
from archi.images import POSTGRES_IMAGE, VLLM_CPU_IMAGE, VLLM_GPU_IMAGE, Image
from archi.settings import from_mapping

OFFLINE = {
    "source": "packages",
    "gpu_ids": "none",
    "services": {"vllm": {"model": "HuggingFaceTB/SmolLM2-135M-Instruct"}},
}


def needed(**config: Any) -> deployment_images.DeploymentImages:
    return deployment_images.of(from_mapping("bot", config))


def test_a_registry_gives_public_images_for_gpu_or_cpu() -> None:
    gpu, cpu = needed(gpu_ids="all"), needed(gpu_ids="none")
    assert (gpu.vllm, gpu.weights, gpu.postgres) == (VLLM_GPU_IMAGE, VLLM_GPU_IMAGE, POSTGRES_IMAGE)
    assert cpu.vllm == VLLM_CPU_IMAGE


def test_packages_give_images_of_our_own() -> None:
    kinds = [one.kind for one in needed(**OFFLINE).in_order() if isinstance(one, Image)]
    assert kinds == ["base", "vllm-cpu", "weights-smollm2", "postgres", "chat"]


def test_an_image_of_the_users_own_wins() -> None:
    services = {"vllm": {"image": "me/vllm:1"}, "postgres": {"image": "me/postgres:15"}}
    own = needed(services=services)
    assert (own.vllm, own.weights, own.postgres) == ("me/vllm:1", "me/vllm:1", "me/postgres:15")


@pytest.mark.parametrize(
    ("config", "absent"),
    [
        ({"services": {"vllm": {"base_url": "http://a.b/v1"}}}, {"vllm", "weights"}),
        ({"services": {"chatbot": {"database": "sqlite"}}}, {"postgres"}),
        ({"deploy": ["vllm-server"]}, {"postgres", "chat"}),
    ],
)
def test_only_what_is_deployed_has_an_image(config: dict[str, Any], absent: set[str]) -> None:
    images = needed(**config)
    every = {"vllm", "weights", "postgres", "chat"}
    assert {name for name in every if getattr(images, name) is None} == absent


def test_a_mirror_has_public_images_below_its_own_name() -> None:
    images = needed(registry_mirror="mirror.example.org:5000", gpu_ids="all")
    assert images.vllm == f"mirror.example.org:5000/{VLLM_GPU_IMAGE}"
    assert images.postgres == f"mirror.example.org:5000/library/{POSTGRES_IMAGE}"


def test_each_image_is_named_once() -> None:
    order = needed(gpu_ids="all").in_order()
    assert len(order) == len(set(order))
