"""A conversation's title, by the model that has answered in it."""

from __future__ import annotations

import re
from contextlib import aclosing

from chatbot import metrics
from chatbot.agent.context import cut
from chatbot.agent.events import ModelCallEnded
from chatbot.agent.model_call import Call, ModelCall
from chatbot.agent.providers import Endpoint
from chatbot.agent.request import Sampling
from chatbot.data.conversations import title_from
from chatbot.data.tables import Status
from chatbot.data.titles import Exchange
from chatbot.settings import Settings

SYSTEM = "You write titles of conversations."
# The instruction stands last: small models forget what stands before a long text.
_ASKED = """Question:
{question}

Answer:
{answer}

Write a title for this conversation: at most six words, in the language of the question, without \
quotation marks. Write the title and nothing else."""
# Characters of the question and of the answer that the model reads.
_READ_CHARS = 1500
_MOST_TOKENS = 40
# What is longer is no title: the model has gone on talking.
_MOST_CHARS = 90
_MOST_WORDS = 14

_THOUGHT = re.compile(r"<think>.*?(?:</think>|$)", re.DOTALL)
_LABEL = re.compile(r"^(?:title|titel|titre|título|标题)\s*[:\uff1a]\s*", re.IGNORECASE)
_AROUND = " \t#*_`\"'“”„‚‘’«»「」『』"


async def title_of(exchange: Exchange, endpoint: Endpoint, settings: Settings) -> str | None:
    """Ask the model for a title; None where it writes something else.

    Raises:
        Failure: why there is no answer.
    """
    question, answer = (cut(text, _READ_CHARS) for text in (exchange.question, exchange.answer))
    asked = _ASKED.format(question=question, answer=answer)
    call = ModelCall(
        Call(
            endpoint=endpoint,
            system=SYSTEM,
            turns=[{"role": "user", "content": asked}],
            sampling=Sampling(temperature=0.2, max_tokens=_MOST_TOKENS),
            thinking=False,
        ),
        settings,
    )
    async with aclosing(call.events()) as events:
        async for event in events:
            if isinstance(event, ModelCallEnded):
                usage = {
                    "prompt_tokens": event.prompt_tokens,
                    "completion_tokens": event.completion_tokens,
                }
                metrics.answer_ended("title", Status.COMPLETE, usage)
    return cleaned(call.content)


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
    return title_from(line)
