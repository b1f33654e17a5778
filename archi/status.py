"""How a deployment is: its services, its load, its last error, and what is not as deployed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archi import diagnosis, drift, vllm_metrics
from archi.deployments import containers, known
from archi.deployments.containers import ServiceState
from archi.deployments.known import Deployment, State
from archi.diagnosis import Diagnosis, clean
from archi.drift import Difference
from archi.render.places import VLLM_PORT
from archi.vllm_metrics import Load

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container

_LOG_LINES = 400
_BEFORE, _AFTER = 100, 10  # lines around an error that belong to it
_GPU_QUERY = (
    "nvidia-smi",
    "--query-gpu=index,name,memory.used,memory.total",
    "--format=csv,noheader,nounits",
)
_SAYS_ERROR = re.compile(
    r"\b(ERROR|CRITICAL|FATAL|PANIC)\b|\b\w*(Error|Exception)\b\s*(:|\()|^\S*: error:"
)
_LOGGED_AS_LESS = re.compile(r"^(\([\w ]+pid=\d+\)\s*)?(DEBUG|INFO|WARNING)\b")
_TELL_ERRORS = ("vllm-server", "chatbot")
"""Services whose last error is a person's concern; of the others only why they ended."""
_ERROR_LEVELS = ("error", "critical", "exception", "fatal")


@dataclass(frozen=True)
class Gpu:
    """A GPU as vllm-server sees it; memory in MiB, over all processes on it."""

    index: int
    name: str
    memory_used_mib: int
    memory_total_mib: int


@dataclass(frozen=True)
class LastError:
    """The last line of a service's log that tells an error.

    Attributes:
        service: whose log.
        line: the line, without time and colours.
        at: when it was logged.

    """

    service: str
    line: str
    at: datetime | None


@dataclass(frozen=True)
class Status:
    """All that `archi status` says.

    Attributes:
        deployment: its state, services, model and URL.
        load: of vLLM; None where it does not run here or does not answer.
        gpus: that vllm-server has; None where it has none or they can't be asked.
        drift: what is not as deployed and Pulumi can't see.
        last_error: of model server and chat application, the newer.
        diagnoses: why a service ended or fails, by service.

    """

    deployment: Deployment
    load: Load | None
    gpus: tuple[Gpu, ...] | None
    drift: tuple[Difference, ...]
    last_error: LastError | None
    diagnoses: dict[str, Diagnosis]

    @property
    def problem(self) -> bool:
        """Whether it is not as it should be; one that is starting is."""
        return bool(self.drift) or self.deployment.state not in (State.RUNNING, State.STARTING)


def of(client: docker.DockerClient, root: Path, name: str) -> Status:
    """Look at a deployment; changes nothing and takes about a second more than it must.

    Raises:
        UnknownDeployment: there is none of that name.
        Refused: Pulumi's backend can't be read.

    """
    deployment = known.find(client, root, name)
    ours = containers.services(containers.of(client, name))
    errors, diagnoses = [], {}
    for service in deployment.services:
        if service.service not in ours:
            continue
        lines = _log(ours[service.service])
        if service.service in _TELL_ERRORS and (error := last_error(service.service, lines)):
            errors.append(error)
        if not service.well and not service.starting:
            attrs = ours[service.service].attrs
            diagnoses[service.service] = _why(service, lines, attrs)
    server = ours.get("vllm-server")
    asked = server if server is not None and server.status == "running" else None
    return Status(
        deployment=deployment,
        load=vllm_metrics.ask(asked, _vllm_port(asked)) if asked else None,
        gpus=_gpus(asked) if asked else None,
        drift=tuple(drift.of_deployment(client, deployment)),
        last_error=max(errors, key=lambda one: one.at or datetime.min.replace(tzinfo=UTC))
        if errors
        else None,
        diagnoses=diagnoses,
    )


def report(status: Status, now: datetime) -> dict[str, Any]:
    """The status as JSON has it: docs/command_line.md describes each field."""
    deployment = status.deployment
    return {
        **summary(deployment, now),
        "services": [
            {
                **service_report(service),
                "diagnosis": asdict(status.diagnoses[service.service])
                if service.service in status.diagnoses
                else None,
            }
            for service in deployment.services
        ],
        "vllm": asdict(status.load) if status.load else None,
        "gpus": [asdict(gpu) for gpu in status.gpus] if status.gpus is not None else None,
        "drift": [asdict(one) for one in status.drift],
        "last_error": f"{status.last_error.service}: {status.last_error.line}"
        if status.last_error
        else None,
        "last_error_at": _iso(status.last_error.at) if status.last_error else None,
    }


