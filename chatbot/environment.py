"""Reading variables of the environment: every refusal names variable, value and mend."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping


class SettingsError(Exception):
    """The environment says something that cannot work.

    Args:
        variable: the environment variable or file that is wrong.
        value: what it says now; None when it is missing. Never a secret.
        mend: what to write instead.
    """

    def __init__(self, variable: str, value: str | None, problem: str, mend: str) -> None:
        self.variable = variable
        said = f"{variable} is not set" if value is None else f"{variable}={value!r}"
        super().__init__(f"{said}: {problem} Mend: {mend}")


def is_loopback(host: str) -> bool:
    """Whether a name or an address is this machine's alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def choice(env: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """Read one of a few words; the first is the default."""
    value = env.get(name, choices[0])
    if value not in choices:
        words = ", ".join(choices)
        raise SettingsError(
            name,
            value,
            f"it must be one of {words}.",
            f"leave it out ({choices[0]}) or choose one.",
        )
    return value


def number(env: Mapping[str, str], name: str, default: str, low: float, high: float) -> float:
    """Read a number of a range."""
    value = env.get(name, default)
    try:
        found = float(value)
    except ValueError:
        found = float("nan")
    if not low <= found <= high:
        raise SettingsError(
            name,
            value,
            f"it must be a number from {low:g} to {high:g}.",
            f"leave it out ({default}) or write a number in that range.",
        )
    return found


def words(env: Mapping[str, str], name: str, separator: str | None) -> tuple[str, ...]:
    """Read a list; none where the variable is not set."""
    parts = (part.strip() for part in env.get(name, "").split(separator))
    return tuple(part for part in parts if part)
