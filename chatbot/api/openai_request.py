"""What of a request to ``/v1`` is handed on to vLLM, and what is too much."""

from __future__ import annotations

from typing import Any

from chatbot.api import json_body
from chatbot.api.openai_content import checked_messages
from chatbot.failures import Failure

# vLLM computes all n answers at once: a huge n has taken servers down (CVE-2026-34756).
MAX_CHOICES = 4
MAX_MESSAGES = 2_000
MAX_TOOLS = 128

# How a request says how long its answer may be, in tokens.
LENGTHS = ("max_tokens", "max_completion_tokens")

# What is passed on. Anything else is dropped, as OpenAI's own servers drop what they don't know:
# vLLM has parameters (chat_template among them) that a client has no business to set.
PASSED_ON = frozenset(
    {
        "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens",
        "temperature", "top_p", "top_k", "min_p", "seed", "stop", "n", "user",
        "presence_penalty", "frequency_penalty", "repetition_penalty", "logit_bias",
        "logprobs", "top_logprobs", "response_format", "reasoning_effort",
        "tools", "tool_choice", "parallel_tool_calls",
    }
)  # fmt: skip


def checked(asked: object, served: str) -> dict[str, Any]:
    """Return the request as it is handed on.

    Raises:
        Failure: it is no chat request (400), names another model than ``served`` (404), or has
            content that is not taken (400, 422).
    """
    if not isinstance(asked, dict):
        raise Failure("invalid_body", "The body must be a JSON object.", status=400)
    json_body.check_content(asked)
    messages = asked.get("messages")
    if not isinstance(messages, list) or not 0 < len(messages) <= MAX_MESSAGES:
        raise _invalid("messages", f"must be a list of 1 to {MAX_MESSAGES:,} messages")
    wanted = asked.get("model")
    if wanted not in (None, "", served):
        raise Failure(
            "model_not_found",
            f"The model {wanted!r} is not served here; this deployment serves {served!r}.",
            f"Ask for {served!r}, or leave `model` out.",
            status=404,
            param="model",
        )
    body = {key: value for key, value in asked.items() if key in PASSED_ON and value is not None}
    body["messages"] = checked_messages(messages)
    choices = body.get("n", 1)
    if not _is_positive(choices):
        raise _invalid("n", "must be a positive integer")
    if "n" in body:
        body["n"] = min(choices, MAX_CHOICES)
    for key in LENGTHS:
        if key in body and not _is_positive(body[key]):
            raise _invalid(key, "must be a positive integer")
    tools = body.get("tools", [])
    if not isinstance(tools, list) or len(tools) > MAX_TOOLS:
        raise _invalid("tools", f"must be a list of at most {MAX_TOOLS} tools")
    if not isinstance(body.get("stream", False), bool):
        raise _invalid("stream", "must be true or false")
    body["model"] = served
    return body


def _is_positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _invalid(param: str, wanted: str) -> Failure:
    return Failure("invalid_body", f"`{param}` {wanted}.", status=400, param=param)
