"""Whether the engine behind vLLM's API still generates: a token now and then says so.

Facts: ``/v1/models`` is a list that vLLM makes at its start, and ``/health`` is 503 where the
engine has died, but 200 while it hangs. Only a token proves that there will be answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from chatbot.failures import Failure
from chatbot.model import errors as model_errors
from chatbot.model.server import ModelServer, Progress

log = structlog.get_logger(__name__)

# Seconds that a token may take where nothing else is asked of the model. vLLM says that something
# is only after a step of it, which may be a part of a long prompt on a CPU.
_PATIENCE = 60.0
# Seconds until the next try where there was no token.
_AGAIN = 5.0


class Pulse:
    """Asks for one token now and then. It belongs to the background loop.

    While vLLM generates for others nothing is asked, and the first token after its start makes it
    import and compile what the first reader would else wait for.

    Args:
        server: vLLM.
        model: returns the served model's name.
        every: seconds between two looks.
        busy: seconds that a token may take while vLLM has other requests.
        idle: the same while it has none.

    Attributes:
        failure: why the model generates nothing; None while it does, and while nobody answers,
            which every other request says.
    """

    def __init__(
        self,
        server: ModelServer,
        model: Callable[[], str],
        *,
        every: float,
        busy: float,
        idle: float = _PATIENCE,
    ) -> None:
        self.failure: Failure | None = None
        self._server = server
        self._model = model
        self._every = every
        self._busy = busy
        self._idle = min(idle, busy)
        self._steps: int | None = None

    async def work(self) -> None:
        """Look for ever."""
        while True:
            lives = await self.look()
            await asyncio.sleep(self._every if lives else min(_AGAIN, self._every))

    async def look(self) -> bool:
        """Look once; False where there was no token."""
        try:
            progress = await self._server.progress()
            if progress is None or self._steps is None or progress.steps <= self._steps:
                await self._ask(progress)
                progress = await self._server.progress()
        except Failure as failure:
            self.failure = None if failure.code in model_errors.AWAY else failure
            if self.failure is not None:
                log.warning("model_generates_nothing", failure=failure.code)
            return False
        if self.failure is not None:
            log.info("model_generates_again")
        self.failure = None
        self._steps = progress.steps if progress else None
        return True

    async def _ask(self, before: Progress | None) -> None:
        asked = asyncio.create_task(self._server.generate_token(self._model()))
        waited = 0.0
        try:
            while True:
                done, _ = await asyncio.wait({asked}, timeout=self._idle)
                if done:
                    asked.result()
                    return
                waited += self._idle
                progress = await self._server.progress()
                if before and progress and progress.steps > before.steps:
                    return  # it has enough to do
                if (progress and not progress.requests) or waited >= self._busy:
                    raise model_errors.hangs(waited)
        finally:
            asked.cancel()
            await asyncio.wait({asked})
