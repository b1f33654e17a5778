"""The checkout: Pulumi, the stack file, its passphrase, and what killed runs left."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from archi import leftovers, passphrase, project, pulumi_cli
from archi.doctor.finding import Finding
from archi.doctor.subject import SERVICES, Subject, label, name_of
from archi.settings import SECRET_KEYS, Settings, SettingsError
from archi.stack_settings import plain


def toolchain(prefix: Path | None = None) -> Finding:
    """Whether Pulumi is there, beside this Python."""
    binary = (prefix or Path(sys.prefix)) / "toolchain" / "pulumi"
    if os.access(binary, os.X_OK):
        return Finding("toolchain", "ok", "Pulumi is installed.")
    return Finding("toolchain", "problem", "Pulumi is not installed here yet.", "`make toolchain`")


def stack_file(root: Path, stack: str) -> tuple[Settings | None, list[Finding]]:
    """The settings of a stack file, and what is the matter with it."""
    if not project.stack_file(root, stack).exists():
        return None, [
            Finding(
                "stack-file",
                "warning",
                f"stacks/Pulumi.{stack}.yaml is not in this checkout; containers of that name are.",
                "run it in the checkout that has it, or write the file anew.",
            )
        ]
    try:
        settings = plain(root, stack)
    except (SettingsError, pulumi_cli.Refused) as error:
        problems = error.problems if isinstance(error, SettingsError) else (str(error),)
        mend = f"correct stacks/Pulumi.{stack}.yaml."
        return None, [Finding("stack-file", "problem", problem, mend) for problem in problems]
    warnings = [Finding("stack-file", "note", warning) for warning in settings.warnings]
    said = f"stacks/Pulumi.{stack}.yaml can be read; it serves {settings.model}."
    return settings, [Finding("stack-file", "ok", said), *warnings]


def sealed_keys(content: Mapping[str, Any]) -> list[str]:
    """The keys of a stack file whose values are encrypted."""
    config = content.get("config") or {}
    return [
        key
        for key, value in config.items()
        if "'secure'" in str(value) and key.removeprefix("archi:") in SECRET_KEYS
    ]


def opens_stack(
    content: Mapping[str, Any], stack: str, environment: Mapping[str, str], own: Path
) -> Finding:
    """Whether the passphrase that `pulumi` would take opens the stack file.

    Args:
        content: the stack file.
        stack: its name.
        environment: PULUMI_CONFIG_PASSPHRASE and …_FILE are read, and win.
        own: the file with this person's own passphrase.

    """
    salt = content.get("encryptionsalt")
    sealed = sealed_keys(content)
    if not isinstance(salt, str):
        other = content.get("secretsprovider")
        if other and other != "passphrase":
            said = f"Secrets are kept by {str(other).partition('://')[0]}, not by a passphrase."
            return Finding("passphrase", "skipped", said)
        return Finding("passphrase", "ok", "The stack file has no secrets yet.")
    where, found = _passphrase(environment, own)
    # Deriving a key takes half a second: the empty passphrase is tried where no other opens it.
    opened = bool(found) and salt != passphrase.SHIPPED_SALT and passphrase.opens(str(found), salt)
    if not opened and passphrase.opens("", salt):
        if not sealed:
            return Finding("passphrase", "ok", "The stack file has no secrets, and none to hide.")
        return Finding(
            "passphrase",
            "problem",
            f"{', '.join(sealed)}: a secret under the empty passphrase is open to everyone.",
            f"`PULUMI_CONFIG_PASSPHRASE= pulumi stack change-secrets-provider passphrase -s {stack}"
            "`",
        )
    if found is None:
        return Finding(
            "passphrase",
            "problem",
            f"The stack file has a passphrase, and {where} is not there.",
            "write the passphrase into that file (mode 0600); if it is lost, take encryptionsalt "
            "and the encrypted keys out of the stack file and set the secrets again.",
        )
    if not opened:
        return Finding(
            "passphrase",
            "problem",
            f"The passphrase of {where} does not open the stack file.",
            "PULUMI_CONFIG_PASSPHRASE_FILE names the file that has the right one.",
        )
    if where == str(own) and own.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        said = f"The passphrase in {where} can be read by others on this machine."
        return Finding("passphrase", "warning", said, f"`chmod 600 {where}`")
    shown = where.replace(str(Path.home()), "~", 1)
    return Finding("passphrase", "ok", f"The passphrase of {shown} opens the stack file.")


def _passphrase(environment: Mapping[str, str], own: Path) -> tuple[str, str | None]:
    """Where the passphrase is taken from, and it; None where that can't be read."""
    if "PULUMI_CONFIG_PASSPHRASE" in environment:
        return "PULUMI_CONFIG_PASSPHRASE", environment["PULUMI_CONFIG_PASSPHRASE"]
    path = Path(environment.get("PULUMI_CONFIG_PASSPHRASE_FILE") or own)
    try:
        return str(path), path.read_text().strip()
    except OSError:
        return str(path), None


