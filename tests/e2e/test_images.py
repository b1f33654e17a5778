"""The images, built and run on the real Engine, and the weights that their scripts make."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container
from docker.models.volumes import Volume

from archi.docker_engine import connect
from archi.image_builds import ensure, prune
from archi.images import Image, ImageError, Kind, image
from tests.hub_server import HubServer

ROOT = Path(__file__).resolve().parents[2]
MODEL = "org/tiny"
TARGET = "/models/org/tiny/main"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    connected = connect()
    yield connected
    connected.close()


@pytest.fixture(scope="module")
def built(client: docker.DockerClient) -> Callable[[Kind], str]:
    """Builds an image of ours from packages unless it is there, and gives its tag."""

    def build(kind: Kind) -> str:
        wanted = image(kind, "packages")
        ensure(client, wanted, print)
        return wanted.tag

    return build


@dataclass(frozen=True)
class Ended:
    """How a container ended, and the JSON lines it printed."""

    code: int
    output: str

    @property
    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.output.splitlines() if line.startswith("{")]

    def last(self) -> dict[str, object]:
        return self.events[-1]


@pytest.fixture
def run(client: docker.DockerClient) -> Iterator[Callable[..., Ended]]:
    """Runs a container to its end and gives what it printed."""

    def run_to_end(tag: str, command: list[str], **options: object) -> Ended:
        container = client.containers.create(tag, command, **options)
        try:
            container.start()
            code = container.wait()["StatusCode"]
            return Ended(code, container.logs().decode(errors="replace"))
        finally:
            container.remove(force=True)

    return run_to_end


@pytest.fixture
def volume(client: docker.DockerClient) -> Iterator[Volume]:
    """A volume for weights, removed afterwards."""
    made = client.volumes.create(f"archi-test-{uuid.uuid4().hex[:8]}")
    yield made
    made.remove(force=True)


class TestBase:
    def test_a_container_reaches_the_package_indexes_by_tls(
        self, built: Callable[[Kind], str], run: Callable[..., Ended]
    ) -> None:
        script = (
            "python3 -m pip download --no-deps --dest /tmp/d idna==3.10 && ls /tmp/d"
            " && python3 -m venv --without-pip /tmp/venv && test -s $SSL_CERT_FILE"
            " && curl --version"
        )
        passed = {name: os.environ[name] for name in _NETWORK if name in os.environ}
        ended = run(built("base"), ["sh", "-ec", script], environment=passed)
        assert ended.code == 0, ended.output
        assert "idna-3.10-py3-none-any.whl" in ended.output

    def test_building_again_builds_nothing(
        self, client: docker.DockerClient, built: Callable[[Kind], str]
    ) -> None:
        tag, said = built("base"), []
        assert ensure(client, image("base", "packages"), said.append) == client.images.get(tag).id
        assert said == []


_NETWORK = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "PIP_INDEX_URL")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout whose chat application is a single line, different each time."""
    shutil.copytree(ROOT / "images", tmp_path / "images")
    (tmp_path / "chatbot").mkdir()
    (tmp_path / "chatbot/app.py").write_text(f"print('hello {uuid.uuid4()}')\n")
    (tmp_path / "chatbot/Dockerfile").write_text(
        "ARG BASE\nFROM ${BASE}\nCOPY . /app\nRUN python3 /app/app.py\n"
    )
    return tmp_path


@pytest.fixture
def chat(
    client: docker.DockerClient, checkout: Path, built: Callable[[Kind], str]
) -> Iterator[Image]:
    built("base")
    made = image("chat", "packages", checkout)
    yield made
    for tag in {made.tag, image("chat", "packages", checkout).tag}:
        if client.images.list(tag):
            client.images.remove(tag, force=True)


