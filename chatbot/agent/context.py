"""Making a conversation fit into what the model can read.

The oldest turns are dropped first; the system prompt and the newest question always stay.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from chatbot.model.server import overflow

SYSTEM_PROMPT = "You are a helpful assistant. Answer clearly and briefly."

# No answer is longer than this many tokens: a small model that repeats itself would not end.
MAX_ANSWER_TOKENS = 2048
# The answer gets at least this share of the context before turns are dropped for it.
_ANSWER_SHARE = 4

Turn = dict[str, str]
Count = Callable[[list[Turn]], Awaitable[int | None]]


@dataclass(frozen=True)
class Prompt:
    """What is sent. Lengths are in tokens.

    ``max_tokens`` is the longest answer (None: the server's own limit), ``tokens`` the prompt's
    length and ``limit`` the model's context (None: unknown); ``dropped`` messages were left out.
    """

    messages: list[Turn]
    max_tokens: int | None
    dropped: int
    tokens: int | None
    limit: int | None


def estimate(messages: Sequence[Turn]) -> int:
    """Estimate a prompt's tokens, rather too many: a third of its bytes and 8 for each message."""
    return sum(len(turn["content"].encode()) // 3 + 8 for turn in messages)


async def fit(turns: Sequence[Turn], limit: int | None, count: Count) -> Prompt:
    """Drop the oldest turns until the prompt and an answer fit.

    Args:
        turns: the conversation without the system prompt; the last is the question.
        limit: the model's context in tokens; None where it is unknown, then nothing is dropped.
        count: counts a prompt's tokens; returns None where it cannot.

    Raises:
        Failure: the newest question alone is too long.
    """
    system = {"role": "system", "content": SYSTEM_PROMPT}
    if limit is None:
        return Prompt([system, *turns], None, 0, None, None)
    room = limit - min(MAX_ANSWER_TOKENS, max(1, limit // _ANSWER_SHARE))

    async def tokens(start: int) -> int:
        messages = [system, *turns[start:]]
        exact = await count(messages)
        return estimate(messages) if exact is None else exact

    # A conversation may begin only with a question: many templates refuse anything else.
    starts = [index for index, turn in enumerate(turns) if turn["role"] == "user"]
    length = await tokens(starts[0])
    low, high = 0, len(starts) - 1
    if length > room:
        # The prompt shrinks with every later start, so the first one that fits is found by halves.
        while low < high:
            middle = (low + high) // 2
            if await tokens(starts[middle]) <= room:
                high = middle
            else:
                low = middle + 1
        length = await tokens(starts[low])
    if length >= limit:
        raise overflow(length, limit)
    start = starts[low]
    longest = min(MAX_ANSWER_TOKENS, limit - length)
    return Prompt([system, *turns[start:]], longest, start, length, limit)
