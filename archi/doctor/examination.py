"""One examination: meets whom it is about, begins all checks at once, tells each in its turn."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from archi import project
from archi.doctor import docker_checks, project_checks
from archi.doctor.checks import CHECK_SECONDS, Check, checks
from archi.doctor.finding import Finding
from archi.doctor.subject import LiveEngine, Subject
from archi.names import LABEL_DEPLOYMENT

if TYPE_CHECKING:
    from archi.docker_engine import Engine

_ENGINE_SECONDS = 30.0
"""An Engine behind SSH takes its time to be reached; nothing else begins before."""

T = TypeVar("T")


class NoSuchDeployment(Exception):
    """There is neither a stack file nor a container of that name; the text says what there is."""


def examine(
    name: str | None,
    *,
    root: Path | None = None,
    token: str | None = None,
    gpu_container: bool = False,
) -> Iterator[Finding]:
    """Look at the machine and, with a name, at one of its deployments; changes nothing.

    The findings come in the order of `CHECKS`, each as soon as it is known. All checks run at once,
    and none is waited for longer than `CHECK_SECONDS`.

    Args:
        name: the deployment's; None for the machine alone.
        root: the checkout; by default the one that the current folder is in.
        token: for gated models, sent to the model hub and nowhere else.
        gpu_container: start a container that looks at the GPUs, and remove it again.

    Raises:
        NoSuchDeployment: there is neither a stack file nor a container of that name.

    """
    root = root or project.find_root(Path.cwd())
    subject, first = _meet(name, root, token)
    subject = replace(subject, gpu_container=gpu_container)
    if name and not subject.containers and not project.stack_file(root, name).exists():
        known = ", ".join(project.stacks(root)) or "none"
        raise NoSuchDeployment(
            f"There is no deployment {name!r}: no stack file stacks/Pulumi.{name}.yaml, and no "
            f"container of it. Stacks here: {known}."
        )
    return _examine(subject, first)


def _examine(subject: Subject, first: list[Finding]) -> Iterator[Finding]:
    began = [(check, _begin(partial(_look, check, subject))) for check in checks(subject)]
    begun = time.monotonic()
    yield from first[:1]
    for check, future in began:
        if check.name == "passphrase":
            yield from first[1:]  # of the stack file: it heads the deployment's
        found = _result(future, check.seconds(subject), begun)
        yield from [_not_seen(check.name, found)] if isinstance(found, Exception) else found


def _look(check: Check, subject: Subject) -> list[Finding]:
    for condition in check.applies:
        if reason := condition(subject):
            return [Finding(check.name, "skipped", reason)]
    found = check.look(subject)
    return [found] if isinstance(found, Finding) else list(found)


def _not_seen(check: str, error: Exception) -> Finding:
    if isinstance(error, TimeoutError):
        return Finding(check, "warning", f"It could not be looked at: {error}.")
    text = " ".join(str(error).split())[:200]
    return Finding(check, "warning", f"It could not be looked at: {type(error).__name__}: {text}.")


def _meet(name: str | None, root: Path, token: str | None) -> tuple[Subject, list[Finding]]:
    """Who is examined, and what was found on the way: of the Engine, then of the stack file."""
    from archi import docker_engine

    config = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    host = docker_engine.endpoint(os.environ, config)
    settings, of_file = project_checks.stack_file(root, name) if name else (None, [])
    met = _result(_begin(partial(_engine_and_containers, name)), _ENGINE_SECONDS)
    engine: LiveEngine | None = None
    containers: tuple[dict[str, Any], ...] = ()
    if isinstance(met, Exception):
        said = f"The Docker Engine at {host} can't be asked: {met}."
        first = Finding("engine", "problem", said, "`docker info` tries the same; then restart it.")
    else:
        found, engine, containers = met
        first = (
            docker_checks.engine(engine.version, host)
            if engine
            else docker_checks.unanswered(found.explain())
        )
    subject = Subject(name, root, host, engine, settings, containers, token)
    return subject, [first, *of_file]


def _engine_and_containers(
    name: str | None,
) -> tuple[Engine, LiveEngine | None, tuple[dict[str, Any], ...]]:
    from archi import docker_engine

    found = docker_engine.inspect_engine()
    if not found.usable:
        return found, None, ()
    client = docker_engine.connect()
    client.api.timeout = int(CHECK_SECONDS) - 1
    before = time.time()
    info = client.info()
    engine = LiveEngine(client, client.version(), info, (before + time.time()) / 2)
    wanted = f"{LABEL_DEPLOYMENT}={name}" if name else LABEL_DEPLOYMENT
    listed = client.api.containers(all=True, filters={"label": wanted})
    return found, engine, tuple(_inspected(client.api, [one["Id"] for one in listed]))


def _inspected(api: Any, ids: list[str]) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - docker-py's
    from docker.errors import NotFound

    for id_ in ids:
        try:
            yield api.inspect_container(id_)
        except NotFound:
            continue  # a one-shot that ended meanwhile


def _begin(work: Callable[[], T]) -> Future[T]:
    """Start work in a thread that nobody waits for at the end."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def _result(future: Future[T], seconds: float, begun: float | None = None) -> T | Exception:
    """What came of it, or the error; a `TimeoutError` that many seconds after it was begun."""
    left = seconds if begun is None else begun + seconds - time.monotonic()
    try:
        return future.result(timeout=max(0.0, left))
    except TimeoutError as error:
        return error if future.done() else TimeoutError(f"no answer within {seconds:.0f} s")
    except Exception as error:
        return error
