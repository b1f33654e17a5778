"""Having the model write the titles of conversations, for readers who wait for them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError
from uuid import UUID

import structlog

from chatbot import failures
from chatbot.agent.responder import ChatResponder
from chatbot.data import conversations, titles
from chatbot.data.database import Database
from chatbot.data.tables import Conversation, TitleBy
from chatbot.data.titles import Exchange
from chatbot.failures import Failure
from chatbot.runs.admission import Admission
from chatbot.runs.background_loop import BackgroundLoop
from chatbot.settings import Settings

log = structlog.get_logger(__name__)

# Seconds between two looks at whether somebody still waits.
_LOOK = 0.1


class Titles:
    """Asks the model for titles. A request to it takes one of the places for answers."""

    def __init__(
        self,
        settings: Settings,
        loop: BackgroundLoop,
        database: Database,
        responder: ChatResponder,
        admission: Admission,
    ) -> None:
        self._settings = settings
        self._loop = loop
        self._database = database
        self._responder = responder
        self._admission = admission

    def write(
        self, conversation_id: UUID, owner: UUID, reader_gone: Callable[[], bool]
    ) -> Conversation:
        """Have the title of a conversation written, where it still is the question's words.

        It stays as it is where there is no whole answer yet, where all places are taken, where the
        model fails or writes no title, and where its owner has given one.

        Args:
            conversation_id: the conversation.
            owner: the account that asks.
            reader_gone: whether nobody waits for the title any more; the request then ends.

        Raises:
            Failure: 404, the account has no such conversation.
        """
        with self._database.read() as session:
            conversation = conversations.get(session, conversation_id, owner)
            if conversation.title_by != TitleBy.QUESTION or not self._settings.model_titles:
                return conversation
            exchange = titles.first_exchange(session, conversation_id)
        if exchange is None:
            return conversation
        self._ask(conversation_id, exchange, reader_gone)
        with self._database.read() as session:
            return conversations.get(session, conversation_id, owner)

    def _ask(
        self, conversation_id: UUID, exchange: Exchange, reader_gone: Callable[[], bool]
    ) -> None:
        try:
            self._admission.enter()
        except Failure as failure:
            log.info("title_not_asked_for", failure=failure.code)
            return
        try:
            with self._database.write() as session:
                claimed = titles.claim(session, conversation_id)
            if claimed:
                self._give(conversation_id, exchange, reader_gone)
        finally:
            self._admission.leave()

    def _give(
        self, conversation_id: UUID, exchange: Exchange, reader_gone: Callable[[], bool]
    ) -> None:
        try:
            title = self._written(exchange, reader_gone)
        except BaseException as error:
            with self._database.write() as session:
                titles.give_back(session, conversation_id)
            if not isinstance(error, Failure | CancelledError):
                raise
            why = error.code if isinstance(error, Failure) else "shutting_down"
            log.info("title_not_written", conversation=str(conversation_id), failure=why)
            return
        if title is not None:
            with self._database.write() as session:
                titles.give(session, conversation_id, title)

    def _written(self, exchange: Exchange, reader_gone: Callable[[], bool]) -> str | None:
        work = self._loop.submit(self._responder.title(exchange))
        while True:
            try:
                return work.result(_LOOK)
            except TimeoutError:
                if reader_gone():
                    work.cancel()
                    raise failures.client_left() from None
