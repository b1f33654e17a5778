from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from archi.passphrase import Sealer, WrongPassphrase, new_salt
from archi.stack_file import Content, StackFileError, read, write

CONTENT = Content(
    {"services": {"vllm": {"model": "Qwen/Qwen3-8B"}}, "gpu_ids": "0,1", "source": "registry"},
    {"hf_token": "hf_é", "env_secrets": {"A": "1", "B": "two"}},
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "stacks" / "Pulumi.mine.yaml"


def test_what_is_written_is_read_again_and_no_secret_shows(path: Path) -> None:
    write(path, "mine", CONTENT, "phrase")
    text = path.read_text()
    assert "hf_é" not in text
    assert "two" not in text
    assert text.startswith("# The deployment mine, written by `archi create`.")
    assert list(yaml.safe_load(text)["config"]) == [
        "archi:source",
        "archi:gpu_ids",
        "archi:services",
        "archi:env_secrets",
        "archi:hf_token",
    ]
    again = read(path, "phrase")
    assert again == CONTENT
    assert again.differences(CONTENT) == []
    assert list(path.parent.iterdir()) == [path]


def test_differences_are_named_by_their_keys(path: Path) -> None:
    other = Content(
        {"services": {"vllm": {"model": "o/m", "port": 8001}}, "source": "registry"},
        {"hf_token": "hf_é", "env_secrets": {"A": "2", "B": "two"}},
    )
    assert CONTENT.differences(other) == [
        "archi:gpu_ids",
        "archi:services.vllm.model",
        "archi:services.vllm.port",
        "archi:env_secrets.A",
    ]


def test_the_salt_stays_so_that_the_state_stays_readable(path: Path) -> None:
    write(path, "mine", CONTENT, "phrase")
    salt = yaml.safe_load(path.read_text())["encryptionsalt"]
    write(path, "mine", Content({}, {"hf_token": "x"}), "phrase")
    assert yaml.safe_load(path.read_text())["encryptionsalt"] == salt


def test_a_lost_passphrase_is_explained_and_the_file_stays(path: Path) -> None:
    write(path, "mine", CONTENT, "phrase")
    before = path.read_bytes()
    with pytest.raises(StackFileError, match="sealed with another passphrase"):
        read(path, "another")
    assert path.read_bytes() == before


def test_a_file_that_is_no_yaml_is_refused_by_name(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("config: [")
    with pytest.raises(StackFileError, match=r"Pulumi\.mine\.yaml can't be read"):
        read(path, "phrase")


def test_a_secret_can_be_opened_by_its_passphrase_alone() -> None:
    salt = new_salt("one")
    sealed = Sealer("one", salt).seal("secret")
    assert Sealer("one", salt).open(sealed) == "secret"
    with pytest.raises(WrongPassphrase):
        Sealer("two", salt)
    with pytest.raises(WrongPassphrase):
        Sealer("one", new_salt("one")).open(sealed)
    with pytest.raises(WrongPassphrase):
        Sealer("one", salt).open("v1:no:base64")


def test_a_write_that_fails_leaves_what_was_there(path: Path) -> None:
    write(path, "mine", CONTENT, "phrase")
    before = path.read_bytes()
    with pytest.raises(UnicodeEncodeError):
        write(path, "mine", Content({"gpu_ids": "0", "x": "a"}, {"hf_token": "\ud800"}), "phrase")
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
