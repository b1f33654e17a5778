"""Lines of logs without their decoration."""

from pathlib import Path

import pytest

from archi.diagnosis import clean, last_error
from archi.diagnosis.log_lines import may_tell

LOGS = sorted((Path(__file__).parent / "logs").glob("*.log"))


@pytest.mark.parametrize(
    ("line", "plain"),
    [
        ("\x1b[36m(EngineCore pid=26)\x1b[0m ERROR 11-23 01:14:33 [core.py:900] boom", "boom"),
        ('(Worker_TP0 pid=88) ERROR 11-23 01:14:33 [core.py:900]   File "a"', '  File "a"'),
        ("(EngineCore pid=26) Process EngineCore:", "Process EngineCore:"),
        ("2026-11-25T03:24:51.123456789Z (APIServer pid=1) KeyError: 'x'", "KeyError: 'x'"),
        ("  Value error, no", "  Value error, no"),
        ("plain", "plain"),
        ("", ""),
    ],
)
def test_colours_and_prefixes_go(line: str, plain: str) -> None:
    assert clean(line) == plain


def test_what_is_no_error_is_left_out() -> None:
    lines = [
        "INFO:     Started server process [1]",
        "(EngineCore pid=26) INFO 11-23 01:14:32 [core.py:402] x",
        "WARNING: y",
        '  File "a.py", line 1, in b',
        "    code()",
        "    ^^^^^^",
        "utils.py:1: FutureWarning: z",
        "",
        "ValueError: v",
    ]
    assert [(line.text, line.number) for line in may_tell(lines)] == [("ValueError: v", 9)]


def test_of_lines_that_repeat_the_last_one_stays() -> None:
    assert [(line.text, line.number) for line in may_tell(["a", "b", "a"])] == [("b", 2), ("a", 3)]


def test_the_last_error_is_no_wrapper() -> None:
    assert last_error(["ValueError: v", "Traceback (most recent call last):"]) == "ValueError: v"
    assert last_error(["only this"]) == "only this"
    assert last_error([]) == ""


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
def test_a_line_is_cleaned_alike_by_itself_and_among_others(log: Path) -> None:
    """Of lines with the prefix of one before them only the first is looked at closely."""
    lines = log.read_text().splitlines()
    for line in may_tell(lines):
        assert line.text == clean(lines[line.number - 1])
