"""What can go wrong when a command looks a deployment up, and how the command then ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from archi.cli.exit_codes import ExitCode
from archi.cli.output import fail


@contextmanager
def explained() -> Iterator[None]:
    """Turn our own errors into a text for people and an exit code."""
    from docker.errors import APIError, DockerException
    from requests import RequestException

    from archi.cancellation import Cancelled
    from archi.deployments.known import UnknownDeployment
    from archi.deployments.restart import UnknownService
    from archi.docker_engine import EngineUnavailable
    from archi.pulumi_cli import Refused

    try:
        yield
    except EngineUnavailable as error:
        fail(str(error), ExitCode.NO_ENGINE)
    except (UnknownDeployment, UnknownService) as error:
        fail(str(error), ExitCode.NOT_FOUND)
    except Refused as error:
        fail(str(error), ExitCode.REFUSED)
    except APIError as error:
        fail(f"Docker refused: {error.explanation}", ExitCode.FAILED)
    except (DockerException, RequestException) as error:
        fail(f"The Docker Engine no longer answers: {error}", ExitCode.NO_ENGINE)
    except (Cancelled, KeyboardInterrupt):
        fail(str(Cancelled()), ExitCode.INTERRUPTED)
