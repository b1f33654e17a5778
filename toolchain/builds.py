"""The Go way: what builds from Go modules alone."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from toolchain.pins import PLUGIN_FILE, PULUMI_VERSION, ToolchainError
from toolchain.progress import Step, run

HERE = Path(__file__).resolve().parent
SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
BUILD_FLAGS = {
    # The version is stamped in because Pulumi's Automation API refuses a CLI that doesn't know it.
    "cli": (
        "-tags=osusergo,grpcnotrace",
        f"-ldflags=-s -w -X {SDK_MODULE}/go/common/version.Version=v{PULUMI_VERSION}",
    ),
    "language-python": ("-ldflags=-s -w",),
    # no_compose leaves docker_compose out: it alone pulls in half of Docker Compose.
    "docker": ("-tags=no_compose,osusergo,grpcnotrace", "-ldflags=-s -w"),
}
GO_ENVIRONMENT = {
    "CGO_ENABLED": "0",
    "GO111MODULE": "on",
    "GOFLAGS": "-mod=readonly -trimpath -buildvcs=false",
    "GOWORK": "off",
}
# The compiler's collector costs a sixth of a build's time (0.84 of it without, seen with Go 1.26 on
# two cores) and saves memory that a machine for models has. It decides nothing about the result.
GO_MEMORY = {"GOGC": "off", "GOMEMLIMIT": "1GiB"}


def build_engine(folder: Path) -> None:
    """Build the CLI and the language host; the helpers are scripts that lie in Pulumi's SDK."""
    go = find_go()
    for module, what in (("cli", "Pulumi's CLI"), ("language-python", "the Python language host")):
        with Step(f"Building {what}") as step:
            build(go, module, ["install", "-v", *BUILD_FLAGS[module], "tool"], step, GOBIN=folder)
    with Step("Copying the language host's helpers"):
        query = [go, "list", "-m", "-f", "{{.Dir}}", SDK_MODULE]
        sdk = Path(
            subprocess.run(
                query,
                cwd=HERE / "cli",
                env=go_environment(),
                check=True,
                capture_output=True,
                text=True,
            ).stdout.strip()
        )
        for helper in ("cmd/pulumi-language-python-exec", "dist/pulumi-resource-pulumi-python"):
            shutil.copyfile(sdk / "python" / helper, folder / Path(helper).name)


def build_plugin(folder: Path) -> None:
    """Build the bridge in `docker/`."""
    go = find_go()
    output = folder / PLUGIN_FILE
    with Step("Building the Docker plugin") as step:
        build(go, "docker", ["build", "-v", *BUILD_FLAGS["docker"], "-o", str(output), "."], step)


def build(go: str, module: str, command: list[str], step: Step, **variables: Path) -> None:
    """Run one Go build; `step` shows how many packages it has compiled so far."""
    built = 0

    def count(line: str) -> None:
        nonlocal built
        built += re.fullmatch(r"[\w./\-]+", line) is not None
        step.detail = f"{built} packages compiled"

    environment = go_environment() | {name: str(value) for name, value in variables.items()}
    run([go, *command], step, cwd=HERE / module, environment=environment, on_line=count)


def go_environment() -> dict[str, str]:
    """The caller's environment without what would build something else than we ask for."""
    theirs = {"GOOS", "GOARCH", "GOBIN", "GOEXPERIMENT", "GOTMPDIR"}
    return {k: v for k, v in os.environ.items() if k not in theirs} | GO_ENVIRONMENT | GO_MEMORY


def find_go() -> str:
    """The Go command, or the reason why it does not do."""
    wanted = re.search(r"^go (\S+)", (HERE / "cli" / "go.mod").read_text(), re.MULTILINE)
    version = wanted[1] if wanted else ""
    mend = (
        f"Install Go {version} or newer (the archive from go.dev/dl, unpacked at /usr/local/go, "
        "will do), or let this machine reach Pulumi's downloads (HTTPS_PROXY, SSL_CERT_FILE)."
    )
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise ToolchainError(f"Pulumi has to be built here and there is no Go. {mend}")
    found, policy = subprocess.run(
        [go, "env", "GOVERSION", "GOTOOLCHAIN"],
        cwd=HERE,
        env=go_environment(),
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    # From 1.21 on Go fetches a newer self through its module proxy, unless told to stay local.
    fetches_itself = numbers(found) >= (1, 21) and policy.endswith("auto")
    if numbers(found) < numbers(version) and not fetches_itself:
        raise ToolchainError(f"Pulumi has to be built here and {go} is too old ({found}). {mend}")
    return go


def numbers(version: str) -> tuple[int, ...]:
    """The numbers in a version: `go1.26.8` is (1, 26, 8)."""
    return tuple(map(int, re.findall(r"\d+", version)[:3]))
