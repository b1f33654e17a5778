"""Domain types: files and folders that a stack file names."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Annotated

from archi import project
from archi.settings import certificate
from archi.settings.checks import text


def parse_folder(value: str) -> str:
    """An absolute folder of the Docker host."""
    path = PurePosixPath(value)
    if not path.is_absolute() or ".." in path.parts or re.search(r"[:\x00-\x1f]", value):
        raise ValueError("an absolute path on the Docker host is wanted, such as /data/models/qwen")
    return str(path)


AbsoluteFolder = Annotated[str, text(parse_folder)]


def parse_chat_template(value: str) -> str:
    """A Jinja file, made absolute; relative ones begin at the project's folder."""
    path = Path(value)
    if path.suffix != ".jinja" or not re.fullmatch(r"[\w.-]+", path.name, re.ASCII):
        raise ValueError("a chat template is a file whose name ends in .jinja")
    found = path if path.is_absolute() else project.find_root(Path.cwd()) / path
    try:
        readable = found.is_file() and bool(found.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        readable = False
    if not readable:
        raise ValueError("there is no such file, or no text in it; the path begins at the project")
    return str(found)


ChatTemplate = Annotated[str, text(parse_chat_template)]


def parse_agents_folder(value: str) -> str:
    """A folder of agents, made absolute; relative ones begin at the project's folder."""
    path = _in_project(value)
    try:
        there = path.is_dir()
    except OSError:  # too long a name, or a folder that may not be read
        there = False
    if not there:
        raise ValueError("there is no such folder; the path begins at the project")
    return str(path)


AgentsFolder = Annotated[str, text(parse_agents_folder)]


def parse_certificate_file(value: str) -> str:
    """A PEM file, made absolute; relative ones begin at the project's folder."""
    path = _in_project(value)
    try:
        content = path.read_text(encoding="ascii") if path.is_file() else ""
    except (OSError, ValueError):
        content = ""
    if "PRIVATE KEY-----" in content:
        raise ValueError("there is a private key in it; that belongs in the secret archi:tls_key")
    if not certificate.readable(content):
        raise ValueError(
            "there is no such file, or no certificate in PEM form in it; the path begins at the "
            "project"
        )
    return str(path)


CertificateFile = Annotated[str, text(parse_certificate_file)]


def _in_project(value: str) -> Path:
    if "\x00" in value:
        raise ValueError("a path has no NUL character in it")
    path = Path(value)
    return path if path.is_absolute() else project.find_root(Path.cwd()) / path
