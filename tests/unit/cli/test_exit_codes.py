from __future__ import annotations

from archi.cli.exit_codes import ExitCode
from archi.project import ROOT


def test_the_page_lists_every_exit_code_with_its_meaning() -> None:
    page = (ROOT / "docs" / "command_line.md").read_text()
    for code in ExitCode:
        assert f"| {int(code)} | {code.meaning} |" in page
