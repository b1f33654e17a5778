"""Put a deployment's files in its volume: the whole of what one-shot container `files` does.

    write_files.py STAGING TARGET

STAGING holds `manifest.json` ({"files": {path: uid or null}, "generate": {path: uid}}) and the
files under `files/`. Each is renamed into TARGET, so a reader sees the old or the new one, never
a half. What the manifest does not name is removed; a generated secret is made once and kept.
Standard library only.
"""

import json
import os
import pathlib
import secrets
import shutil
import sys


def place(path: pathlib.Path, content: bytes, uid: "int | None") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    os.chmod(fresh, 0o444 if uid is None else 0o400)
    if uid:
        os.chown(fresh, uid, uid)
    os.replace(fresh, path)


def main(staging: pathlib.Path, target: pathlib.Path) -> None:
    manifest = json.loads((staging / "manifest.json").read_text())
    for name, uid in manifest["files"].items():
        place(target / name, (staging / "files" / name).read_bytes(), uid)
    for name, uid in manifest["generate"].items():
        if not (target / name).exists():
            place(target / name, secrets.token_urlsafe(48).encode(), uid)
            print(f"made {name}")
    kept = {target / name for group in ("files", "generate") for name in manifest[group]}
    for path in sorted(target.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path not in kept:
            path.unlink()
            print(f"removed {path.relative_to(target)}")
    shutil.rmtree(staging)  # what was secret is now in the volume alone


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
