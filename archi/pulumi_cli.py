"""``.venv/bin/pulumi``: the real pulumi, with what our stacks need set.

It sets only what is not set: the backend under ``~/.archi``, the passphrase, the toolchain. It
makes a stack that has a file but is not yet in the backend, mends what a killed run left, and
turns Ctrl-C into the cancel file that our dynamic resources look at. All arguments go through.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from archi import cancellation, leftovers, passphrase, project

PROJECT = "archi"
_RUNS_THE_PROGRAM = ("up", "update", "preview", "pre", "destroy", "down", "dn", "refresh", "watch")
_LOOKS_AT_A_STACK = ("cancel", "config", "export", "history", "import", "state", "stack")
_WITHOUT_A_STACK = (["stack", "init"], ["stack", "ls"], ["stack", "rm"])


class Refused(Exception):
    """The command can't be run as it is; the text says why and what to do."""


@dataclass(frozen=True)
class Pulumi:
    """The real pulumi and the environment in which it runs for one stack."""

    binary: Path
    environment: dict[str, str]
    root: Path
    stack: str | None

    @property
    def backend(self) -> Path | None:
        """Folder of the backend, None where it is no folder."""
        url = self.environment["PULUMI_BACKEND_URL"]
        return Path(url.removeprefix("file://")).expanduser() if url.startswith("file://") else None

    def run(self, arguments: Sequence[str]) -> int:
        """Run it in the foreground, Ctrl-C handled; gives its exit code."""
        children: list[subprocess.Popen[bytes]] = []

        def forward() -> None:
            for child in children:
                child.send_signal(signal.SIGINT)

        with self.interruptible(forward) as told:
            environment = {**self.environment, **told}
            child = subprocess.Popen(
                [str(self.binary), *arguments], env=environment, cwd=self._folder()
            )
            children.append(child)
            return child.wait()

    @contextmanager
    def interruptible(self, forward: Callable[[], None]) -> Iterator[dict[str, str]]:
        """For the length of the block Ctrl-C reaches our dynamic resources and the real pulumi.

        Args:
            forward: sends the signal on to pulumi, where it does not have it from the terminal.

        Gives what the real pulumi's environment needs for it.
        """
        with tempfile.TemporaryDirectory(prefix="archi-") as folder:
            cancel = Path(folder) / "cancel"

            def interrupt(number: int, _frame: object) -> None:
                cancel.touch()
                # From a terminal the child has had it too; from elsewhere it has not.
                if number != signal.SIGINT or not sys.stdin.isatty():
                    forward()

            before = {
                number: signal.signal(number, interrupt)
                for number in (signal.SIGINT, signal.SIGTERM)
            }
            try:
                yield {
                    cancellation.VARIABLE: str(cancel),
                    cancellation.RUN_VARIABLE: str(os.getpid()),
                }
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

    def output(self, arguments: Sequence[str]) -> str:
        """Run it and give its standard output.

        Raises:
            Refused: it failed; with what it said.

        """
        done = subprocess.run(
            [str(self.binary), *arguments],
            env=self.environment,
            cwd=self._folder(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise Refused(done.stderr.strip() or done.stdout.strip())
        return done.stdout

    def _folder(self) -> Path:
        here = Path.cwd()
        return here if here.is_relative_to(self.root) else self.root


def prepare(stack: str | None, root: Path | None = None) -> Pulumi:
    """The real pulumi for a stack; None for the selected one.

    Raises:
        Refused: the toolchain is not there.

    """
    root = root or project.find_root(Path.cwd())
    binary = Path(sys.prefix) / "toolchain" / "pulumi"
    if not binary.exists():
        raise Refused(
            "Pulumi is not installed here yet. Run `make toolchain` (or `make up`) first."
        )
    home = project.home()
    environment = {
        "PULUMI_PYTHON_CMD": sys.executable,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        # The language host lists pip's packages at every run, and pip would look for a newer pip.
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        **os.environ,
        **places(),
    }
    environment["PATH"] = f"{binary.parent}{os.pathsep}{environment.get('PATH', '')}"
    if host := _docker_host(environment):
        environment["DOCKER_HOST"] = host  # the plugin knows DOCKER_HOST, and no docker context
    stack = stack or selected_stack(root)
    if not {"PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"} & environment.keys():
        if stack and _opens_empty(root, stack):
            environment["PULUMI_CONFIG_PASSPHRASE"] = ""
        else:
            environment["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(passphrase.own_passphrase_file(home))
    pulumi = Pulumi(binary, environment, root, stack)
    if pulumi.backend:
        pulumi.backend.mkdir(parents=True, exist_ok=True)
    return pulumi


def ensure_stack(pulumi: Pulumi) -> None:
    """Make the stack in the backend where it has a file and is not there yet.

    Raises:
        Refused: the stack has no file.

    """
    if pulumi.stack is None or in_backend(pulumi):
        return
    if not project.stack_file(pulumi.root, pulumi.stack).exists():
        raise Refused(no_such_stack(pulumi.root, pulumi.stack))
    pulumi.output(["stack", "init", pulumi.stack, "--no-select"])


def ready(pulumi: Pulumi) -> None:
    """What must hold before the program runs: the stack is there, and nothing is left half-made.

    Raises:
        Refused: the stack has no file, or a secret that anyone could open.

    """
    ensure_stack(pulumi)
    if pulumi.stack is not None:
        _refuse_open_secrets(pulumi)
        leftovers.mend(pulumi)


def selected_stack(root: Path) -> str | None:
    """The stack that ``pulumi stack select`` remembers for this checkout; None for none."""
    where = places()
    # Pulumi names the file by project and the SHA-1 of the project file's path, and keeps one
    # stack for each backend in it: sdk/go/common/workspace/workspace.go, v3.259.0.
    path = hashlib.sha1(str(root / "Pulumi.yaml").encode(), usedforsecurity=False).hexdigest()
    workspaces = Path(where["PULUMI_HOME"]) / "workspaces"
    try:
        content = json.loads((workspaces / f"{PROJECT}-{path}-workspace.json").read_text())
    except (OSError, ValueError):
        return None
    stack = content.get("stacks", {}).get(where["PULUMI_BACKEND_URL"])
    return stack.rsplit("/", 1)[-1] if stack else None


def places() -> dict[str, str]:
    """Where Pulumi keeps what is its own: below ``~/.archi`` unless the environment says else."""
    home = project.home()
    return {
        "PULUMI_HOME": os.environ.get("PULUMI_HOME") or str(home / "pulumi"),
        "PULUMI_BACKEND_URL": os.environ.get("PULUMI_BACKEND_URL") or f"file://{home / 'state'}",
    }


def _docker_host(environment: Mapping[str, str]) -> str | None:
    """Where the chosen docker context has its Engine; None where none is chosen."""
    folder = Path(environment.get("DOCKER_CONFIG") or Path.home() / ".docker")
    chosen = "DOCKER_CONTEXT" in environment or (folder / "contexts").is_dir()
    if "DOCKER_HOST" in environment or not chosen:
        return None
    from archi.docker_engine import endpoint  # the SDK takes its time to load

    return endpoint(environment, folder)


def no_such_stack(root: Path, stack: str) -> str:
    """What to say of a stack without a file."""
    known = ", ".join(project.stacks(root))
    return (
        f"There is no stack {stack!r}: stacks/Pulumi.{stack}.yaml does not exist.\n"
        f"Stacks here: {known}. To make one of your own, copy the nearest, without its salt: so it "
        "gets your passphrase.\n"
        f"  grep -v ^encryptionsalt stacks/Pulumi.local.yaml > stacks/Pulumi.{stack}.yaml"
    )


def main() -> int:
    """Entry point of the wrapper."""
    arguments = sys.argv[1:]
    try:
        pulumi = prepare(_named(arguments))
        command = [word for word in arguments if not word.startswith("-")]
        if command[:1] and command[0] in _RUNS_THE_PROGRAM:
            ready(pulumi)
        elif command[:1] and command[0] in _LOOKS_AT_A_STACK and _has_file(pulumi, command):
            ensure_stack(pulumi)
        return pulumi.run(arguments)
    except Refused as refusal:
        print(refusal, file=sys.stderr)
        return 2


def _named(arguments: Sequence[str]) -> str | None:
    """The stack that the arguments name."""
    for position, argument in enumerate(arguments):
        if argument in ("-s", "--stack") and position + 1 < len(arguments):
            return arguments[position + 1]
        if argument.startswith("--stack="):
            return argument.removeprefix("--stack=")
    if list(arguments[:2]) in (["stack", "select"], ["stack", "rm"], ["stack", "init"]):
        return next((word for word in arguments[2:] if not word.startswith("-")), None)
    return None


def _has_file(pulumi: Pulumi, command: Sequence[str]) -> bool:
    if pulumi.stack is None or list(command[:2]) in _WITHOUT_A_STACK:
        return False
    return project.stack_file(pulumi.root, pulumi.stack).exists()


def in_backend(pulumi: Pulumi) -> bool:
    if pulumi.backend:
        states = pulumi.backend / ".pulumi" / "stacks" / PROJECT
        return any((states / f"{pulumi.stack}{end}").exists() for end in (".json", ".json.gz"))
    listed = json.loads(pulumi.output(["stack", "ls", "--json"]))
    return pulumi.stack in {entry["name"].rsplit("/", 1)[-1] for entry in listed}


def _opens_empty(root: Path, stack: str) -> bool:
    salt = _stack_file(root, stack).get("encryptionsalt")
    return isinstance(salt, str) and passphrase.opens("", salt)


def _stack_file(root: Path, stack: str) -> dict[str, object]:
    path = project.stack_file(root, stack)
    if not path.exists():
        return {}
    try:
        content = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise Refused(f"{path.relative_to(root)} is no YAML: {error}") from None
    return content if isinstance(content, dict) else {}


def _refuse_open_secrets(pulumi: Pulumi) -> None:
    if pulumi.environment.get("PULUMI_CONFIG_PASSPHRASE") != "":
        return
    config = _stack_file(pulumi.root, pulumi.stack or "").get("config")
    secret = [key for key, value in (config or {}).items() if "secure" in str(value)]  # type: ignore[attr-defined]
    if secret:
        raise Refused(
            f"{', '.join(secret)}: a secret under the empty passphrase is open to everyone. Give "
            f"the stack {pulumi.stack} a passphrase of its own first:\n"
            f"  PULUMI_CONFIG_PASSPHRASE= pulumi stack change-secrets-provider passphrase "
            f"-s {pulumi.stack}"
        )


if __name__ == "__main__":
    sys.exit(main())
