"""Put a deployment's files in its volume: the whole of what one-shot container `files` does.

    write_files.py STAGING TARGET

STAGING holds the files under `files/`, and `manifest.json`: an object of paths for each of
  files      put there, readable by their owner, or by everyone where the owner is null
  generate   secrets that are made once and kept
  fill       files of a "text" with the content of the secret "secret" for the words @secret@
An owner is [uid, gid]; the group reads too. Each file is renamed into TARGET, so a reader sees the
old or the new one, never a half. What the manifest does not name is removed. Standard library only.
"""

import json
import os
import pathlib
import secrets
import shutil
import sys

FILL = "@secret@"


def place(path: pathlib.Path, content: bytes, owner: "list[int] | None") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(content)
    os.chmod(fresh, 0o444 if owner is None else 0o440)
    if owner is not None:
        os.chown(fresh, *owner)
    os.replace(fresh, path)


def owned(path: pathlib.Path, owner: "list[int]") -> bool:
    """Whether the secret is there and for those who are to read it."""
    if not path.exists():
        return False
    stat = path.stat()
    return [stat.st_uid, stat.st_gid] == owner and stat.st_mode & 0o777 == 0o440


def main(staging: pathlib.Path, target: pathlib.Path) -> None:
    manifest = json.loads((staging / "manifest.json").read_text())
    for name, owner in manifest["files"].items():
        place(target / name, (staging / "files" / name).read_bytes(), owner)
    for name, owner in manifest["generate"].items():
        if not (target / name).exists():
            place(target / name, secrets.token_urlsafe(48).encode(), owner)
            print(f"made {name}")
        elif not owned(target / name, owner):
            place(target / name, (target / name).read_bytes(), owner)
    for name, filled in manifest["fill"].items():
        secret = (target / filled["secret"]).read_text()
        content = filled["text"].replace(FILL, json.dumps(secret))
        place(target / name, content.encode(), filled["owner"])
    kept = {target / name for group in ("files", "generate", "fill") for name in manifest[group]}
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