class TestBuild:
    def test_it_streams_the_builders_steps_and_labels_the_image(
        self, client: docker.DockerClient, chat: Image
    ) -> None:
        said: list[str] = []
        ensure(client, chat, said.append)
        assert [line for line in said if line.startswith("Step 4/")]
        assert [line for line in said if line.startswith("hello ")]
        attributes = client.images.get(chat.tag).attrs["Config"]
        assert attributes["Labels"]["archi.image"] == "archi/chat"
        assert not [line for line in attributes["Env"] if "proxy" in line.lower()]

    def test_a_failing_step_is_named_with_what_it_printed(
        self, client: docker.DockerClient, chat: Image, checkout: Path
    ) -> None:
        (checkout / "chatbot/app.py").write_text("raise SystemExit('no sense in this')\n")
        with pytest.raises(ImageError) as refused:
            ensure(client, image("chat", "packages", checkout), lambda _: None)
        assert "it failed at Step 4/" in str(refused.value)
        assert "RUN python3 /app/app.py" in str(refused.value)
        assert "no sense in this" in str(refused.value)

    def test_two_runs_at_once_build_once(self, client: docker.DockerClient, chat: Image) -> None:
        said: list[str] = []
        barrier = threading.Barrier(2)

        def build() -> str:
            barrier.wait()
            return ensure(client, chat, said.append)

        with ThreadPoolExecutor(2) as pool:
            first, second = pool.submit(build), pool.submit(build)
            assert first.result() == second.result()
        assert said.count(f"building {chat.tag}") == 1

    def test_prune_removes_old_tags_that_no_container_uses(
        self, client: docker.DockerClient, chat: Image, checkout: Path
    ) -> None:
        # A name of its own: the machine's real images are not this test's to remove.
        name = f"archi/test-{uuid.uuid4().hex[:8]}"
        older = dataclasses.replace(chat, name=name)
        (checkout / "chatbot/app.py").write_text("print('newer')\n")
        newer = dataclasses.replace(image("chat", "packages", checkout), name=name)
        for one in (older, newer):
            ensure(client, one, lambda _: None)
        container = client.containers.create(older.tag)
        try:
            assert prune(client, newer) == [], "a container uses the old one"
        finally:
            container.remove()
        assert prune(client, newer) == [older.tag]
        assert [tag for one in client.images.list(name) for tag in one.tags] == [newer.tag]
        client.images.remove(newer.tag)


