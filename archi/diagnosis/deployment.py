"""What is the matter with a deployment: its containers, how they ended, and what they logged."""

from __future__ import annotations

import json
import time
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from archi.diagnosis.log_lines import clean
from archi.diagnosis.rules import Confidence, Diagnosis
from archi.diagnosis.search import diagnose
from archi.names import LABEL_DEPLOYMENT, LABEL_ROLE

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container

# A cause comes before what follows from it: without a model the chat has nothing to answer with.
SERVICES = ("vllm-server", "postgres", "chatbot")

_STOPPED_CODES = (0, 143)
_EVENTS_SECONDS = 3600
# Seconds until a chat application that is not ready is asked again: a busy model server is late.
_AGAIN_SECONDS = 2.0
_CURL = ("curl", "-sS", "--max-time", "30", "--fail-with-body")


@dataclass(frozen=True)
class Report:
    """What is to be said of one service.

    Attributes:
        service: its role, such as ``vllm-server``; None for a log of unknown origin.
        container: its container's name; None where there is none.
        state: of the container, such as ``running, healthy`` or ``exited (1)``; ``missing``
            where there is none.
        what: a sentence on how it is.
        cause: stable name of the cause, None where nothing is wrong.
        mend: what to change; empty where nothing is wrong.
        confidence: None where nothing is wrong.
        evidence: the line of its log that says so, and its number in ``docker logs``.

    """

    service: str | None
    container: str | None
    state: str | None
    what: str
    cause: str | None = None
    mend: str = ""
    confidence: Confidence | None = None
    evidence: str = ""
    line: int | None = None

    @property
    def problem(self) -> bool:
        return self.cause is not None

    def as_json(self) -> dict[str, Any]:
        """It in a shape that stays."""
        fields = asdict(self)
        order = ("service", "container", "state", "cause", "what", "mend", "confidence")
        return {name: fields[name] for name in (*order, "evidence", "line")}

    def because(self, diagnosis: Diagnosis) -> Report:
        """It with a diagnosis of what is wrong."""
        return replace(
            self,
            what=diagnosis.what,
            cause=diagnosis.cause,
            mend=diagnosis.mend,
            confidence=diagnosis.confidence,
            evidence=diagnosis.evidence,
            line=diagnosis.line,
        )


def look(client: docker.DockerClient, deployment: str, wanted: Collection[str]) -> list[Report]:
    """A report for each service that is there or is wanted; empty where there is neither.

    Args:
        client: of the Engine that the deployment is on.
        deployment: its name.
        wanted: the services that its settings name; empty where they are not known.

    """
    found = {
        container.labels.get(LABEL_ROLE, ""): container
        for container in client.containers.list(
            all=True,
            filters={"label": f"{LABEL_DEPLOYMENT}={deployment}"},
            ignore_removed=True,
        )
    }
    reports = []
    for service in SERVICES:
        if service in found:
            reports.append(_container(client, service, found[service]))
        elif service in wanted:
            reports.append(
                Report(service, None, "missing", "").because(
                    Diagnosis(
                        "container-missing",
                        "Its container is missing.",
                        f"`pulumi up --refresh -s {deployment}` makes it.",
                    )
                )
            )
    return reports


def _container(client: docker.DockerClient, service: str, container: Container) -> Report:
    state = container.attrs["State"]
    report = Report(service, container.name, shown_state(state), "It runs.")
    if state["Status"] == "paused":
        return report.because(_PAUSED)
    if refused := state.get("Error"):
        # What Docker said when it could not start it.
        return report.because(replace(diagnose([refused]), line=None))
    if state["Status"] == "created":
        return report.because(_NEVER_STARTED)
    health = (state.get("Health") or {}).get("Status")
    failing = container.attrs["RestartCount"] > 0 and health != "healthy"
    if state["Status"] != "running" or (failing and health is not None):
        return report.because(_how_it_ended(client, container, report))
    if health == "unhealthy":
        return report.because(_unhealthy(container))
    if health == "starting":
        return replace(report, what=_phase(service, container))
    if service == "chatbot" and (diagnosis := chat_problem(container)):
        return report.because(diagnosis)
    what = "It runs and is healthy." if health else "It runs."
    if count := container.attrs["RestartCount"]:
        what += f" It has been started again {count} times{_last_end(client, container)}."
    return replace(report, what=what)


def shown_state(state: dict[str, Any]) -> str:
    """Docker's state of a container in a few words: ``exited (137), out of memory``."""
    status = str(state["Status"])
    if status in ("exited", "dead", "restarting"):
        status += f" ({state['ExitCode']})"
    if health := (state.get("Health") or {}).get("Status"):
        status += f", {health}" if state["Status"] == "running" else ""
    return f"{status}, out of memory" if state.get("OOMKilled") else status


def _how_it_ended(client: docker.DockerClient, container: Container, report: Report) -> Diagnosis:
    state = container.attrs["State"]
    exit_code, out_of_memory = state["ExitCode"], bool(state.get("OOMKilled"))
    if state["Status"] == "running":  # again, and what it shows is of the start that goes on
        exit_code = None
        for event in _ends(client, container):
            if event["Action"] == "die":
                exit_code = int(event["Actor"]["Attributes"]["exitCode"])
            else:
                out_of_memory = True
    diagnosis = _of_log(container, exit_code, out_of_memory=out_of_memory)
    if diagnosis.cause == "unknown" and exit_code in _STOPPED_CODES:
        return _STOPPED
    if state["Status"] == "exited" or diagnosis.cause == "unknown":
        return diagnosis
    return replace(
        diagnosis,
        what=f"It ends and is started again, {container.attrs['RestartCount']} times by now. "
        + diagnosis.what,
    )


