"""The smoke test's own key for the chat application: made when wanted, revoked at the end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from archi.smoke.transport import NoReply, NoWay, chat_key

_SHOWN = 12  # characters by which the chat application knows a key again: chatbot/data/api_keys.py


@dataclass
class ChatKey:
    """A key that lives as long as the test, and ten minutes at most.

    Attributes:
        execute: runs a command in the chat container, as `Endpoints.execute` does.

    """

    execute: Callable[[Sequence[str]], str]
    _key: str | None = field(default=None, repr=False)

    def get(self) -> str | None:
        """The key; None where the container can't be asked for one.

        Raises:
            NoKey: the chat application has none to give.

        """
        if self._key is None:
            with contextlib.suppress(NoWay, NoReply):
                self._key = chat_key(self.execute)
        return self._key

    def revoke(self) -> None:
        """Take it out of use; where that fails it ends by itself."""
        if self._key is not None:
            with contextlib.suppress(NoWay, NoReply):
                self.execute(["python3", "-m", "chatbot", "key", "revoke", self._key[:_SHOWN]])
            self._key = None
