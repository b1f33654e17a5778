from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatbot.agent.context import MAX_ANSWER_TOKENS, Prompt, Turn, estimate, fit
from chatbot.data.message_details import MessageDetails
from chatbot.data.tables import Message, Role
from chatbot.failures import Failure
from chatbot.runs.history import history_of
from tests.chat_application import Chat
from tests.scripted_vllm import ScriptedVllm, count_tokens


async def _exact(turns: list[Turn]) -> int | None:
    return count_tokens(turns)


async def _unknown(turns: list[Turn]) -> int | None:
    return None


def _conversation(lengths: list[int]) -> list[Turn]:
    return [
        {"role": "assistant" if index % 2 else "user", "content": "w " * length}
        for index, length in enumerate(lengths)
    ]


def _fit(turns: list[Turn], limit: int | None) -> Prompt:
    return asyncio.run(fit(turns, limit, _exact))


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=30).filter(lambda x: len(x) % 2 == 1),
    st.integers(450, 5000),
)
def test_the_prompt_and_its_longest_answer_always_fit(lengths: list[int], limit: int) -> None:
    turns = _conversation(lengths)
    prompt = _fit(turns, limit)
    assert prompt.max_tokens is not None
    assert count_tokens(prompt.messages) + prompt.max_tokens <= limit
    assert 1 <= prompt.max_tokens <= MAX_ANSWER_TOKENS
    assert [turn["role"] for turn in prompt.messages[:2]] == ["system", "user"]
    assert prompt.messages[1:] == turns[prompt.dropped :]
    if prompt.dropped:
        # One turn more would not have left the answer its share.
        fuller = [prompt.messages[0], *turns[prompt.dropped - 2 :]]
        assert count_tokens(fuller) > limit - min(MAX_ANSWER_TOKENS, limit // 4)


def test_a_question_that_alone_is_too_long_is_refused() -> None:
    with pytest.raises(Failure, match="reads at most 100"):
        _fit(_conversation([200]), 100)


@given(
    st.lists(st.integers(1, 400), min_size=1, max_size=9).filter(lambda x: len(x) % 2 == 1),
    st.integers(450, 50_000),
)
def test_only_a_prompt_that_fits_in_any_case_is_not_counted(lengths: list[int], limit: int) -> None:
    turns = _conversation(lengths)
    prompt = _fit(turns, limit)
    if prompt.tokens is None:
        assert (prompt.messages[1:], prompt.max_tokens) == (turns, MAX_ANSWER_TOKENS)
    else:
        assert prompt.tokens == count_tokens(prompt.messages)


def test_a_short_prompt_is_not_waited_for_to_be_counted() -> None:
    async def never(turns: list[Turn]) -> int | None:
        raise AssertionError(turns)

    prompt = asyncio.run(fit(_conversation([100]), 32_768, never))
    assert (prompt.tokens, prompt.limit) == (None, 32_768)


def test_nothing_is_dropped_where_the_limit_is_unknown() -> None:
    prompt = _fit(_conversation([5000]), None)
    assert (prompt.dropped, prompt.max_tokens) == (0, None)


def test_without_a_tokenizer_the_length_is_estimated() -> None:
    turns = _conversation([300, 300, 5])
    prompt = asyncio.run(fit(turns, 300, _unknown))
    assert prompt.dropped == 2
    assert prompt.max_tokens is not None
    assert estimate(prompt.messages) + prompt.max_tokens <= 300


def test_questions_without_an_answer_are_left_out() -> None:
    def message(role: Role, content: str) -> Message:
        return Message(role=role, content=content)

    history = [
        message(Role.USER, "one"),
        message(Role.ASSISTANT, ""),
        message(Role.USER, "two"),
        message(Role.ASSISTANT, "answer"),
        message(Role.USER, "three"),
    ]
    assert [past.content for past in history_of(history, MessageDetails())] == [
        "two",
        "answer",
        "three",
    ]


def test_the_oldest_turns_are_dropped_when_the_model_is_full(
    chat: Chat, vllm: ScriptedVllm
) -> None:
    vllm.max_model_len = 120
    conversation = chat.new()
    chat.ask(conversation, "first " * 40)
    ended = chat.ask(conversation, "second " * 50)
    sent = vllm.requests[-1]
    assert [turn["role"] for turn in sent["messages"]] == ["system", "user"]
    assert ended["usage"]["dropped_messages"] == 2
    assert count_tokens(sent["messages"]) + sent["max_tokens"] <= 120
    assert len(chat.messages(conversation)) == 4


def test_a_question_longer_than_the_model_reads_is_an_error_card(
    chat: Chat, vllm: ScriptedVllm
) -> None:
    vllm.max_model_len = 50
    ended = chat.ask(chat.new(), "word " * 100)
    assert ended["status"] == "error"
    assert ended["error"]["code"] == "context_overflow"
    assert "shorter question" in ended["error"]["next_step"]
    assert vllm.requests == []
