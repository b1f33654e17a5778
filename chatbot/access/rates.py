"""Counting how often who asks for what."""

from __future__ import annotations

import math
import sqlite3
import time
from dataclasses import dataclass
from pathlib import Path

import structlog
from limits import RateLimitItemPerSecond
from limits.strategies import FixedWindowRateLimiter

from chatbot.access.rate_counts import RateCounts
from chatbot.failures import Failure

log = structlog.get_logger(__name__)

_MINUTE = 60


@dataclass(frozen=True)
class Rate:
    """At most ``amount`` in ``seconds``; ``what`` is counted, as the refusal says it."""

    what: str
    amount: int
    seconds: int


# Guesses at one account's password from one address, from anywhere, and at anybody's.
LOGIN_HERE = Rate("logins of this account", 10, 5 * _MINUTE)
LOGIN_ANYWHERE = Rate("logins of this account", 100, 60 * _MINUTE)
LOGIN_ADDRESS = Rate("logins from this address", 60, 5 * _MINUTE)
SETUP = Rate("tries from this address", 10, 5 * _MINUTE)
PASSWORD = Rate("changes of the password", 10, 5 * _MINUTE)


class Rates:
    """Counts what was asked for, in all workers together."""

    def __init__(self, path: Path | None = None) -> None:
        self._counts = RateCounts(path)
        self._limiter = FixedWindowRateLimiter(self._counts)

    def take(self, rate: Rate, who: str) -> None:
        """Count one more of somebody's.

        Raises:
            Failure: 429, there were too many.
        """
        item = RateLimitItemPerSecond(rate.amount, rate.seconds)
        try:
            if self._limiter.hit(item, rate.what, who):
                return
            until = self._limiter.get_window_stats(item, rate.what, who).reset_time
        except sqlite3.Error as error:
            # Without counts people still get in: the rest of the guards stand.
            log.warning("rates_not_counted", error=str(error))
            return
        wait = max(1, math.ceil(until - time.time()))
        raise Failure(
            "rate_limited",
            f"Too many {rate.what}: {rate.amount} in {_span(rate.seconds)} are allowed.",
            f"Try again in {wait} seconds.",
            status=429,
            retry_after=wait,
        )

    def forget(self, rate: Rate, who: str) -> None:
        """Count somebody's from nought again."""
        item = RateLimitItemPerSecond(rate.amount, rate.seconds)
        try:
            self._limiter.clear(item, rate.what, who)
        except sqlite3.Error as error:
            log.warning("rates_not_counted", error=str(error))

    def first(self, what: str, seconds: int) -> bool:
        """Whether something is seen for the first time in so many seconds, by any worker.

        Raises:
            sqlite3.Error: nobody can say.
        """
        return self._counts.incr(f"once/{what}", seconds) == 1

    def close(self) -> None:
        """Close the counts."""
        self._counts.close()


def _span(seconds: int) -> str:
    return "a minute" if seconds == _MINUTE else f"{seconds // _MINUTE} minutes"
