"""What status makes of logs, tables and states."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from archi.deployments.containers import ServiceState
from archi.deployments.known import Deployment
from archi.deployments.pulumi_state import StackState
from archi.diagnosis import Diagnosis
from archi.drift import Difference
from archi.status import Gpu, LastError, Status, gpus, last_error, report
from archi.vllm_metrics import Load

AT = "2026-11-25T03:00:00.123456789Z"
WHEN = datetime(2026, 11, 25, 3, 0, 0, 123456, UTC)
NOW = datetime(2026, 11, 25, 4, 0, 0, tzinfo=UTC)
CHAT = ServiceState(
    "chatbot", "chatbot-bot", "running", "healthy", WHEN, image="archi/chat:1", created=WHEN
)
BOT = Deployment(
    name="bot",
    services=(CHAT,),
    model="o/m",
    url="http://localhost:7861",
    stack_file=Path("/checkout/stacks/Pulumi.bot.yaml"),
    shipped=False,
    stack=StackState(()),
)
STATUS = Status(BOT, None, None, (), None, {})


def stamped(*lines: str) -> list[str]:
    return [f"{AT} {line}" for line in lines]


def test_a_quiet_log_has_no_error() -> None:
    lines = stamped(
        "(APIServer pid=8) INFO 11-25 03:42:51 [launcher.py:195] Route: /error, Methods: POST",
        "(EngineCore pid=9) WARNING 11-25 03:42:51 [a.py:1] Exception: could not create a thing",
        "INFO:     Started server process [8]",
        '{"event": "request", "status": 200, "level": "info", "path": "/errors"}',
        '  File "x.py", line 1, in f  # raises ValueError: never',
    )
    assert last_error("vllm-server", lines) is None


def test_the_root_cause_counts_and_not_the_wrapper_around_it() -> None:
    log = Path(__file__).parent / "diagnosis" / "logs" / "context-too-long.log"
    found = last_error("vllm-server", stamped(*log.read_text().splitlines()))
    assert found is not None
    assert "max_model_len" in found.line
    assert found.at == WHEN


def test_the_chat_application_tells_errors_as_json() -> None:
    record = {
        "event": "answer failed",
        "level": "error",
        "exception": "Traceback (most recent call last):\n  File x\nConnectionError: refused",
    }
    lines = stamped('{"event": "request", "level": "info"}', json.dumps(record), "{broken")
    assert last_error("chatbot", lines) == LastError(
        "chatbot", "answer failed: ConnectionError: refused", WHEN
    )


def test_postgres_tells_errors_in_words() -> None:
    (line,) = stamped('2026-11-25 03:00:00.1 UTC [31] FATAL:  role "x" does not exist')
    found = last_error("postgres", [line])
    assert found is not None
    assert found.line.endswith('role "x" does not exist')


def test_gpus_are_read_from_nvidia_smi() -> None:
    table = "0, NVIDIA H100 80GB HBM3, 71234, 81559\n1, NVIDIA H100 80GB HBM3, 3, 81559\n"
    assert gpus(table) == (
        Gpu(0, "NVIDIA H100 80GB HBM3", 71234, 81559),
        Gpu(1, "NVIDIA H100 80GB HBM3", 3, 81559),
    )


def test_a_gpu_that_does_not_tell_its_memory_is_none() -> None:
    assert gpus("0, NVIDIA H100 80GB HBM3, [N/A], [N/A]\n") is None


def test_the_report_has_the_promised_fields() -> None:
    said = report(STATUS, NOW)
    assert list(said) == [
        "name",
        "state",
        "model",
        "url",
        "created",
        "age_seconds",
        "stack_file",
        "services",
        "vllm",
        "gpus",
        "drift",
        "last_error",
        "last_error_at",
    ]
    assert (said["state"], said["age_seconds"]) == ("running", 3600)
    assert said["services"][0]["since"] == "2026-11-25T03:00:00+00:00"
    assert json.loads(json.dumps(said)) == said


def test_the_report_holds_load_gpus_drift_and_errors() -> None:
    full = replace(
        STATUS,
        load=Load(1, 2, 3.5, 0.0, 0.25, 9),
        gpus=(Gpu(0, "H100", 1, 2),),
        drift=(Difference("chatbot", "image", "a", "b", "mend"),),
        last_error=LastError("chatbot", "boom", WHEN),
        diagnoses={"chatbot": Diagnosis("killed", "It was killed.", "more memory")},
    )
    said = report(full, NOW)
    assert said["vllm"]["tokens_per_second"] == 3.5
    assert said["gpus"][0]["memory_used_mib"] == 1
    assert said["drift"][0]["what"] == "image"
    assert said["last_error"] == "chatbot: boom"
    assert said["services"][0]["diagnosis"]["cause"] == "killed"
    assert json.loads(json.dumps(said)) == said


def test_a_problem_is_what_does_not_run_or_differs() -> None:
    assert not STATUS.problem
    starting = replace(BOT, services=(replace(CHAT, health="starting"),))
    assert not replace(STATUS, deployment=starting).problem
    stopped = replace(BOT, services=(replace(CHAT, state="exited"),))
    assert replace(STATUS, deployment=stopped).problem
    assert replace(STATUS, drift=(Difference(None, "a", None, None, ""),)).problem
