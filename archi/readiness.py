"""Waiting until a container can really answer, and telling at once why it never will."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from archi.cancellation import Cancelled, cancelled
from archi.diagnosis import clean, diagnose, last_error

_POLL_SECONDS = 0.5
_PROBE_SECONDS = 3.0
# What a service that runs may miss in a row before it counts as one that does not answer, and
# seconds between: on a busy machine the probe's own time limit passes too.
_MISSES = 5
_MISS_SECONDS = 2.0
# Seconds beyond the timeout for the first try to end: what it says is shown.
_FIRST_TRY_SECONDS = 60.0
_LOG_LINES = 400

# What vLLM 0.32.0 logs while it starts, and what it is doing from that line on.
VLLM_PHASES: tuple[tuple[str, str], ...] = (
    (r"Initializing a V1 LLM engine|Resolved architecture", "starting the engine"),
    (r"Starting to load model", "loading the weights"),
    (r"Loading weights took|Model loading took", "measuring what the KV cache may take"),
    (r"torch\.compile takes|Compiling a graph|Start compiling", "compiling the model"),
    (r"KV cache size: (?P<tokens>[\d,]+) tokens", "KV cache for {tokens} tokens"),
    (r"Capturing CUDA graphs|Graph capturing", "capturing graphs"),
    (r"init engine .* took", "starting the API server"),
    (r"Starting vLLM server on|Application startup complete", "answering; warming up"),
)

PHASES = {"vllm-server": VLLM_PHASES}
"""Of each service that says what it is at while it starts."""


class NotReady(Exception):
    """A container did not become ready; the text says why and what to change."""


@dataclass(frozen=True)
class Target:
    """What is waited for.

    Attributes:
        service: its name for people, such as ``vllm-server``.
        container: id or name of its container.
        probe: command inside the container; exit code 0 means it answers.
        warm_up: a first real request inside the container, None where the probe is one.
        phases: pattern of a log line and what is going on from that line on.
        timeout: seconds until the start counts as failed.

    """

    service: str
    container: str
    probe: Sequence[str]
    warm_up: Sequence[str] | None
    phases: Sequence[tuple[str, str]]
    timeout: float


Say = Callable[[str], None]


def wait(client: docker.DockerClient, target: Target, say: Say) -> float:
    """Wait until the target answers; gives the seconds it took.

    A container that is stopped is started. One that ends while it is waited for, or does not
    answer in time, is stopped, so that it does not fail over and over behind one's back.

    Args:
        client: of the Docker Engine that runs the container.
        target: what is waited for.
        say: is told each change of phase once, with elapsed time.

    Raises:
        NotReady: with what happened, what to change and the log line that says so.
        Cancelled: the user broke off; the container goes on starting.

    """
    return _Wait(client, target, say).run()


def answers(container: Container, probe: Sequence[str]) -> bool:
    """Whether a container runs and its service answers, or does so within some seconds."""
    with contextlib.suppress(APIError):  # it ended, or was removed, meanwhile
        for miss in range(_MISSES):
            if miss:
                time.sleep(_MISS_SECONDS)  # between two tries, not for a condition
                container.reload()
            if container.status != "running":
                return False
            if container.exec_run(list(probe)).exit_code == 0:
                return True
    return False


class _Wait:
    def __init__(self, client: docker.DockerClient, target: Target, say: Say) -> None:
        self.client, self.target, self.say = client, target, say
        self.begin = time.monotonic()
        self.began_at = time.time()
        self.log: list[str] = []
        self.phase = ""
        self.probe_failure: str | None = None

    def run(self) -> float:
        container, self.restarts, self.since = self._begin()
        self._announce("starting the container")
        threading.Thread(target=self._read_log, args=(container,), daemon=True).start()
        with ThreadPoolExecutor(max_workers=1) as pool:
            for command in filter(None, (self.target.probe, self.target.warm_up)):
                self._until_answered(container, command, pool)
        seconds = time.monotonic() - self.begin
        self._announce("ready")
        return seconds

    def _begin(self) -> tuple[Container, int, float | None]:
        """The running container, its restart count, and since when its log counts."""
        try:
            container = self.client.containers.get(self.target.container)
        except NotFound:
            raise NotReady(
                f"{self.target.service}: its container is gone. Mend: `pulumi up --refresh` makes "
                "a new one."
            ) from None
        state = container.attrs["State"]
        since: float | None = None  # all of it
        if state["Status"] == "restarting" or (
            container.attrs["RestartCount"] and not answers(container, self.target.probe)
        ):
            # It fails over and over since before this gate; one clean start tells why.
            since = time.time()
            container.restart(timeout=2)
        elif state["Status"] != "running":
            since = time.time()
            try:
                container.start()
            except APIError as error:
                raise NotReady(self._report(diagnose([str(error.explanation)]))) from None
        container.reload()
        return container, container.attrs["RestartCount"], since

    def _until_answered(
        self, container: Container, command: Sequence[str], pool: ThreadPoolExecutor
    ) -> None:
        """Run ``command`` in the container until it succeeds, watching the container meanwhile."""
        attempt: Future[bool] | None = None
        next_attempt = time.monotonic()
        while True:
            self._check_alive(container)
            if cancelled():
                raise Cancelled
            if attempt is not None and attempt.done():
                if attempt.result():
                    return
                attempt, next_attempt = None, time.monotonic() + _PROBE_SECONDS
            if attempt is None and time.monotonic() >= next_attempt:
                attempt = pool.submit(self._try, container, command)
            beyond = time.monotonic() - self.begin - self.target.timeout
            if beyond > 0 and (self.probe_failure is not None or beyond > _FIRST_TRY_SECONDS):
                self._give_up(container)
            time.sleep(_POLL_SECONDS)  # between two looks at the container, not for a condition

    def _try(self, container: Container, command: Sequence[str]) -> bool:
        try:
            answer = container.exec_run(list(command))
        except APIError as error:
            self.probe_failure = str(error.explanation)
            return False
        output: bytes = answer.output  # type: ignore[assignment]  # it is not streamed
        self.probe_failure = output.decode(errors="replace").strip()
        return bool(answer.exit_code == 0)

    def _check_alive(self, container: Container) -> None:
        try:
            container.reload()
        except NotFound:
            raise NotReady(
                f"{self.target.service}: its container was removed while it started. Mend: "
                "`pulumi up --refresh` makes a new one."
            ) from None
        died = (
            container.status in ("exited", "dead", "restarting")
            or container.attrs["RestartCount"] > self.restarts
        )
        if not died:
            return
        exit_code, out_of_memory = self._end(container)
        self._stop(container)
        diagnosis = diagnose(self._last_lines(container), exit_code, out_of_memory=out_of_memory)
        raise NotReady(self._report(diagnosis))

    def _end(self, container: Container) -> tuple[int | None, bool]:
        """Exit code of the last end, and whether the kernel's OOM killer did it.

        From the Engine's events: a container that its restart policy has up again no longer shows
        them.
        """
        now = int(time.time())
        events = self.client.api.events(
            since=int(self.began_at) - 1,
            until=now + 1,
            filters={"container": container.id, "event": ["die", "oom"]},
            decode=True,
        )
        exit_code, out_of_memory = None, bool(container.attrs["State"]["OOMKilled"])
        for event in events:
            if event["Action"] == "die":
                exit_code = int(event["Actor"]["Attributes"]["exitCode"])
            else:
                out_of_memory = True
        return exit_code, out_of_memory

    def _give_up(self, container: Container) -> None:
        last = last_error(self._last_lines(container))
        self._stop(container)
        raise NotReady(
            f"{self.target.service} did not answer within {self.target.timeout:.0f} s; it was "
            f"{self.phase}.\nMend: give it more time (archi:services.vllm.start_timeout), or read "
            f"`docker logs {container.name}`.\nThe last try said: {self.probe_failure or last}"
        )

    def _stop(self, container: Container) -> None:
        # Gone already, or going: either is what is wanted.
        with contextlib.suppress(APIError):
            container.stop(timeout=2)

    def _last_lines(self, container: Container) -> list[str]:
        try:
            raw: bytes = container.logs(tail=_LOG_LINES, since=self.since)
        except APIError:
            return self.log[-_LOG_LINES:]
        return raw.decode(errors="replace").splitlines()

    def _report(self, diagnosis: object) -> str:
        return f"{self.target.service} is not ready. {diagnosis}"

    def _read_log(self, container: Container) -> None:
        # The stream ends with the container; what happened then is told by the watching thread.
        with contextlib.suppress(APIError, OSError):
            rest = b""
            for chunk in container.logs(stream=True, follow=True, since=self.since):
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    self._note(line.decode(errors="replace"))

    def _note(self, line: str) -> None:
        self.log.append(line)
        del self.log[:-_LOG_LINES]
        for pattern, phase in self.target.phases:
            if match := re.search(pattern, clean(line)):
                self._announce(phase.format(**match.groupdict()))
                return

    def _announce(self, phase: str) -> None:
        if phase != self.phase:
            self.phase = phase
            elapsed = time.monotonic() - self.begin
            self.say(f"[{elapsed:4.0f} s] {self.target.service}: {phase}")
