"""A conversation's title, by the model that has answered in it."""

from __future__ import annotations

import re
from contextlib import aclosing
from dataclasses import replace

from chatbot import metrics
from chatbot.agent.context import cut
from chatbot.agent.events import ModelCallEnded
from chatbot.agent.model_call import Call, ModelCall
from chatbot.agent.providers import Endpoint
from chatbot.agent.request import Sampling
from chatbot.data.conversations import title_from
from chatbot.data.tables import Status
from chatbot.data.titles import Exchange
from chatbot.failures import Failure
from chatbot.settings import Settings

SYSTEM = "You write titles of conversations."
# The instruction stands last: small models forget what stands before a long text.
_INSTRUCTION = (
    "Write a title for this conversation: at most six words, in the language of the question, "
    "without quotation marks. Write the title and nothing else."
)
_ASKED = "Question:\n{question}\n\nAnswer:\n{answer}\n\n" + _INSTRUCTION
# Characters of the question and of the answer that the model reads.
_READ_CHARS = 1500
# Some models reason first, whatever they are told.
_MOST_TOKENS = 512
# What is longer is no title: the model has gone on talking.
_MOST_CHARS = 90
_MOST_WORDS = 14
# So many characters of the instruction are no chance: very small models say it again.
_ECHO = 20
# Characters after which it need not go on; it may begin with "Title:" and the like.
_MOST_WRITTEN = 3 * _MOST_CHARS

_THOUGHT = re.compile(r"<think>.*?(?:</think>|$)", re.DOTALL)
_LABEL = re.compile(r"^(?:title|titel|titre|título|标题)\s*[:\uff1a]\s*", re.IGNORECASE)
_AROUND = " \t#*_`\"'“”„‚‘’«»「」『』"


async def title_of(exchange: Exchange, endpoint: Endpoint, settings: Settings) -> str | None:
    """Ask the model for a title; None where it writes something else.

    Raises:
        Failure: why there is no answer.
    """
    question, answer = (cut(text, _READ_CHARS) for text in (exchange.question, exchange.answer))
    call = Call(
        endpoint=endpoint,
        system=SYSTEM,
        turns=[{"role": "user", "content": _ASKED.format(question=question, answer=answer)}],
        sampling=Sampling(temperature=0.2, max_tokens=_MOST_TOKENS),
        thinking=False,
    )
    try:
        written = await _written(ModelCall(call, settings))
    except Failure as failure:
        # With a tokenizer of Mistral's vLLM refuses all parameters of a template.
        if failure.code != "model_refused":
            raise
        written = await _written(ModelCall(replace(call, thinking=True), settings))
    return cleaned(written)


async def _written(call: ModelCall) -> str:
    """Return what the model writes, up to where it is no title any more."""
    usage: dict[str, int | None] = {}
    async with aclosing(call.events()) as events:
        async for event in events:
            if isinstance(event, ModelCallEnded):
                usage["prompt_tokens"] = event.prompt_tokens
                usage["completion_tokens"] = event.completion_tokens
            elif len(call.content) > _MOST_WRITTEN:
                break
    metrics.answer_ended("title", Status.COMPLETE if usage else Status.STOPPED, usage)
    return call.content


def cleaned(written: str) -> str | None:
    """Return the title that stands in what a model has written; None where there is none."""
    lines = [line for line in _THOUGHT.sub("", written).splitlines() if line.strip()]
    if len(lines) != 1:
        return None
    line = _LABEL.sub("", lines[0].strip(_AROUND)).lstrip(_AROUND).rstrip(_AROUND + ".")
    if len(line) > _MOST_CHARS or len(line.split()) > _MOST_WORDS:
        return None
    if not any(character.isalnum() for character in line):
        return None
    if len(line) >= _ECHO and line[:_ECHO].casefold() in _INSTRUCTION.casefold():
        return None
    return title_from(line)
