"""A smoke test's report for CI systems."""

from __future__ import annotations

from pathlib import Path

from archi.smoke.report import Report, State


def write(report: Report, path: Path) -> None:
    """Write it as JUnit XML: a test case a check, its wire in front of what is said of it.

    Raises:
        OSError: the file can't be written.

    """
    from junitparser import Failure, JUnitXml, Skipped, TestCase, TestSuite

    suite = TestSuite(f"archi smoke {report.deployment}")
    suite.add_property("provider", report.provider)
    suite.add_property("model", report.model)
    for check in report.checks:
        case = TestCase(check.name, f"smoke.{report.deployment}", round(check.seconds, 3))
        said = f"{check.wire.value}: {check.detail}"
        if check.state is State.FAILED:
            failure = Failure(said, check.code.name if check.code else "")
            failure.text = f"{said}\nMend: {check.mend}"
            case.result = [failure]
        elif check.state is State.SKIPPED:
            case.result = [Skipped(check.detail)]
        else:
            case.system_out = f"{check.state.value}: {said}"
        suite.add_testcase(case)
    suite.update_statistics()  # type: ignore[no-untyped-call]
    xml = JUnitXml("archi smoke")
    xml.add_testsuite(suite)
    xml.update_statistics()  # type: ignore[no-untyped-call]
    xml.write(str(path), pretty=True)
