"""The shapes that scripts and CI systems read."""

from __future__ import annotations

from pathlib import Path

from junitparser import Failure, JUnitXml, Skipped

from archi.cli.exit_codes import ExitCode
from archi.smoke import Check, Report, State, Wire, junit

CHECKS = (
    Check("vllm-reachable", Wire.VLLM, State.OK, 0.0123456, "http://localhost:8000/v1"),
    Check(
        "vllm-completion",
        Wire.VLLM,
        State.FAILED,
        1.5,
        "it gave no completion",
        "`docker logs`",
        ExitCode.SMOKE_COMPLETION,
    ),
    Check("vllm-stream", Wire.VLLM, State.SKIPPED, 0.0, "vllm-completion failed"),
    Check("chat-tool-call", Wire.BEHIND_CHAT, State.NOTE, 2.0, "the model called no tool"),
    Check("chat-x", Wire.CHAT, State.FAILED, 0.5, "later", "m", ExitCode.SMOKE_CHAT),
)
REPORT = Report("bot", "vllm", "o/m", CHECKS, "Hello.")


def test_the_json_has_every_check_and_the_exit_code_of_the_first_failure() -> None:
    found = REPORT.as_dict()
    assert found.keys() == {
        *("deployment", "provider", "model", "checks", "answer", "ok", "exit_code")
    }
    assert found["checks"][1] == {
        "name": "vllm-completion",
        "wire": "this machine → vLLM",
        "state": "failed",
        "seconds": 1.5,
        "detail": "it gave no completion",
        "mend": "`docker logs`",
    }
    assert found["checks"][0]["seconds"] == 0.012
    assert found["checks"][0]["mend"] is None
    assert (found["ok"], found["exit_code"], found["answer"]) == (False, 13, "Hello.")


def test_notes_and_skips_are_no_failures() -> None:
    report = Report("bot", "vllm", "o/m", (CHECKS[0], *CHECKS[2:4]))
    assert (report.ok, report.exit_code) == (True, ExitCode.OK)
    assert report.as_dict()["answer"] is None


def test_junit_has_a_case_a_check(tmp_path: Path) -> None:
    path = tmp_path / "smoke.xml"
    junit.write(REPORT, path)
    (suite,) = JUnitXml.fromfile(str(path))
    assert (suite.name, suite.tests, suite.failures, suite.skipped) == ("archi smoke bot", 5, 2, 1)
    cases = {case.name: case for case in suite}
    assert cases["vllm-completion"].classname == "smoke.bot"
    assert cases["vllm-completion"].time == 1.5
    (failed,) = cases["vllm-completion"].result
    assert isinstance(failed, Failure)
    assert failed.message == "this machine → vLLM: it gave no completion"
    assert failed.type == "SMOKE_COMPLETION"
    assert "Mend: `docker logs`" in failed.text
    (skipped,) = cases["vllm-stream"].result
    assert isinstance(skipped, Skipped)
    assert cases["chat-tool-call"].result == []
    assert "the model called no tool" in cases["chat-tool-call"].system_out