def backend() -> Path | None:
    """The folder of Pulumi's state; None where it is no folder of this machine."""
    url = pulumi_cli.places()["PULUMI_BACKEND_URL"]
    return Path(url.removeprefix("file://")).expanduser() if url.startswith("file://") else None


def locks(folder: Path, stack: str) -> Iterator[Finding]:
    """Locks in the backend: of runs at work, and of killed ones."""
    for lock in leftovers.locks(folder / ".pulumi" / "locks", stack):
        if not lock.here:
            said = f"A run on {lock.host} (process {lock.pid}) holds the lock on {stack}."
            mend = f"if it is gone: `pulumi cancel -s {stack}`"
            yield Finding("leftovers", "note", said, mend)
        elif not lock.dead:
            yield Finding("leftovers", "note", f"A run is at work on {stack} (process {lock.pid}).")
        else:
            yield Finding(
                "leftovers",
                "warning",
                f"A run was killed (process {lock.pid}); its lock on {stack} is left.",
                f"the next `pulumi up -s {stack}` removes it.",
            )


def unknown_containers(
    containers: tuple[Mapping[str, Any], ...], state: str, stack: str
) -> Iterator[Finding]:
    """Containers with the deployment's label that its state does not hold."""
    for container in containers:
        if container["Id"] in state:
            continue
        role, name = label(container, "archi.role"), name_of(container)
        if role in SERVICES:
            said = f"The state of {stack} does not know container {name}."
            if not state:
                said = f"Container {name} is of {stack}, and there is no state of {stack} here."
            mend = (
                "where it was deployed with another ARCHI_DIR or PULUMI_BACKEND_URL, set that; "
                f"else the next `pulumi up -s {stack}` removes what a killed run made, and "
                f"`docker rm -f {name}` what is older."
            )
            yield Finding("leftovers", "warning", said, mend)
        elif container["State"]["Running"]:
            said = f"Container {name} is at work ({role}): a run is in progress, or was killed."
            yield Finding("leftovers", "note", said)
        else:
            yield Finding(
                "leftovers",
                "warning",
                f"Container {name} of a killed run is left.",
                f"`docker rm {name}`",
            )


def left_behind(subject: Subject) -> Iterator[Finding]:
    """Everything that runs before may have left, of one deployment or of all that have a file."""
    folder = backend()
    if folder is None:
        yield Finding("leftovers", "skipped", "The state is not in a folder of this machine.")
        return
    found: list[Finding] = []
    for stack in [subject.name] if subject.name else project.stacks(subject.root):
        found += locks(folder, stack)
        state, pending = _state(folder, stack)
        if pending:
            said = f"A run was killed while it made {', '.join(pending)} of {stack}."
            mend = f"the next `pulumi up -s {stack}` makes it anew."
            found.append(Finding("leftovers", "warning", said, mend))
        own = [one for one in subject.containers if label(one, "archi.deployment") == stack]
        found += unknown_containers(tuple(own), state, stack)
    yield from found or [Finding("leftovers", "ok", "Earlier runs left nothing.")]


def _state(folder: Path, stack: str) -> tuple[str, list[str]]:
    """A stack's state as text, and what it was about to make when it was last written."""
    import gzip
    import json

    states = folder / ".pulumi" / "stacks" / pulumi_cli.PROJECT
    for path, read in (
        (states / f"{stack}.json", Path.read_bytes),
        (states / f"{stack}.json.gz", lambda path: gzip.decompress(path.read_bytes())),
    ):
        try:
            text = read(path).decode()
            return text, leftovers.pending(json.loads(text))
        except (OSError, ValueError):
            continue
    return "", []
