"""What can go wrong, in words for people, and the one JSON shape in which every error travels.

The shape is OpenAI's error object with one key more, ``next_step``::

    {"error": {"message": ..., "type": ..., "param": ..., "code": ..., "next_step": ...}}
"""

from __future__ import annotations

from typing import Any


class Failure(Exception):
    """An error that a user may see.

    Args:
        code: a short stable name, for programs.
        message: what happened.
        next_step: what the reader can do about it.
        status: the HTTP status it is answered with.
        retry_after: seconds after which trying again makes sense.
    """

    def __init__(
        self,
        code: str,
        message: str,
        next_step: str = "",
        *,
        status: int = 400,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.next_step = next_step
        self.status = status
        self.param = param
        self.retry_after = retry_after

    @property
    def detail(self) -> dict[str, Any]:
        """The inner error object."""
        return {
            "message": self.message,
            "type": "server_error" if self.status >= 500 else "invalid_request_error",
            "param": self.param,
            "code": self.code,
            "next_step": self.next_step,
        }

    @property
    def body(self) -> dict[str, Any]:
        """The whole JSON body."""
        return {"error": self.detail}


def busy(limit: int) -> Failure:
    """Say that all places for concurrent answers are taken."""
    return Failure(
        "too_many_streams",
        f"All {limit} places for concurrent answers are taken.",
        "Try again in a few seconds.",
        status=503,
        retry_after=2,
    )


def shutting_down() -> Failure:
    """Say that no new answer is begun here any more."""
    return Failure(
        "shutting_down",
        "The chat application is shutting down.",
        "Try again in a minute.",
        status=503,
        retry_after=10,
    )


def client_left() -> Failure:
    """Say that nobody waits for the response; the status is what nginx logs for it."""
    return Failure("client_left", "The client has closed the connection.", status=499)
