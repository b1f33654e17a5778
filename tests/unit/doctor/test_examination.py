"""A whole examination where there is neither a Docker Engine nor a network."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from archi import project
from archi.cli.doctor import doctor
from archi.cli.exit_codes import ExitCode
from archi.doctor import CHECKS, Finding, NoSuchDeployment, examine, group_of
from archi.doctor import checks as table
from archi.doctor.checks import Check
from archi.doctor.subject import LiveEngine, Subject


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with the shipped stack files, no Engine, no hub, an empty home."""
    shutil.copytree(project.ROOT / "stacks", tmp_path / "stacks")
    (tmp_path / "Pulumi.yaml").touch()
    (tmp_path / "archi").mkdir()
    for name, value in {
        "DOCKER_HOST": f"unix://{tmp_path}/docker.sock",
        "HF_ENDPOINT": "http://127.0.0.1:9",
        "ARCHI_DIR": str(tmp_path / "home"),
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("DOCKER_CONTEXT", "PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE", "HF_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def by_check(findings: Any) -> dict[str, Finding]:
    return {finding.check: finding for finding in findings}


def test_without_an_engine_the_rest_is_looked_at(root: Path) -> None:
    found = by_check(examine("local", root=root))
    assert found["engine"].state == "problem"
    assert "unset DOCKER_HOST" in found["engine"].mend
    assert found["containers"].state == "skipped"
    assert found["stack-file"].state == "ok"
    assert found["passphrase"].state == "ok"
    assert found["hub"].state == "problem"


def test_an_examination_leaves_everything_as_it_was(root: Path) -> None:
    before = sorted(root.rglob("*"))
    list(examine("prod", root=root))
    assert sorted(root.rglob("*")) == before


def test_what_is_another_machines_is_not_this_ones_fault(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.2:9")
    found = by_check(examine("gpu", root=root))
    assert found["engine"].state == "problem"
    for check in ("driver", "toolkit", "gpus", "shared-memory", "hub", "model"):
        assert found[check].state == "skipped", check
        assert "tcp://127.0.0.2:9" in found[check].found
    assert "--gpu-container" in found["gpus"].found


def test_a_container_can_only_look_at_gpus_where_the_engine_answers(root: Path) -> None:
    found = by_check(examine("gpu", root=root, gpu_container=True))
    assert found["gpus"].state == "skipped"
    assert "Without the Docker Engine" in found["gpus"].found


def test_the_findings_come_in_the_tables_order_and_each_check_has_one(root: Path) -> None:
    names = list(dict.fromkeys(finding.check for finding in examine("gpu", root=root)))
    left_out = {"registry", "weights-folder"}
    wanted = [check.name for check in CHECKS if check.name not in left_out]
    before = wanted.index("passphrase")
    assert names == ["engine", *wanted[:before], "stack-file", *wanted[before:]]


def test_without_a_name_nothing_is_said_of_deployments(root: Path) -> None:
    groups = {group_of(finding.check) for finding in examine(None, root=root)}
    assert groups == {"Docker", "GPU", "Disk and memory", "Network", "Archi"}


def test_a_name_that_means_nothing_is_told_with_those_that_do(root: Path) -> None:
    with pytest.raises(NoSuchDeployment, match=r"'bot'.*offline"):
        examine("bot", root=root)


def test_a_check_that_fails_or_hangs_is_said_and_the_others_go_on(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def broken(_subject: Subject) -> Finding:
        raise RuntimeError("the\nroof fell in")

    def hanging(_subject: Subject) -> Finding:
        ended.wait()
        return Finding("hanging", "ok", "")

    def fine(_subject: Subject) -> Finding:
        return Finding("fine", "ok", "It is.")

    three = (
        Check("broken", "GPU", broken),
        Check("hanging", "GPU", hanging, seconds=lambda _subject: 0.2),
        Check("fine", "GPU", fine),
    )
    monkeypatch.setattr(table, "CHECKS", three)
    found = by_check(examine(None, root=root))
    ended.set()
    assert "RuntimeError: the roof fell in" in found["broken"].found
    assert "no answer within" in found["hanging"].found
    assert (found["broken"].state, found["hanging"].state) == ("warning", "warning")
    assert found["fine"].state == "ok"


def test_every_check_has_a_name_of_its_own_and_groups_stand_together() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    groups = [check.group for check in CHECKS]
    assert groups == sorted(groups, key=list(dict.fromkeys(groups)).index)


@pytest.mark.parametrize(
    ("host", "name", "here"),
    [
        ("unix:///var/run/docker.sock", None, True),
        ("tcp://localhost:2375", None, True),
        ("ssh://deploy@gpu1", None, False),
        ("tcp://gpu1:2376", None, False),
        ("unix:///run/forwarded.sock", "gpu1", False),
    ],
)
def test_an_engine_is_here_if_its_socket_and_its_machine_are(
    host: str, name: str | None, here: bool
) -> None:
    engine: Any = None if name is None else LiveEngine(None, {}, {"Name": name}, 0)  # type: ignore[arg-type]
    assert Subject(None, Path(), host, engine).here is here


app = typer.Typer()
app.command()(doctor)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "80"})


def test_the_command_ends_with_the_number_of_problems_and_its_exit_code(root: Path) -> None:
    result = run("offline")
    assert result.exit_code == ExitCode.PROBLEM
    assert "  FAIL  The Docker Engine at" in result.stdout
    assert "          Mend: " in result.stdout
    assert result.stdout.rstrip().splitlines()[-1].startswith(("1 problem", "2 problems"))


def test_checks_that_are_skipped_for_one_reason_share_a_line(root: Path) -> None:
    lines = run("offline").stdout.splitlines()
    assert "  -     driver, toolkit, gpus: This deployment takes no GPU." not in lines
    assert any(line.startswith("  -     driver, toolkit") for line in lines)


def test_for_scripts_all_of_it_is_one_document(root: Path) -> None:
    result = run("offline", "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == ExitCode.PROBLEM
    assert report["deployment"] == "offline"
    assert set(report["findings"][0]) == {"check", "state", "found", "mend"}
    states = [finding["state"] for finding in report["findings"]]
    assert report["problems"] == states.count("problem") > 0
    assert report["warnings"] == states.count("warning")


def test_an_unknown_deployment_has_an_exit_code_of_its_own(root: Path) -> None:
    result = run("bot")
    assert result.exit_code == ExitCode.NOT_FOUND
    assert "There is no deployment 'bot'" in result.stderr


def test_all_is_well_where_it_is(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [Finding("disk", "ok", "Room enough."), Finding("clock", "note", "It is late.")]
    monkeypatch.setattr("archi.doctor.examine", lambda name, **_asked: iter(found))
    result = run()
    assert result.exit_code == 0
    assert result.stdout.rstrip().endswith("All is well.")
