"""The front end's libraries: fetched from npm, pinned and checked by ``vendor.json``.

``python -m chatbot.vendor check`` compares the files in ``static/vendor`` with their hashes;
``python -m chatbot.vendor fetch`` gets them anew with ``npm pack``. To change a version, edit
``vendor.json`` (version, and ``sha256`` to ""), fetch, and copy the hashes that it prints.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent / "static" / "vendor"


class VendorError(Exception):
    """A vendored file is missing or is not what ``vendor.json`` says."""


@dataclass(frozen=True)
class VendoredFile:
    """A file out of an npm package: ``source`` inside the package, ``file`` in our folder."""

    name: str
    version: str
    source: str
    file: str
    sha256: str

    def check(self, content: bytes) -> None:
        """Compare content with the pinned hash.

        Raises:
            VendorError: it differs.
        """
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise VendorError(
                f"{self.file} ({self.name} {self.version}, {self.source}) has sha256 {found}, "
                f"vendor.json says {self.sha256 or 'nothing'}"
            )


def pinned() -> list[VendoredFile]:
    """Return the files that ``vendor.json`` lists."""
    listed = json.loads((_FOLDER / "vendor.json").read_text(encoding="utf-8"))
    return [VendoredFile(**entry) for entry in listed["files"]]


def check() -> None:
    """Check every vendored file.

    Raises:
        VendorError: one is missing or differs.
    """
    for entry in pinned():
        path = _FOLDER / entry.file
        if not path.is_file():
            raise VendorError(f"{entry.file} is missing: run `python -m chatbot.vendor fetch`")
        entry.check(path.read_bytes())


def fetch() -> None:
    """Download the pinned packages and write their files.

    Raises:
        VendorError: a file differs from its hash. It is not written.
    """
    wrong: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for spec in sorted({f"{entry.name}@{entry.version}" for entry in pinned()}):
            packed = subprocess.run(
                ["npm", "pack", "--silent", spec],
                cwd=folder,
                check=True,
                capture_output=True,
                text=True,
            )
            archive = Path(folder) / packed.stdout.split()[-1]
            with tarfile.open(archive) as tar:
                for entry in pinned():
                    if f"{entry.name}@{entry.version}" != spec:
                        continue
                    member = tar.extractfile(f"package/{entry.source}")
                    content = member.read() if member is not None else b""
                    try:
                        entry.check(content)
                    except VendorError as error:
                        wrong.append(str(error))
                    else:
                        path = _FOLDER / entry.file
                        path.parent.mkdir(exist_ok=True)
                        path.write_bytes(content)
    if wrong:
        raise VendorError("\n".join(wrong))


def main(arguments: list[str]) -> int:
    """Run the command line and return the exit code."""
    commands = {"check": check, "fetch": fetch}
    if len(arguments) != 1 or arguments[0] not in commands:
        print("usage: python -m chatbot.vendor check|fetch", file=sys.stderr)
        return 2
    try:
        commands[arguments[0]]()
    except VendorError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
