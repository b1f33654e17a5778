"""The way that most users take, against stand-ins: a registry, a hub, a proxy with its own CA."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from archi.docker_engine import connect
from archi.image_builds import ensure
from archi.image_pull import pull
from archi.images import POSTGRES_IMAGE, ContextFile, Image, ImageError, image
from archi.names import MODELS_VOLUME
from archi.weights import Request, WeightsError, fetch
from tests.e2e.conftest import Assistant, remove_all
from tests.hub_server import HubServer
from tests.ports import free_port
from tests.proxy_server import InterceptingProxy
from tests.registry_server import RegistryServer

HUB, PACKAGES = "hub.archi-test.invalid", "packages.archi-test.invalid"
"""Names that only the proxy knows."""


@pytest.fixture(scope="module")
def client() -> docker.DockerClient:
    return connect()


@pytest.fixture(scope="module")
def tags() -> dict[str, str]:
    """Of the images that are there; with another CA bundle in force they would be others."""
    return {kind: image(kind, "packages").tag for kind in ("base", "vllm-cpu", "postgres")}


@pytest.fixture(scope="module")
def registry(
    client: docker.DockerClient, tags: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RegistryServer]:
    """With a Debian to build on, and a Postgres under its official name."""
    folder = tmp_path_factory.mktemp("registry")
    with RegistryServer(folder, free_port(), client) as server:
        server.push(tags["base"], "mirror/debian:12")
        server.push(tags["postgres"], f"mirror/library/{POSTGRES_IMAGE}")
        yield server


def test_a_deployment_takes_its_images_from_a_registry(
    registry: RegistryServer, deployed: Assistant, client: docker.DockerClient, tags: dict[str, str]
) -> None:
    """All but vLLM's, whose gigabytes would prove no more: the other deployment's serves it."""
    assistant = Assistant(deployed.checkout, client, "external", "archi-e2e-registry")
    postgres = f"{registry.name}/mirror/library/{POSTGRES_IMAGE}"
    assistant.configure(
        source="registry",
        registry_mirror=f"{registry.name}/mirror",
        base_image=f"{registry.name}/mirror/debian:12",
        host_mode=True,
        services={
            "vllm": {
                "base_url": deployed.vllm_url,
                "model": "HuggingFaceTB/SmolLM2-135M-Instruct",
            }
        },
    )
    try:
        assistant.up()
        assert assistant.container("postgres").attrs["Config"]["Image"] == postgres
        chat = client.images.get(assistant.container("chatbot").attrs["Config"]["Image"])
        below = client.images.get(tags["base"]).attrs["RootFS"]["Layers"]
        assert chat.attrs["RootFS"]["Layers"][: len(below)] == below
        assert assistant.complete("Say hello.")
        assert assistant.steps() == {}
        done = assistant.checkout.pulumi(
            "destroy", "--yes", "--skip-preview", "--stack", assistant.stack
        )
        assert done.returncode == 0, done.stdout
        assert client.images.get(postgres)  # the next `up` need not pull it again
    finally:
        remove_all(client, assistant.stack)


def test_a_pull_tells_its_progress_and_takes_the_image_of_the_digest(
    registry: RegistryServer, client: docker.DockerClient, tags: dict[str, str]
) -> None:
    digest = registry.push(tags["base"], "pinned/base:1")
    reference = f"{registry.name}/pinned/base:1@{digest}"
    said: list[str] = []
    pull(client, reference, said.append)
    assert said
    assert all(line.startswith(f"pulling {reference}: ") for line in said)
    assert client.images.get(f"{registry.name}/pinned/base@{digest}")


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("mirror/debian:13", "manifest unknown"),
        ("nowhere/at-all:1", "not found"),
    ],
)
def test_an_image_that_a_registry_lacks_is_named_with_the_mend(
    registry: RegistryServer, client: docker.DockerClient, path: str, says: str
) -> None:
    reference = f"{registry.name}/{path}"
    with pytest.raises(ImageError) as refused:
        pull(client, reference, lambda _line: None)
    assert f"{reference} could not be pulled" in str(refused.value)
    assert says in str(refused.value)
    assert "check its name and the network" in str(refused.value)


def test_a_registry_that_does_not_answer_is_named_with_the_mend(
    client: docker.DockerClient,
) -> None:
    reference = f"localhost:{free_port()}/vllm/vllm-openai:v0"
    with pytest.raises(ImageError, match=f"{reference} could not be pulled") as refused:
        pull(client, reference, lambda _line: None)
    assert "connection refused" in str(refused.value)


def hub_request(tags: dict[str, str]) -> Request:
    return Request(
        deployment="archi-e2e-public",
        image=tags["vllm-cpu"],
        model="archi-test/tiny",
        revision="main",
        target="/models/archi-test/tiny/main",
        origin="hub",
        endpoint=f"https://{HUB}",
    )


@pytest.fixture
def hub(tmp_path: Path, client: docker.DockerClient, tags: dict[str, str]) -> Iterator[HubServer]:
    """A hub with a model of a few bytes; what was downloaded of it goes afterwards."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"weights" * 1000)
    with HubServer(folder, "archi-test/tiny") as server:
        yield server
    client.containers.run(
        tags["base"],
        ["rm", "-rf", "/models/archi-test"],
        volumes=[f"{MODELS_VOLUME}:/models"],
        remove=True,
    )


