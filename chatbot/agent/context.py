"""Making a conversation fit into what the model can read.

The oldest turns are dropped first, then long results of tools are cut; the system prompt and the
newest question always stay.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from chatbot.agent.agents import PLAIN_PROMPT
from chatbot.model.server import overflow

# No answer is longer than this many tokens: a small model that repeats itself would not end.
MAX_ANSWER_TOKENS = 2048
# The answer gets at least this share of the context before turns are dropped for it.
_ANSWER_SHARE = 4
# Tokens of an image, about: 0.32's Qwen-VL models take up to 16,384, most others a thousand.
_IMAGE_TOKENS = 1024
# Room, in tokens, for what a chat template writes around each message, and before all of them: most
# of it tells the model how to call tools.
_TEMPLATE_TURN = 32
_TEMPLATE = 1024
# Characters that are left of each tool's result, tried one after the other.
_RESULT_CHARS = (12_000, 6_000, 3_000, 1_500, 700, 300)

# A message as OpenAI's API has it.
Turn = dict[str, Any]
Count = Callable[[list[Turn]], Awaitable[int | None]]


@dataclass(frozen=True)
class Prompt:
    """What is sent. Lengths are in tokens.

    ``max_tokens`` is the longest answer (None: the server's own limit), ``tokens`` the prompt's
    length (None: not counted) and ``limit`` the model's context (None: unknown); ``dropped``
    messages were left out.
    """

    messages: list[Turn]
    max_tokens: int | None
    dropped: int
    tokens: int | None
    limit: int | None


def estimate(messages: Sequence[Turn]) -> int:
    """Estimate a prompt's tokens, rather too many: a third of its bytes and 8 for each message."""
    return sum(_bytes(turn) // 3 + 8 for turn in messages) + images(messages)


def at_most(messages: Sequence[Turn], tools: Sequence[dict[str, Any]] = ()) -> int:
    """Return a number of tokens that a prompt of texts surely does not reach.

    A token is a byte or more of text. Twice as many bytes, because a tokenizer may write a
    character in a longer way (Unicode's NFKC) first, and some room for what the template adds.
    """
    written = sum(_bytes(turn) for turn in messages) + len(str(tools).encode())
    return 2 * written + _TEMPLATE_TURN * len(messages) + _TEMPLATE


def images(messages: Sequence[Turn]) -> int:
    """Estimate the tokens of the images in a prompt."""
    count: int = sum(
        part["type"] == "image_url"
        for turn in messages
        if isinstance(turn["content"], list)
        for part in turn["content"]
    )
    return _IMAGE_TOKENS * count


def without_images(messages: Sequence[Turn]) -> list[Turn]:
    """Return messages whose content is text alone."""
    return [{**turn, "content": text_of(turn)} for turn in messages]


def text_of(turn: Turn) -> str:
    """Return a message's text."""
    content = turn["content"]
    if isinstance(content, list):
        return "\n".join(part["text"] for part in content if part["type"] == "text")
    return str(content or "")


def cut(text: str, most: int) -> str:
    """Return a text of at most ``most`` characters and a mark where something is left out."""
    if len(text) <= most:
        return text
    return f"{text[:most]}\n[… cut here: {len(text) - most:,} characters more]"


async def fit(
    turns: Sequence[Turn],
    limit: int | None,
    count: Count,
    *,
    system: str = PLAIN_PROMPT,
    tools: Sequence[dict[str, Any]] = (),
    most: int | None = None,
) -> Prompt:
    """Drop the oldest turns, then cut results of tools, until the prompt and an answer fit.

    A prompt so short that it fits in any case is not counted: nobody need wait for that.

    Args:
        turns: the conversation without the system prompt, from the first question on.
        limit: the model's context in tokens; None where it is unknown, then nothing is dropped.
        count: counts a prompt's tokens; returns None where it cannot.
        system: the system prompt.
        tools: the descriptions of tools that go into the prompt.
        most: the longest answer that is wanted, in tokens; None: ``MAX_ANSWER_TOKENS``.

    Raises:
        Failure: the newest question alone is too long.
    """
    head = [{"role": "system", "content": system}]
    if limit is None:
        return Prompt([*head, *turns], most, 0, None, None)
    longest = most or MAX_ANSWER_TOKENS
    room = limit - min(longest, max(1, limit // _ANSWER_SHARE))

    async def length(messages: list[Turn]) -> int:
        exact = await count(without_images(messages))
        return estimate(messages) if exact is None else exact + images(messages)

    # A conversation may begin only with a question: many templates refuse anything else.
    starts = [index for index, turn in enumerate(turns) if turn["role"] == "user"]
    kept = [*head, *turns[starts[0] :]]
    if not images(kept) and at_most(kept, tools) <= limit - longest:
        return Prompt(kept, longest, starts[0], None, limit)
    tokens = await length(kept)
    low, high = 0, len(starts) - 1
    if tokens > room:
        # The prompt shrinks with every later start, so the first one that fits is found by halves.
        while low < high:
            middle = (low + high) // 2
            if await length([*head, *turns[starts[middle] :]]) <= room:
                high = middle
            else:
                low = middle + 1
        kept = [*head, *turns[starts[low] :]]
        tokens = await length(kept)
    for chars in _RESULT_CHARS:
        if tokens <= room or not any(turn["role"] == "tool" for turn in kept):
            break
        kept = [_shorter(turn, chars) for turn in kept]
        tokens = await length(kept)
    if tokens >= limit:
        raise overflow(tokens, limit)
    return Prompt(kept, min(longest, limit - tokens), starts[low], tokens, limit)


def _shorter(turn: Turn, chars: int) -> Turn:
    if turn["role"] != "tool":
        return turn
    return {**turn, "content": cut(text_of(turn), chars)}


def _bytes(turn: Turn) -> int:
    calls = turn.get("tool_calls") or ()
    called = sum(len(str(call["function"]).encode()) for call in calls)
    return len(text_of(turn).encode()) + called
