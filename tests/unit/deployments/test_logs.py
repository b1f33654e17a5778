"""Which time `--since` names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from archi.deployments.logs import Line, NoTime, since

NOW = datetime(2026, 11, 25, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("30s", timedelta(seconds=30)),
        ("10m", timedelta(minutes=10)),
        ("1h30m", timedelta(hours=1, minutes=30)),
        (" 2d ", timedelta(days=2)),
    ],
)
def test_a_span_is_counted_back_from_now(text: str, span: timedelta) -> None:
    assert since(text, NOW) == NOW - span


def test_a_moment_is_taken_as_it_is() -> None:
    assert since("2026-11-25T03:00:00Z", NOW) == datetime(2026, 11, 25, 3, tzinfo=UTC)
    assert since("2026-11-25T03:00:00", NOW).tzinfo is not None


@pytest.mark.parametrize("text", ["", "soon", "10", "10 m", "m10", "1h 30m"])
def test_what_is_no_time_is_refused_with_the_mend(text: str) -> None:
    with pytest.raises(NoTime, match="Mend: write a span such as 10m"):
        since(text, NOW)


def test_a_line_without_a_time_comes_first() -> None:
    assert Line("chatbot", "", "x").at < Line("chatbot", "2026-11-25T03:00:00.1Z", "x").at
    assert Line("chatbot", "garbage", "x").at == Line("chatbot", "", "x").at
