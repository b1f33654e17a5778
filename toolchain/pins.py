"""What is installed: versions, files, and the machines that it is for."""

import platform
import sys

PULUMI_VERSION = "3.259.0"
DOCKER_VERSION = "5.2.0"

ENGINE_FILES = (
    "pulumi",
    "pulumi-language-python",
    "pulumi-language-python-exec",
    "pulumi-resource-pulumi-python",
)
PLUGIN_FILE = "pulumi-resource-docker"
PLUGIN_FOLDER = f"resource-docker-v{DOCKER_VERSION}"


class ToolchainError(Exception):
    """Nothing was installed; the text says why and what to do."""


def target() -> tuple[str, str]:
    """The machine as (system, architecture), in Pulumi's names for its downloads."""
    architectures = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
    machine = platform.machine().lower()
    if machine not in architectures or sys.platform not in ("linux", "darwin"):
        raise ToolchainError(
            f"there is no toolchain for {sys.platform} on {machine}; "
            "use Linux or macOS on x86-64 or arm64."
        )
    return sys.platform, architectures[machine]
