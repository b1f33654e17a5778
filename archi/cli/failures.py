"""How a command ends when something fails: a text for people and an exit code, in one table."""

from __future__ import annotations

import errno
import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from archi.cli.exit_codes import ExitCode
from archi.cli.output import fail

# By name: the modules that define them are loaded by the commands that need them alone.
_OURS: Mapping[str, ExitCode] = {
    "BrokenOff": ExitCode.INTERRUPTED,
    "BuildError": ExitCode.FAILED,
    "Cancelled": ExitCode.INTERRUPTED,
    "ChatProgramError": ExitCode.FAILED,
    "DeletionError": ExitCode.FAILED,
    "EngineUnavailable": ExitCode.NO_ENGINE,
    "ImageError": ExitCode.FAILED,
    "NotReady": ExitCode.FAILED,
    "PreflightError": ExitCode.FAILED,
    "Refused": ExitCode.REFUSED,
    "SettingsError": ExitCode.REFUSED,
    "SmokeError": ExitCode.FAILED,
    "StackFileError": ExitCode.REFUSED,
    "UnknownDeployment": ExitCode.NOT_FOUND,
    "UnknownService": ExitCode.NOT_FOUND,
    "UpdateFailed": ExitCode.FAILED,
    "WeightsError": ExitCode.FAILED,
}


@contextmanager
def explained() -> Iterator[None]:
    """Turn what can go wrong into its text and exit code; a fault of ours stays a traceback."""
    try:
        yield
    except KeyboardInterrupt:
        fail(_broken_off(), ExitCode.INTERRUPTED)
    except Exception as failure:
        told = _told(failure)
        if told is None:
            raise
        fail(*told)


def explaining(command: Callable[..., Any]) -> Callable[..., Any]:
    """A command whose failures are explained."""

    @functools.wraps(command)
    def run(*arguments: Any, **options: Any) -> Any:  # noqa: ANN401 - any command's
        with explained():
            return command(*arguments, **options)

    return run


def _told(failure: Exception) -> tuple[str, ExitCode] | None:
    """What to say; None for what nobody has thought of."""
    kinds = {(one.__module__.split(".")[0], one.__name__) for one in type(failure).__mro__}
    for module, name in kinds:
        if module == "archi" and name in _OURS:
            # The smoke test's failures say themselves of which kind they are.
            code = getattr(failure, "code", None) or _OURS[name]
            return str(failure) or _broken_off(), code
    if ("docker", "APIError") in kinds:
        return f"Docker refused: {getattr(failure, 'explanation', failure)}", ExitCode.FAILED
    if ("docker", "DockerException") in kinds or ("requests", "RequestException") in kinds:
        return f"The Docker Engine no longer answers: {failure}", ExitCode.NO_ENGINE
    if isinstance(failure, OSError) and failure.errno is not None:
        place = f" ({failure.filename})" if failure.filename else ""
        mend = " Mend: free some space, then the same again." * (failure.errno == errno.ENOSPC)
        return f"{failure.strerror}{place}.{mend}", ExitCode.FAILED
    return None


def _broken_off() -> str:
    from archi.cancellation import Cancelled

    return str(Cancelled())
