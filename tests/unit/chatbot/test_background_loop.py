from __future__ import annotations

import asyncio
import threading

from chatbot.runs.background_loop import BackgroundLoop


def test_a_mistake_does_not_end_what_is_kept_up() -> None:
    tries: list[int] = []
    went_on = threading.Event()

    async def work() -> None:
        tries.append(len(tries))
        if len(tries) == 1:
            raise ValueError("a mistake")
        went_on.set()
        await asyncio.Event().wait()

    loop = BackgroundLoop()
    try:
        kept = loop.keep_up(work)
        assert went_on.wait(30)
    finally:
        loop.close()
    assert kept.cancelled()