def behind(proxy: InterceptingProxy, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in proxy.environment().items():
        monkeypatch.setenv(name, value)


def test_weights_come_through_a_proxy_that_inspects_tls(
    hub: HubServer,
    tags: dict[str, str],
    tmp_path: Path,
    client: docker.DockerClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = int(hub.endpoint.rsplit(":", 1)[1])
    with InterceptingProxy(tmp_path, {HUB: port}) as proxy:
        behind(proxy, monkeypatch)
        said: list[str] = []
        fetch(client, hub_request(tags), said.append)
    assert "100 %" in said[-2]
    assert set(proxy.deciphered) == {HUB}
    assert sorted(hub.downloads()) == ["config.json", "model.safetensors"]


def test_a_proxy_whose_ca_is_not_known_is_named_with_the_mend(
    hub: HubServer,
    tags: dict[str, str],
    tmp_path: Path,
    client: docker.DockerClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = int(hub.endpoint.rsplit(":", 1)[1])
    with InterceptingProxy(tmp_path, {HUB: port}) as proxy:
        trusted = {"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"}
        for name, value in proxy.environment().items():
            if name not in trusted:
                monkeypatch.setenv(name, value)
        with pytest.raises(WeightsError) as refused:
            fetch(client, hub_request(tags), lambda _line: None)
    assert "CERTIFICATE_VERIFY_FAILED" in str(refused.value)
    assert "SSL_CERT_FILE" in str(refused.value)
    assert hub.downloads() == []


def test_the_steps_of_an_image_go_through_the_proxy(
    hub: HubServer,
    tags: dict[str, str],
    tmp_path: Path,
    client: docker.DockerClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = int(hub.endpoint.rsplit(":", 1)[1])
    dockerfile = (
        "ARG BASE\nFROM ${BASE}\nCOPY ca-bundle.crt /etc/ssl/archi/ca-bundle.crt\n"
        f"RUN curl -fsS https://{PACKAGES}/archi-test/tiny/resolve/main/config.json -o /fetched\n"
    )
    with InterceptingProxy(tmp_path, {PACKAGES: port}) as proxy:
        behind(proxy, monkeypatch)
        files = (
            ContextFile("Dockerfile", dockerfile.encode()),
            ContextFile("ca-bundle.crt", proxy.ca_file.read_bytes()),
        )
        made = Image("archi/test-proxy", tags["base"], files)
        try:
            ensure(client, made, lambda _line: None)
            history = str(client.images.get(made.tag).history())
        finally:
            client.images.remove(made.tag, force=True)
    assert proxy.deciphered == [PACKAGES]
    assert proxy.address not in history  # no proxy stays in an image
