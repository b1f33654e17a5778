"""A model hub, asked for the few files that describe a model."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from archi.models.safetensors import sizes

if TYPE_CHECKING:
    import requests

HUB = "https://huggingface.co"
TIMEOUT_SECONDS = 3.0
_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"


class NoSuchModel(Exception):
    """There is no such model, or nobody may read it; the text says which, and the mend."""


class HubUnread(Exception):
    """The hub does not answer, or does not tell; the text says why. The name has to do then."""


def resolve(endpoint: str, timeout: float) -> None:
    """Look the hub's name up, which no timeout of a request covers.

    A machine without a name server waits half a minute for it otherwise. Behind a proxy it is the
    proxy that looks names up.
    """
    from requests.utils import get_environ_proxies

    if get_environ_proxies(endpoint):
        return
    host = urlsplit(endpoint).hostname
    known = threading.Event()

    def look_up() -> None:
        with contextlib.suppress(OSError):  # the request says what is wrong
            socket.getaddrinfo(host, None)
        known.set()

    threading.Thread(target=look_up, daemon=True).start()
    if not known.wait(timeout):
        raise HubUnread(f"{endpoint} does not answer (no name server does)")


@dataclass(frozen=True)
class Hub:
    """One model on a hub.

    Attributes:
        endpoint: the hub's address, without a slash at its end.
        token: for models that not everybody may read.
        timeout: seconds that one request may take.
        model_id: ``org/name``.

    """

    endpoint: str
    token: str | None
    timeout: float
    model_id: str

    def text(self, name: str, *, there: bool = False) -> str | None:
        """A file's text; None where the repository, known to be ``there``, has no such file."""
        import requests

        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        url = f"{self.endpoint}/{self.model_id}/resolve/main/{name}"
        try:
            answer = requests.get(url, headers=headers, timeout=self.timeout)
        except requests.RequestException as error:
            raise HubUnread(f"{self.endpoint} does not answer ({type(error).__name__})") from None
        if answer.ok:
            return answer.content.decode("utf-8", errors="replace")
        missing = there and answer.status_code == requests.codes.not_found
        if missing or answer.headers.get("X-Error-Code") == "EntryNotFound":
            return None
        raise self._refused(answer)

    def json(self, name: str, *, there: bool = False) -> Mapping[str, Any] | None:
        """A file's JSON object; None where the repository has no such file."""
        text = self.text(name, there=there)
        return None if text is None else json_object(text)

    def weights(self) -> tuple[int | None, int | None]:
        """Bytes and parameters of the safetensors files."""
        if index := self.json(_INDEX, there=True):
            told = index.get("metadata") or {}
            return _whole(told.get("total_size")), _whole(told.get("total_parameters"))
        import httpx2
        from huggingface_hub import HfApi
        from huggingface_hub.errors import HfHubHTTPError, SafetensorsParsingError

        api = HfApi(endpoint=self.endpoint, token=self.token or False)
        try:
            header = api.parse_safetensors_file_metadata(
                self.model_id, _SINGLE, timeout=self.timeout
            )
        except (HfHubHTTPError, httpx2.HTTPError, SafetensorsParsingError):
            return None, None
        return sizes([header])

    def _refused(self, answer: requests.Response) -> Exception:
        code = answer.headers.get("X-Error-Code", "")
        if code == "GatedRepo" or answer.status_code == 403:
            return HubUnread(
                f"{self.model_id} is gated on {self.endpoint} (accept its conditions there, and "
                "set HF_TOKEN to a token of that account)"
            )
        if answer.status_code in (401, 404):
            return NoSuchModel(
                f"{self.endpoint} has no model {self.model_id}, or only for others. Mend: check "
                "the spelling; for a private model set HF_TOKEN."
            )
        return HubUnread(f"{self.endpoint} answers {answer.status_code}")


def json_object(text: str) -> Mapping[str, Any] | None:
    """A text's JSON object; None where it is none."""
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, (int, float)) and value > 0 else None
