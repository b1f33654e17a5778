from __future__ import annotations

from pathlib import Path

import pytest

from chatbot.environment import SettingsError
from chatbot.settings import Settings
from tests.chat_application import environment, write_files


@pytest.fixture
def good(tmp_path: Path) -> dict[str, str]:
    write_files(tmp_path / "files")
    return environment(tmp_path, "http://vllm-server:8000/v1")


def test_a_good_environment_is_accepted(good: dict[str, str], tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'chat.db'}"
    settings = Settings.from_environment(
        {**good, "ARCHI_LISTEN": "0.0.0.0:7861", "DATABASE_URL": database}
    )
    assert settings.vllm_base_url == "http://vllm-server:8000/v1"
    assert (settings.listen_host, settings.listen_port) == ("0.0.0.0", 7861)
    assert settings.database.get_backend_name() == "sqlite"


def test_postgres_is_taken_by_psycopg_3(good: dict[str, str]) -> None:
    settings = Settings.from_environment({**good, "DATABASE_URL": "postgresql://archi@db/archi"})
    assert settings.database.drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    ("variable", "value", "mend"),
    [
        ("VLLM_BASE_URL", None, "http://vllm-server:8000/v1"),
        ("VLLM_BASE_URL", "vllm-server:8000", "http://vllm-server:8000/v1"),
        ("VLLM_BASE_URL", "http://vllm-server:8000", "does not end in /v1"),
        ("VLLM_BASE_URL", "http://me:key@vllm-server:8000/v1", "secrets/vllm_api_key"),
        ("DATABASE_URL", None, "sqlite:////data/chat.db"),
        ("DATABASE_URL", "chat.db", "sqlite:////data/chat.db"),
        ("DATABASE_URL", "mysql://db/archi", "mysql is not supported"),
        ("DATABASE_URL", "sqlite://", "names no file"),
        ("DATABASE_URL", "sqlite:////nowhere/chat.db", "mount a volume at /nowhere"),
        ("DATABASE_URL", "postgresql://archi:tiger@db/archi", "secrets/postgres_password"),
        ("ARCHI_FILES", "/nowhere", "mount the deployment's files"),
        ("ARCHI_LISTEN", "7861", "0.0.0.0:7861"),
        ("ARCHI_LISTEN", "0.0.0.0:99999", "0.0.0.0:7861"),
        ("ARCHI_PUBLISHED_BIND", "0.0.0.0", "127.0.0.1"),
        ("ARCHI_PUBLISHED_BIND", "192.168.1.7", "ssh -L"),
        ("ARCHI_PUBLISHED_BIND", "::", "127.0.0.1"),
        ("ARCHI_MAX_STREAMS", "0", "from 1 to 512"),
        ("ARCHI_MAX_STREAMS", "many", "from 1 to 512"),
    ],
)
def test_a_refusal_names_variable_value_and_mend(
    good: dict[str, str], variable: str, value: str | None, mend: str
) -> None:
    changed = {name: text for name, text in good.items() if name != variable}
    if value is not None:
        changed[variable] = value
    with pytest.raises(SettingsError) as refusal:
        Settings.from_environment(changed)
    text = str(refusal.value)
    assert variable in text
    assert mend in text
    assert "tiger" not in text
    assert "me:key" not in text


def test_without_a_published_address_only_loopback_may_be_listened_on(good: dict[str, str]) -> None:
    del good["ARCHI_PUBLISHED_BIND"]
    Settings.from_environment({**good, "ARCHI_LISTEN": "127.0.0.1:7861"})
    with pytest.raises(SettingsError, match="ARCHI_PUBLISHED_BIND is not set"):
        Settings.from_environment({**good, "ARCHI_LISTEN": "0.0.0.0:7861"})


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost", "127.0.0.53"])
def test_loopback_addresses_are_accepted(good: dict[str, str], address: str) -> None:
    Settings.from_environment({**good, "ARCHI_PUBLISHED_BIND": address})
