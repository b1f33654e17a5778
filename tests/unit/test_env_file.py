from __future__ import annotations

from pathlib import Path

import pytest

from archi.env_file import parse, read
from archi.settings import SettingsError


def test_each_variable_goes_where_it_belongs() -> None:
    said = parse(
        "# what the hub wants\nHF_TOKEN=hf_1\nexport VLLM_API_KEY='a key'\n"
        'POSTGRES_PASSWORD="p#w d"\nSESSION_KEY=s\nVLLM_BASE_URL=http://gpu1:8000/v1\n'
        "SEARCH_TOKEN=t # for the search\n"
    )
    assert said.secrets == {
        "hf_token": "hf_1",
        "vllm_api_key": "a key",
        "postgres_password": "p#w d",
        "session_key": "s",
        "env_secrets": {"SEARCH_TOKEN": "t"},
    }
    assert said.base_url == "http://gpu1:8000/v1"


def test_what_is_empty_is_not_set() -> None:
    assert parse("HF_TOKEN=\n\nOTHER=''\n").secrets == {}


def test_a_value_is_taken_as_it_stands() -> None:
    assert parse("A=$HOME\nB=${X}y\n").secrets == {"env_secrets": {"A": "$HOME", "B": "${X}y"}}


def test_windows_line_ends_and_a_byte_order_mark_are_fine(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_bytes(b"\xef\xbb\xbfHF_TOKEN=a\r\nB=c\r\n")
    assert read(path).secrets == {"hf_token": "a", "env_secrets": {"B": "c"}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("A=1\n\nHF_TOKEN hf_secret\n", "line 3: it is no NAME=value."),
        ("\nHF_TOKEN\n", "line 2: HF_TOKEN has no '='. Write HF_TOKEN=value."),
        ("9A=hf_secret\n", "line 1: '9A' is no name of a variable. Use letters, digits and _."),
    ],
)
def test_a_line_that_is_no_assignment_is_named_and_its_value_is_not(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse(text)
    assert str(refused.value) == f"The .env file can't be used:\n  - {said}"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="does not exist"):
        read(tmp_path / ".env")
    with pytest.raises(SettingsError, match="is a folder"):
        read(tmp_path)
    (tmp_path / "binary").write_bytes(b"A=\xff\n")
    with pytest.raises(SettingsError, match="no UTF-8"):
        read(tmp_path / "binary")