class TestRoot:
    """The root file system for places without a registry, with a debootstrap that fails."""

    @pytest.fixture
    def root(self, checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Image:
        """A root that is not built yet; caches and programs of its own."""
        with (checkout / "images/base/make-rootfs").open("a") as script:
            script.write(f"# {uuid.uuid4()}\n")
        monkeypatch.setenv("ARCHI_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
        (tmp_path / "bin").mkdir()
        return image("rootfs", "packages", checkout)

    def test_its_failure_is_told_with_its_last_lines_and_leaves_nothing(
        self, client: docker.DockerClient, root: Image, tmp_path: Path
    ) -> None:
        program = tmp_path / "bin/debootstrap"
        program.write_text(
            '#!/bin/sh\nmkdir -p "$3/proc"; mount -t proc proc "$3/proc"\n'
            "echo 'E: Failed to fetch Release'; exit 3\n"
        )
        program.chmod(0o755)
        leftover = tmp_path / "cache/rootfs/of-a-killed-run/root"
        leftover.mkdir(parents=True)
        with pytest.raises(ImageError) as refused:
            ensure(client, root, lambda _: None)
        assert "exit code 3" in str(refused.value)
        assert "E: Failed to fetch Release" in str(refused.value)
        assert "HTTPS_PROXY" in str(refused.value)
        assert list((tmp_path / "cache/rootfs").iterdir()) == []
        assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text()

    def test_without_debootstrap_it_says_what_to_install(
        self, client: docker.DockerClient, root: Image, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PATH", "/nonexistent")
        with pytest.raises(ImageError, match="apt-get install debootstrap"):
            ensure(client, root, lambda _: None)


class TestVllm:
    def test_arguments_go_to_the_server_as_with_the_public_image(
        self, client: docker.DockerClient, built: Callable[[Kind], str]
    ) -> None:
        config = client.images.get(built("vllm-cpu")).attrs["Config"]
        assert config["Entrypoint"] == ["vllm", "serve"]


class TestSmolLM2:
    def test_conversion_makes_a_folder_to_serve_and_a_second_run_finds_it(
        self, built: Callable[[Kind], str], run: Callable[..., Ended], volume: Volume
    ) -> None:
        options = {"volumes": [f"{volume.name}:/models"], "network_mode": "none"}
        tag, command = built("weights-smollm2"), ["--target", "/models/smollm2/main"]
        first = run(tag, command, **options)
        assert first.code == 0, first.output
        assert first.last()["event"] == "done"
        assert first.last()["cached"] is False
        second = run(tag, command, **options)
        assert second.code == 0
        assert second.last()["cached"] is True
        assert second.last()["bytes"] == first.last()["bytes"]
        listed = run(
            tag,
            ["-c", "ls /models/smollm2/main && cat /models/smollm2/main/config.json"],
            entrypoint=["sh"],
            user="10002",
            **options,
        )
        assert {"model.safetensors", "tokenizer.json", "config.json"} <= set(
            listed.output.splitlines()
        )
        assert "LlamaForCausalLM" in listed.output


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model repository with what a hub's often has: weights twice, pictures, a README."""
    folder = tmp_path / "model"
    for name, content in {
        "config.json": b'{"architectures": ["LlamaForCausalLM"]}',
        "tokenizer.json": b"{}",
        "chat_template.jinja": b"{{ messages }}",
        "model-00001-of-00002.safetensors": os.urandom(4 * MIB),
        "model-00002-of-00002.safetensors": os.urandom(3 * MIB),
        "pytorch_model.bin": os.urandom(7 * MIB),
        "onnx/model.onnx": b"x",
        "original/params.json": b"{}",
        "README.md": b"# Tiny",
        "figure.png": b"x",
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


@dataclass(frozen=True)
class Fetcher:
    """images/weights/fetch.py in a container of the vLLM image, on the host's network."""

    client: docker.DockerClient
    tag: str
    volume: str
    started: list[Container] = field(default_factory=list)

    def start(self, hub: str, model: str = MODEL, **options: object) -> Container:
        environment = {
            "HF_ENDPOINT": hub,
            # The library asks again after 10 s of silence, which a busy machine can have.
            "HF_HUB_DOWNLOAD_TIMEOUT": "120",
            **dict(options.pop("environment", {})),  # type: ignore[call-overload]
        }
        asked = ["--model", model, "--revision", str(options.pop("revision", "main"))]
        container = self.client.containers.run(
            self.tag,
            ["/fetch/fetch.py", "hub", *asked, "--target", TARGET],
            entrypoint=["python3"],
            detach=True,
            network_mode="host",
            environment=environment,
            volumes=[f"{self.volume}:/models", f"{ROOT / 'images/weights'}:/fetch:ro"],
            **options,
        )
        self.started.append(container)
        return container

    def run(self, hub: str, model: str = MODEL, **options: object) -> Ended:
        return self.end(self.start(hub, model, **options))

    def end(self, container: Container) -> Ended:
        return Ended(container.wait()["StatusCode"], container.logs().decode())

    def shell(self, script: str) -> str:
        output = self.client.containers.run(
            self.tag,
            ["-ec", script],
            entrypoint=["sh"],
            remove=True,
            volumes=[f"{self.volume}:/models"],
        )
        return bytes(output).decode()


@pytest.fixture
def fetcher(
    client: docker.DockerClient, built: Callable[[Kind], str], volume: Volume
) -> Iterator[Fetcher]:
    made = Fetcher(client, built("vllm-cpu"), str(volume.name))
    yield made
    for container in made.started:
        container.remove(force=True)


class TestFetch:
    def test_what_vllm_needs_is_downloaded_once(self, fetcher: Fetcher, model: Path) -> None:
        with HubServer(model, MODEL) as hub:
            first = fetcher.run(hub.endpoint)
            assert first.code == 0, first.output
            assert first.last()["cached"] is False
            downloads = hub.downloads()
            assert sorted(downloads) == [
                "chat_template.jinja",
                "config.json",
                "model-00001-of-00002.safetensors",
                "model-00002-of-00002.safetensors",
                "tokenizer.json",
            ], first.output
            progress = [event for event in first.events if event["event"] == "progress"]
            assert progress[0]["done_bytes"] == 0
            assert progress[-1]["done_bytes"] == progress[-1]["total_bytes"]
            assert first.last()["bytes"] == progress[-1]["total_bytes"]
            asked = len(hub.requests)
        again = fetcher.run("http://127.0.0.1:9")
        assert again.code == 0, "complete weights need no hub"
        assert again.last()["cached"] is True
        assert asked == len(hub.requests)
        sums = fetcher.shell(f"cd {TARGET} && sha256sum *.safetensors && ls -a .. ")
        for name in ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"):
            assert _sha256(model / name) in sums
        assert ".partial" not in sums

    def test_a_killed_download_goes_on_where_it_stopped(
        self, fetcher: Fetcher, model: Path
    ) -> None:
        with HubServer(model, MODEL, stop_after=2 * MIB) as hub:
            container = fetcher.start(hub.endpoint)
            # It reports 2 MiB of each of the two weight files, then the hub sends no more.
            _wait_for_bytes(container, 4 * MIB)
            container.kill("SIGKILL")
            assert fetcher.end(container).code == 137
            hub.resume()
            hub.requests.clear()
            ended = fetcher.run(hub.endpoint)
            assert ended.code == 0, ended.output
            ranges = [request.range for request in hub.requests if "safetensors" in request.path]
            assert ranges == [f"bytes={2 * MIB}-"] * 2
            assert {"config.json", "tokenizer.json"}.isdisjoint(hub.downloads())
        assert _sha256(model / "model-00001-of-00002.safetensors") in fetcher.shell(
            f"sha256sum {TARGET}/*.safetensors"
        )

    def test_sigterm_is_told_as_an_interruption(self, fetcher: Fetcher, model: Path) -> None:
        with HubServer(model, MODEL, stop_after=2 * MIB) as hub:
            container = fetcher.start(hub.endpoint)
            _wait_for_bytes(container, 4 * MIB)
            container.stop(timeout=300)
            ended = fetcher.end(container)
        assert ended.code == 1
        assert ended.last()["cause"] == "interrupted"

    def test_a_damaged_part_is_downloaded_anew(self, fetcher: Fetcher, model: Path) -> None:
        with HubServer(model, MODEL) as hub:
            name = "model-00001-of-00002.safetensors"
            partial = TARGET.replace("/main", "/.main.partial")
            fetcher.shell(
                f"mkdir -p {partial} && printf {hub.commit} > {partial}/.commit"
                f" && head -c 1000 /dev/zero > {partial}/{name}.part"
            )
            assert fetcher.run(hub.endpoint).code == 0
        assert _sha256(model / name) in fetcher.shell(f"sha256sum {TARGET}/*.safetensors")

    @pytest.mark.parametrize(
        ("asked", "cause", "words"),
        [
            ({"model": "org/tinny"}, "model-not-found", "`org/tinny`"),
            ({"model": "not a model"}, "model-not-found", "ORG/NAME"),
            ({"revision": "v9"}, "revision-not-found", "`v9`"),
            ({"environment": {"HF_HUB_OFFLINE": "1"}}, "offline", "HF_HUB_OFFLINE"),
        ],
    )
    def test_what_cannot_be_had_is_an_error_with_a_cause(
        self, fetcher: Fetcher, model: Path, asked: dict[str, object], cause: str, words: str
    ) -> None:
        with HubServer(model, MODEL) as hub:
            ended = fetcher.run(hub.endpoint, **asked)  # type: ignore[arg-type]
        assert ended.code == 1, ended.output
        assert ended.last()["event"] == "error"
        assert ended.last()["cause"] == cause
        assert words in str(ended.last()["message"])
        assert ended.last()["evidence"]

    def test_a_gated_model_says_where_to_accept_its_conditions(
        self, fetcher: Fetcher, model: Path
    ) -> None:
        with HubServer(model, MODEL, gated=True) as hub:
            ended = fetcher.run(hub.endpoint)
            assert ended.last()["cause"] == "gated"
            assert f"{hub.endpoint}/{MODEL}" in str(ended.last()["message"])

    def test_the_token_comes_from_a_file_and_a_wrong_one_is_told(
        self, fetcher: Fetcher, model: Path
    ) -> None:
        fetcher.shell("printf right > /models/right; printf wrong > /models/wrong")
        with HubServer(model, MODEL, token="right") as hub:
            refused = fetcher.run(hub.endpoint, environment={"HF_TOKEN_PATH": "/models/wrong"})
            assert refused.last()["cause"] == "unauthorized"
            assert "wrong" not in refused.output
            given = fetcher.run(hub.endpoint, environment={"HF_TOKEN_PATH": "/models/right"})
            assert given.code == 0, given.output
            assert "right" not in given.output

    def test_a_volume_without_room_is_refused_before_the_download(
        self, fetcher: Fetcher, model: Path
    ) -> None:
        with HubServer(model, MODEL) as hub:
            small = fetcher.run(hub.endpoint, tmpfs={"/models/org": "size=8m"})
            assert small.last()["cause"] == "disk-full"
            assert "free" in str(small.last()["message"])
            assert hub.downloads() == []

    def test_a_hub_that_is_not_there_is_unreachable(self, fetcher: Fetcher) -> None:
        ended = fetcher.run("http://127.0.0.1:9")
        assert ended.code == 1
        assert ended.last()["cause"] == "hub-unreachable"


def _wait_for_bytes(container: Container, wanted: int) -> None:
    """Follow the container's progress until that many bytes are on its disk."""
    for chunk in container.logs(stream=True, follow=True):
        for line in bytes(chunk).decode().splitlines():
            if line.startswith("{") and json.loads(line).get("done_bytes", 0) >= wanted:
                return
    raise AssertionError(f"it ended before: {container.logs().decode()}")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