def _of_log(
    container: Container, exit_code: int | None = None, *, out_of_memory: bool = False
) -> Diagnosis:
    """The cause by the log of the last start, else by all of it."""
    whole = container.logs()
    every = _lines(whole)
    # Docker notes the moment of the start when the program runs already: what ends at once has said
    # everything before it.
    this_start = _lines(container.logs(since=_started(container)) or whole)
    before = len(every) - len(this_start)
    diagnosis = diagnose(this_start, exit_code, out_of_memory=out_of_memory)
    if diagnosis.cause != "unknown" or exit_code in _STOPPED_CODES:
        return _moved(diagnosis, before)
    earlier = diagnose(every, exit_code)
    return earlier if earlier.cause != "unknown" else _moved(diagnosis, before)


def _moved(diagnosis: Diagnosis, by: int) -> Diagnosis:
    return replace(diagnosis, line=diagnosis.line + by) if diagnosis.line else diagnosis


def _lines(log: bytes) -> list[str]:
    return log.decode(errors="replace").removesuffix("\n").split("\n")


def _started(container: Container) -> float:
    # Nanoseconds, which datetime does not read.
    seconds, _, rest = str(container.attrs["State"]["StartedAt"]).rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{seconds}.{rest[:6]:0<6}+00:00").timestamp()


def _unhealthy(container: Container) -> Diagnosis:
    """It runs, and its health check fails: by its log, else by what the check says."""
    diagnosis = _of_log(container)
    if diagnosis.cause != "unknown":
        return diagnosis
    checks = container.attrs["State"]["Health"].get("Log") or []
    said = str(checks[-1]["Output"]).strip().split("\n")[-1] if checks else ""
    return _not_answering(container, said)


def _not_answering(container: Container, said: str) -> Diagnosis:
    return Diagnosis(
        "not-answering",
        "It runs, and does not answer as it should.",
        f"`docker logs --tail 100 {container.name}` shows what it is at; `docker restart "
        f"{container.name}` ends a hang.",
        said,
        Confidence.LIKELY,
    )


def _phase(service: str, container: Container) -> str:
    """What a starting container is at, by the last line of its log that tells."""
    import re

    from archi.readiness import PHASES

    for line in reversed(_lines(container.logs(tail=400))):
        for pattern, phase in PHASES.get(service, ()):
            if match := re.search(pattern, clean(line)):
                return f"It is starting: {phase.format(**match.groupdict())}."
    return "It is starting."


def _ends(client: docker.DockerClient, container: Container) -> Iterable[dict[str, Any]]:
    """The Engine's events of its ends; it remembers the last 256 events of all containers."""
    now = int(time.time())
    events: Iterable[dict[str, Any]] = client.api.events(
        since=now - _EVENTS_SECONDS,
        until=now + 1,
        filters={"container": container.id, "event": ["die", "oom"]},
        decode=True,
    )
    return events


def _last_end(client: docker.DockerClient, container: Container) -> str:
    ends = [event for event in _ends(client, container) if event["Action"] == "die"]
    if not ends:
        return ""
    minutes = int(time.time() - ends[-1]["time"]) // 60
    code = ends[-1]["Actor"]["Attributes"]["exitCode"]
    return f", last {minutes} minutes ago after exit code {code}"


def chat_problem(container: Container) -> Diagnosis | None:
    """What keeps a running chat application from answering; None where nothing does.

    Asked inside its container, of the application itself, and of vLLM's address as it sees it.
    """
    environment = dict(entry.split("=", 1) for entry in container.attrs["Config"]["Env"] or ())
    host, _, port = environment.get("ARCHI_LISTEN", "0.0.0.0:7861").rpartition(":")
    host = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - no address is bound here
    url = f"http://{host}:{port}/readyz"
    code, said = _ask(container, url)
    if code != 0:
        time.sleep(_AGAIN_SECONDS)  # between two tries, not for a condition
        code, said = _ask(container, url)
    if code == 0:
        return None
    try:
        parts = json.loads(said)["parts"]
        reasons = [str(part["reason"]) for part in parts.values() if not part["ready"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return _not_answering(container, said)
    lines = reasons
    if not parts["model"]["ready"] and "VLLM_BASE_URL" in environment:
        # The application says that nothing answers; curl says why.
        code, curl_said = _ask(container, f"{environment['VLLM_BASE_URL']}/models")
        if code != 0 and curl_said.startswith("curl: "):
            lines = [*reasons, curl_said]
    return replace(diagnose(lines), line=None)


def _ask(container: Container, url: str) -> tuple[int, str]:
    """The exit code of curl, and what was answered, else what curl says."""
    answer = container.exec_run([*_CURL, url], demux=True)
    streams: tuple[bytes | None, bytes | None] = answer.output  # type: ignore[assignment]
    said = streams[0] or streams[1] or b""
    return int(answer.exit_code or 0), said.decode(errors="replace").strip()


_PAUSED = Diagnosis(
    "paused", "Somebody has paused its container.", "`docker unpause` lets it go on."
)
_NEVER_STARTED = Diagnosis(
    "never-started",
    "Its container was made and never started.",
    "`pulumi up --refresh` starts it.",
)
_STOPPED = Diagnosis(
    "stopped",
    "It was stopped.",
    "`pulumi up --refresh` starts it again and waits until it answers.",
)
