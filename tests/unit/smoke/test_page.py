"""docs/smoke.md says what the smoke test does."""

from __future__ import annotations

import json
import re

from archi.cli.exit_codes import ExitCode
from archi.project import ROOT
from archi.smoke import Report
from tests.unit.smoke.test_report import CHECKS
from tests.unit.smoke.test_run import ALL

PAGE = (ROOT / "docs" / "smoke.md").read_text()


def test_every_check_and_every_variable_stands_there() -> None:
    assert set(re.findall(r"`((?:vllm|chat)-[a-z-]+)`", PAGE)) == set(ALL)
    source = "".join(path.read_text() for path in (ROOT / "archi/smoke").glob("*.py"))
    # Those of the keys are put together from the service's name.
    used = set(re.findall(r"SMOKE_(?:CHAT_URL|PROVIDER|VLLM_BASE_URL|VLLM_MODEL)", source))
    used |= {"SMOKE_VLLM_API_KEY", "SMOKE_CHAT_API_KEY"}
    assert set(re.findall(r"^\| `(SMOKE_[A-Z_]+)`", PAGE, re.MULTILINE)) == used


def test_every_exit_code_of_the_smoke_test_stands_there_with_its_meaning() -> None:
    rows = dict(re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.MULTILINE))
    meanings = {
        str(int(code)): code.meaning.removeprefix("Smoke test: ").rstrip(".")
        for code in ExitCode
        if code.name.startswith("SMOKE_")
    }
    assert {code: rows[code].lower() for code in meanings} == {
        code: meaning.lower() for code, meaning in meanings.items()
    }
    assert rows.keys() - meanings.keys() == {"0", "1", "2", "4"}


def test_the_json_on_the_page_has_the_shape_of_a_report() -> None:
    shown = json.loads(re.findall(r"```json\n(.+?)```", PAGE, re.DOTALL)[0])
    made = Report("bot", "vllm", "o/m", CHECKS[:1], "Hello.").as_dict()
    assert shown.keys() == made.keys()
    assert shown["checks"][0].keys() == made["checks"][0].keys()
