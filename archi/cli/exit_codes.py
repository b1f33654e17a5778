"""Exit codes of ``archi``, one table for the code and for docs/command_line.md."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's end means to a script."""

    meaning: str

    def __new__(cls, value: int, meaning: str) -> ExitCode:
        """An exit code with its meaning in a sentence."""
        member = int.__new__(cls, value)
        member._value_ = value
        member.meaning = meaning
        return member

    OK = 0, "It is done, or all is well."
    FAILED = 1, "It was tried and failed; the text says why and what to change."
    REFUSED = 2, "Nothing was tried: an argument or a setting can't be as it is."
    NO_ENGINE = 3, "The Docker Engine does not answer."
    NOT_FOUND = 4, "There is no such deployment, service, file or model."
    PROBLEM = 5, "It ran, and what it looked at has a problem (doctor, status, diagnose, model)."
    SMOKE_VLLM_UNREACHABLE = 10, "Smoke test: vLLM does not answer."
    SMOKE_MODEL_MISSING = 11, "Smoke test: vLLM serves another model."
    SMOKE_KEY_REFUSED = 12, "Smoke test: an API key is wanted, or the one sent is refused."
    SMOKE_COMPLETION = 13, "Smoke test: vLLM gives no completion."
    SMOKE_STREAM = 14, "Smoke test: vLLM's streamed completion breaks."
    SMOKE_TOOLS = 15, "Smoke test: vLLM refuses tool calls."
    SMOKE_CHAT_UNREACHABLE = 16, "Smoke test: the chat application does not answer."
    SMOKE_CHAT = 17, "Smoke test: vLLM answers, but not through the chat application."
    INTERRUPTED = 130, "Broken off by Ctrl-C; the same command takes up the work again."
