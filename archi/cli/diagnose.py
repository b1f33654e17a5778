"""``archi diagnose``: what is wrong, and what to change."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archi.cli.exit_codes import ExitCode
from archi.cli.output import fail, out, print_json

if TYPE_CHECKING:
    from rich.console import Console

    from archi.diagnosis.deployment import Report

_STDIN = "-"
_WIDEST = 100


def diagnose(
    target: Annotated[
        str,
        typer.Argument(
            metavar="NAME|FILE|-",
            help="A deployment, a file with a log or an error's text, or - for standard input. "
            "A file called like a deployment is meant with ./ before its name.",
        ),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="A list of objects.")] = False,
) -> None:
    """Say what is wrong with a deployment, or what a log tells, and what to change."""
    reports = _reports(target)
    if as_json:
        print_json([report.as_json() for report in reports])
    else:
        console = out()
        for report in reports:
            _show(console, report)
    raise typer.Exit(ExitCode.PROBLEM if any(one.problem for one in reports) else ExitCode.OK)


def _reports(target: str) -> list[Report]:
    if target == _STDIN:
        return [_of_text(sys.stdin.buffer.read())]
    if os.sep in target:
        return [_of_file(Path(target))]
    from archi import project

    stack = project.stack_file(project.find_root(Path.cwd()), target)
    if not stack.is_file() and Path(target).is_file() and not _has_containers(target):
        return [_of_file(Path(target))]
    reports = _of_deployment(target, stack)
    if not reports:
        fail(
            f"There is no deployment and no file {target}. Mend: `docker ps --all` lists what "
            "runs, `ls stacks` what can be deployed.",
            ExitCode.NOT_FOUND,
        )
    return reports


def _of_deployment(name: str, stack: Path) -> list[Report]:
    from archi.diagnosis.deployment import look
    from archi.docker_engine import EngineUnavailable, connect

    try:
        return look(connect(), name, _wanted(name, stack))
    except EngineUnavailable as unavailable:
        fail(str(unavailable), ExitCode.NO_ENGINE)


def _has_containers(name: str) -> bool:
    from archi.diagnosis.deployment import look
    from archi.docker_engine import EngineUnavailable, connect

    try:
        return bool(look(connect(), name, ()))
    except EngineUnavailable:
        return False  # a file can be read without one


def _wanted(name: str, stack: Path) -> frozenset[str]:
    """The services that its stack file names; none where it can't be read."""
    import yaml

    from archi.settings import SettingsError, from_mapping
    from archi.settings.errors import SECRET_KEYS

    try:
        config = yaml.safe_load(stack.read_text())["config"]
        plain = {key.removeprefix("archi:"): value for key, value in config.items()}
        plain = {key: value for key, value in plain.items() if key not in SECRET_KEYS}
        plain.pop("env_secrets", None)
        return frozenset(from_mapping(name, plain).deployed)
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError, SettingsError):
        return frozenset()


def _of_file(path: Path) -> Report:
    try:
        return _of_text(path.read_bytes())
    except OSError as error:
        fail(f"{path} can't be read: {error.strerror}.", ExitCode.NOT_FOUND)


def _of_text(content: bytes) -> Report:
    from archi.diagnosis import diagnose_text
    from archi.diagnosis.deployment import Report

    found = diagnose_text(content.decode(errors="replace").split("\n"))
    report = Report(None, None, None, "No line of it tells an error.")
    return report if found is None else report.because(found)


def _show(console: Console, report: Report) -> None:
    width = min(console.width, _WIDEST)

    def say(text: str, indent: str) -> None:
        lines = textwrap.wrap(
            text,
            width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        console.print("\n".join(lines), markup=False)

    indent = ""
    if report.service:
        mark = "✗" if report.problem else "✓"
        where = f" ({report.container})" if report.container else ""
        say(f"{mark} {report.service}{where}: {report.state}", "")
        indent = "  "
    say(report.what, indent)
    if report.problem:
        say(f"Mend: {report.mend}", indent)
        say(f"Confidence: {report.confidence}", indent)
    if report.evidence:
        line = f"Line {report.line}" if report.line else "It"
        log = f" of `docker logs {report.container}`" if report.line and report.container else ""
        say(f"{line}{log} says:", indent)
        say(report.evidence, f"{indent}  ")
