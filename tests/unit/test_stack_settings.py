"""A stack's settings from its file, secrets left closed."""

from __future__ import annotations

from pathlib import Path

import pytest

from archi.pulumi_cli import Refused
from archi.settings import SettingsError
from archi.stack_settings import document, plain


def write(root: Path, text: str) -> None:
    (root / "stacks").mkdir()
    (root / "stacks" / "Pulumi.bot.yaml").write_text(text)


def test_secrets_and_other_programs_keys_are_left_out(tmp_path: Path) -> None:
    write(
        tmp_path,
        "encryptionsalt: v1:x\n"
        "config:\n"
        "  aws:region: x\n"
        "  archi:gpu_ids: none\n"
        "  archi:vllm_api_key: {secure: v1:abc}\n"
        "  archi:env_secrets: {secure: v1:abc}\n",
    )
    settings = plain(tmp_path, "bot")
    assert (settings.name, str(settings.gpu_ids), settings.vllm_api_key) == ("bot", "none", None)


def test_an_empty_file_is_a_stack_of_defaults(tmp_path: Path) -> None:
    write(tmp_path, "")
    assert plain(tmp_path, "bot").name == "bot"


def test_a_stack_without_a_file_is_refused_with_those_that_have_one(tmp_path: Path) -> None:
    write(tmp_path, "")
    with pytest.raises(Refused, match=r"no stack 'other'(.|\n)*bot"):
        plain(tmp_path, "other")
    assert document(tmp_path, "other") == {}


@pytest.mark.parametrize("text", ["config: [\n", "config: [1]\n", "config:\n  archi:gpus: all\n"])
def test_a_file_that_can_not_be_used_is_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    with pytest.raises(SettingsError):
        plain(tmp_path, "bot")
