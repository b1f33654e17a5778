import stat
from pathlib import Path

import pytest
import yaml

from archi.passphrase import SHIPPED_SALT, new_salt, opens, own_passphrase_file
from archi.project import ROOT


def test_a_salt_opens_with_its_passphrase_alone() -> None:
    salt = new_salt("a passphrase")
    assert opens("a passphrase", salt)
    assert not opens("another", salt)


def test_shipped_stacks_open_with_the_empty_passphrase() -> None:
    for stack in ("local", "offline"):
        content = yaml.safe_load((ROOT / f"stacks/Pulumi.{stack}.yaml").read_text())
        assert content["encryptionsalt"] == SHIPPED_SALT
        assert opens("", content["encryptionsalt"])
    assert not opens("x", SHIPPED_SALT)


@pytest.mark.parametrize("salt", ["", "v1:x", "v2:YQ==:v1:YQ==:YQ==", "nonsense"])
def test_what_is_no_salt_opens_with_nothing(salt: str) -> None:
    assert not opens("", salt)


def test_the_own_passphrase_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = own_passphrase_file(tmp_path / "home")
    first = path.read_text()
    assert len(first) > 30
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert own_passphrase_file(tmp_path / "home").read_text() == first
