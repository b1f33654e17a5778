"""What is asked over the network: the model hub, the model, the registry, the time of day."""

from __future__ import annotations

import email.utils
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from archi.doctor.finding import Finding, State
from archi.settings import Settings

if TYPE_CHECKING:
    import requests

_SECONDS = 4
HUB = "https://huggingface.co"
_REDIRECTS = range(300, 400)


@dataclass(frozen=True)
class Answer:
    """What came back from a public service.

    Attributes:
        status: of HTTP; None where nothing answered.
        code: the hub's own name of the error (``X-Error-Code``).
        said: why nothing answered.
        ahead: seconds by which its clock is before ours; None where it tells no time.

    """

    status: int | None
    code: str = ""
    said: str = ""
    ahead: float | None = None

    @property
    def answers(self) -> bool:
        """Whether it is the service that answered, and it is not out of order."""
        return self.status is not None and self.status < 500


def ask(url: str, token: str | None = None) -> Answer:
    """Ask for the head of a page, through the proxy and CA of the environment.

    A redirect is not followed: the token is for this host alone.
    """
    import requests

    headers = {"Authorization": f"Bearer {token}"} if token else {}
    began = time.time()
    try:
        answer = requests.head(url, headers=headers, timeout=_SECONDS, allow_redirects=False)
    except requests.RequestException as error:
        return Answer(None, said=_why(error))
    middle = (began + time.time()) / 2
    ahead = None
    if date := answer.headers.get("Date"):
        try:
            ahead = email.utils.parsedate_to_datetime(date).timestamp() - middle
        except ValueError:
            ahead = None
    code = answer.headers.get("X-Error-Code", "")
    return Answer(answer.status_code, code, f"HTTP {answer.status_code}", ahead)


def _why(error: requests.RequestException) -> str:
    import requests

    kinds: tuple[tuple[type[Exception], str], ...] = (
        (requests.exceptions.ProxyError, "the proxy does not let it through"),
        (requests.exceptions.SSLError, "its TLS certificate is not trusted"),
        (requests.exceptions.Timeout, f"no answer within {_SECONDS} s"),
    )
    for kind, what in kinds:
        if isinstance(error, kind):
            return what
    unknown = ("Name or service not known", "name resolution", "NameResolutionError")
    if any(text in str(error) for text in unknown):
        return "its name is not known"
    return "no connection"


_NETWORK = (
    "check this machine's network and proxy (HTTPS_PROXY, and SSL_CERT_FILE where a proxy "
    "inspects TLS)"
)


def reached(check: str, place: str, answer: Answer, otherwise: str, state: State) -> Finding:
    """Whether a public service answers.

    Args:
        check: name of the finding.
        place: the service, for people.
        answer: what came.
        otherwise: what to do where it can't be had.
        state: how bad it is that it does not answer.

    """
    if answer.answers:
        return Finding(check, "ok", f"{place} answers.")
    return Finding(
        check, state, f"{place} does not answer: {answer.said}.", f"{_NETWORK}, or {otherwise}."
    )


def hub(endpoint: str, answer: Answer, settings: Settings | None, *, kept: bool) -> Finding:
    """The model hub; where weights were downloaded before, they need it no more."""
    state: State = "warning" if kept or settings is None else "problem"
    otherwise = (
        "name a hub that it reaches in archi:hf_endpoint"
        if settings
        else "take a stack whose weights come from packages (archi:source)"
    )
    if kept:
        otherwise += "; weights that are in the volume archi-models need no hub"
    return reached("hub", f"The model hub ({endpoint})", answer, otherwise, state)


def model_url(endpoint: str, model: str, revision: str) -> str:
    """The model's ``config.json``, which may be read by who may read the weights."""
    return f"{endpoint}/{model}/resolve/{revision}/config.json"


# The hub's X-Error-Code (huggingface_hub 1 and 2, utils/_http.py): what it means and its mend.
_REFUSALS: dict[str, tuple[str, str]] = {
    "RepoNotFound": (
        "is not on the hub, or is private",
        "compare archi:services.vllm.model with its page, letter by letter; a private one wants a "
        "token.",
    ),
    "RevisionNotFound": (
        "has no such revision",
        "check archi:services.vllm.revision; main is the default.",
    ),
    "EntryNotFound": (
        "has no config.json, so that vLLM can't serve it as it is",
        "take a model whose repository has one.",
    ),
    "GatedRepo": (
        "is gated, and may not be read so",
        "accept its terms on its page, then `pulumi config set --secret archi:hf_token` with a "
        "token of that account.",
    ),
}
_BY_STATUS = {401: "GatedRepo", 403: "GatedRepo", 404: "RepoNotFound"}


def model(name: str, answer: Answer, *, token: bool, sealed: bool) -> Finding:
    """Whether the model can be had from the hub.

    Args:
        name: its id.
        answer: to the question for its ``config.json``.
        token: whether a token was sent.
        sealed: whether the stack file has a token, which only pulumi can read.

    """
    if not answer.answers:
        return Finding("model", "skipped", f"Without the hub {name} can't be looked at.")
    how = "with your token" if token else "without a token"
    status = int(answer.status or 0)
    if status == 200 or status in _REDIRECTS:
        return Finding("model", "ok", f"{name} can be read {how}.")
    code = answer.code if answer.code in _REFUSALS else _BY_STATUS.get(status, "")
    if code not in _REFUSALS:
        return Finding("model", "warning", f"The hub answers {answer.said} for {name}.")
    what, mend = _REFUSALS[code]
    if sealed and not token and code in ("RepoNotFound", "GatedRepo"):
        return Finding(
            "model",
            "note",
            f"{name} {what} {how}; the stack file's own token is encrypted, and was not tried.",
            "`HF_TOKEN=… archi doctor …` or `--token-file FILE` tries a token.",
        )
    if token and status == 401:
        what, mend = "can't be read: the hub does not know the token", "make a new token there."
    return Finding("model", "problem", f"{name} {what} ({how}).", mend)


_SKEW_SECONDS = 60


def clock(engine_ahead: float | None, network_ahead: float | None) -> Iterator[Finding]:
    """Our clock against the Engine's and the network's.

    Args:
        engine_ahead: seconds by which the Engine's is before ours; None where it is not told.
        network_ahead: the same of a public service.

    """
    compared = []
    for whose, ahead in (("the Docker Engine's", engine_ahead), ("the network's", network_ahead)):
        if ahead is None:
            continue
        compared.append(whose)
        if abs(ahead) > _SKEW_SECONDS:
            side = "behind" if ahead > 0 else "before"
            yield Finding(
                "clock",
                "warning",
                f"This machine's clock is {abs(ahead):.0f} s {side} {whose}: certificates and "
                "logins fail by that.",
                "`sudo timedatectl set-ntp true` on the machine that is wrong.",
            )
            return
    if compared:
        yield Finding("clock", "ok", f"This machine's clock agrees with {' and '.join(compared)}.")
    else:
        yield Finding("clock", "skipped", "There is nobody to compare the clock with.")


def engines_lead(system_time: str, asked_at: float) -> float | None:
    """Seconds by which an Engine's clock is before ours.

    Args:
        system_time: of its ``/info``: RFC 3339, with nanoseconds.
        asked_at: when it was asked, by our clock.

    """
    # Python reads six digits of a fraction, Go writes nine.
    shorter = re.sub(r"(\.\d{6})\d+", r"\1", system_time)
    try:
        return datetime.fromisoformat(shorter).timestamp() - asked_at
    except ValueError:
        return None