def summary(deployment: Deployment, now: datetime) -> dict[str, Any]:
    """A deployment in a row of a list, as JSON has it."""
    age = (now - deployment.created).total_seconds() if deployment.created else None
    return {
        "name": deployment.name,
        "state": str(deployment.state),
        "model": deployment.model,
        "url": deployment.url,
        "created": _iso(deployment.created),
        "age_seconds": None if age is None else max(0, round(age)),
        "stack_file": str(deployment.stack_file) if deployment.stack_file else None,
    }


def service_report(service: ServiceState) -> dict[str, Any]:
    """A service of a deployment, as JSON has it."""
    return {**asdict(service), "since": _iso(service.since), "created": _iso(service.created)}


def last_error(service: str, lines: Sequence[str]) -> LastError | None:
    """The last line that tells an error.

    Args:
        service: whose log it is.
        lines: of the log, oldest first, each behind its time as `docker logs --timestamps` has it.

    """
    texts = [line.partition(" ")[2] for line in lines]
    told = [(at, error) for at, text in enumerate(texts) if (error := _told(text))]
    if not told:
        return None
    last, error = told[-1]
    if not texts[last].startswith("{"):
        # The line that ends a traceback often tells less than one above or below it.
        found = diagnosis.diagnose(texts[max(0, last - _BEFORE) : last + _AFTER])
        error = found.evidence or error
    return LastError(service, error, containers.moment(lines[last].partition(" ")[0]))


def _told(line: str) -> str | None:
    """What a line tells of an error; None for one that tells none.

    The chat application logs JSON (chatbot/logs.py), vLLM and Postgres text.
    """
    if line.startswith("{"):
        try:
            record = json.loads(line)
        except ValueError:
            return None
        if not isinstance(record, dict) or record.get("level") not in _ERROR_LEVELS:
            return None
        last = str(record.get("exception") or "").strip().rpartition("\n")[2]
        return ": ".join(filter(None, (str(record.get("event") or ""), last)))
    text = clean(line).strip()
    if not text or line[:1].isspace() or _LOGGED_AS_LESS.match(line):
        return None
    if not _SAYS_ERROR.search(line):
        return None
    return text


def _log(container: Container) -> list[str]:
    from docker.errors import APIError

    try:
        raw: bytes = container.logs(tail=_LOG_LINES, timestamps=True)
    except APIError:
        return []
    return raw.decode(errors="replace").splitlines()


def _why(service: ServiceState, lines: Iterable[str], attrs: dict[str, Any]) -> Diagnosis:
    return diagnosis.diagnose(
        [line.partition(" ")[2] for line in lines],
        service.exit_code,
        out_of_memory=bool(attrs["State"].get("OOMKilled")),
    )


def _vllm_port(server: Container) -> int:
    command = server.attrs["Config"].get("Cmd") or []
    return int(known.option(command, "--port") or VLLM_PORT)


def _gpus(server: Container) -> tuple[Gpu, ...] | None:
    from docker.errors import APIError

    if not server.attrs["HostConfig"].get("DeviceRequests"):
        return None
    try:
        answer = server.exec_run(list(_GPU_QUERY))
    except APIError:
        return None
    output: bytes = answer.output  # type: ignore[assignment]  # it is not streamed
    return gpus(output.decode(errors="replace")) if answer.exit_code == 0 else None


def gpus(table: str) -> tuple[Gpu, ...] | None:
    """GPUs from nvidia-smi's table (index, name, MiB used, MiB in all); None if it is none."""
    found = []
    for line in filter(str.strip, table.splitlines()):
        try:
            index, name, used, total = (cell.strip() for cell in line.split(","))
            found.append(Gpu(int(index), name, int(used), int(total)))
        except ValueError:  # "[N/A]" of a GPU that is shared out in slices
            return None
    return tuple(found)


def _iso(time: datetime | None) -> str | None:
    return time.isoformat(timespec="seconds") if time else None
