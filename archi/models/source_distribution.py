"""A source distribution of vLLM, read without being unpacked or built."""

from __future__ import annotations

import hashlib
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

QUANTIZATION = "vllm/model_executor/layers/quantization/"


class SourceDistribution:
    """The text files of a ``vllm-<version>.tar.gz``."""

    def __init__(self, path: Path) -> None:
        self.file = path.name
        self.version = path.name.removeprefix("vllm-").removesuffix(".tar.gz")
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        self._texts: dict[str, str] = {}
        wanted = re.compile(
            r"recipes/models/.*\.yaml|examples/tool_chat_template_.*\.jinja|LICENSE"
            r"|vllm/(tool_parsers|reasoning)/__init__\.py|vllm/config/cache\.py"
            rf"|{QUANTIZATION}.*\.py"
        )
        with tarfile.open(path) as archive:
            for member in archive:
                name = member.name.partition("/")[2]
                if member.isfile() and wanted.fullmatch(name):
                    content = archive.extractfile(member)
                    self._texts[name] = content.read().decode() if content else ""

    def text(self, name: str) -> str:
        """A file's text; KeyError where there is no such file."""
        return self._texts[name]

    def below(self, start: str) -> Iterator[tuple[str, str]]:
        """Path and text of the files whose path begins so, sorted."""
        yield from (
            (name, self._texts[name]) for name in sorted(self._texts) if name.startswith(start)
        )

    def templates(self) -> dict[str, str]:
        """The chat templates for tool calls by their file's name."""
        return {name.rsplit("/", 1)[-1]: text for name, text in self.below("examples/")}
