"""The logs of a deployment's services, several of them in one order of time."""

from __future__ import annotations

import contextlib
import heapq
import queue
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from archi.deployments import containers

if TYPE_CHECKING:
    from docker.models.containers import Container

_SPAN = re.compile(r"(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?")
_POLL_SECONDS = 0.5


class NoTime(ValueError):
    """A text that is neither a span of time nor a moment."""


@dataclass(frozen=True)
class Line:
    """A line of a log: whose, when, and the text without either."""

    service: str
    time: str
    text: str

    @property
    def at(self) -> datetime:
        """When it was logged; the beginning of time where it does not say."""
        try:
            found = containers.moment(self.time)
        except ValueError:
            found = None
        return found or datetime.min.replace(tzinfo=UTC)


def since(text: str, now: datetime) -> datetime:
    """The moment that ``10m``, ``1h30m``, ``2d`` (ago) or ``2026-11-25T03:00:00`` names.

    Raises:
        NoTime: it is neither.

    """
    word = text.strip()
    if word and (match := _SPAN.fullmatch(word)):
        days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        return now - timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    try:
        moment = datetime.fromisoformat(word.replace("Z", "+00:00"))
    except ValueError:
        raise NoTime(
            f"{text!r} is no time. Mend: write a span such as 10m, 1h30m or 2d, or a moment such "
            "as 2026-11-25T03:00:00."
        ) from None
    return moment if moment.tzinfo else moment.astimezone()


def lines(
    ours: Mapping[str, Container],
    *,
    begin: datetime | None = None,
    tail: int | None = None,
    follow: bool = False,
) -> Iterator[Line]:
    """Log lines of containers in order of time; with ``follow`` also what comes, as it comes.

    Args:
        ours: container by service.
        begin: leave out what is older; None for all.
        tail: at most so many of each service, of those that are there already.
        follow: go on until all of them have ended.

    """
    seen: dict[str, str] = {}
    now = datetime.now(UTC)
    streams = [_past(service, one, begin, tail) for service, one in ours.items()]
    for line in heapq.merge(*streams, key=lambda line: line.at):
        seen[line.service] = line.time
        yield line
    if follow:
        yield from _coming(ours, seen, now)


def _past(
    service: str, container: Container, begin: datetime | None, tail: int | None
) -> list[Line]:
    options: dict[str, Any] = {"tail": "all" if tail is None else tail}
    if begin is not None:
        options["since"] = begin.timestamp()
    raw: bytes = container.logs(timestamps=True, **options)
    return [_line(service, one) for one in raw.decode(errors="replace").splitlines()]


def _coming(
    ours: Mapping[str, Container], seen: Mapping[str, str], begin: datetime
) -> Iterator[Line]:
    """What comes after the last line seen, or after ``begin`` where none was."""
    from docker.errors import APIError

    arrived: queue.SimpleQueue[Line | None] = queue.SimpleQueue()

    def read(service: str, container: Container) -> None:
        last = seen.get(service, "")
        start = (containers.moment(last) if last else None) or begin
        rest = b""
        try:
            # The stream ends with the container, which may go while it is read.
            with contextlib.suppress(APIError, OSError):
                for chunk in container.logs(
                    stream=True,
                    follow=True,
                    timestamps=True,
                    since=start.timestamp(),
                ):
                    *whole, rest = (rest + chunk).split(b"\n")
                    for one in whole:
                        line = _line(service, one.decode(errors="replace"))
                        if line.time > last:  # Docker's own form has one width, so text compares
                            arrived.put(line)
        finally:
            arrived.put(None)

    for service, container in ours.items():
        threading.Thread(target=read, args=(service, container), daemon=True).start()
    open_streams = len(ours)
    while open_streams:
        try:
            line = arrived.get(timeout=_POLL_SECONDS)  # so that Ctrl-C is seen
        except queue.Empty:
            continue
        if line is None:
            open_streams -= 1
        else:
            yield line


def _line(service: str, raw: str) -> Line:
    time, _, text = raw.rstrip("\r\n").partition(" ")
    return Line(service, time, text)
