"""Smoke test: is the model served, and does an answer come through the chat application?

    python -m archi.smoke DEPLOYMENT

Addresses and model come from the stack's outputs; SMOKE_VLLM_BASE_URL, SMOKE_VLLM_MODEL and
SMOKE_CHAT_URL override them. Where vLLM asks for a key, SMOKE_VLLM_API_KEY is taken, else the key
that the deployment's own containers read.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import requests

from archi import pulumi_cli
from archi.names import LABEL_DEPLOYMENT
from archi.render import API_KEY, FILES_PATH

_PREFLIGHT_TIMEOUT_SECONDS = 10
_ANSWER_TIMEOUT_SECONDS = 300  # a first answer on a slow CPU
_ANSWER_TOKENS = 16


class SmokeError(Exception):
    """The deployment does not answer as it should; the text says what and the mend."""


@dataclass(frozen=True)
class Endpoints:
    """Where a deployment answers.

    Attributes:
        chat_url: of the chat application; None where only a model server is deployed.
        vllm_url: ends in ``/v1``; None where vLLM is not published.
        model: as clients name it.
        vllm_key: gives the API key when vLLM asks for one, None where there is none to be had.

    """

    chat_url: str | None
    vllm_url: str | None
    model: str
    vllm_key: Callable[[], str | None] = lambda: None


def run(endpoints: Endpoints, say: Callable[[str], None]) -> str:
    """Run all steps; gives the model's answer.

    Raises:
        SmokeError: at the first step that fails.

    """
    if endpoints.vllm_url is None:
        say("vLLM is not published on this host: the answer has to prove it")
    else:
        begin = time.monotonic()
        served = _models(endpoints.vllm_url, endpoints.vllm_key)
        if endpoints.model not in served:
            raise SmokeError(
                f"{endpoints.vllm_url} serves {', '.join(served) or 'nothing'}, not "
                f"{endpoints.model}. Mend: `pulumi up` makes the deployment what the stack file "
                "says."
            )
        say(f"vLLM serves {endpoints.model} ({time.monotonic() - begin:.1f} s)")
    begin = time.monotonic()
    answer = _answer(endpoints)
    through = "through the chat application" if endpoints.chat_url else "from vLLM"
    say(f"an answer came {through} ({time.monotonic() - begin:.1f} s)")
    return answer


def of_deployment(name: str) -> Endpoints:
    """The endpoints of a deployment from its stack's outputs, overridden by the environment.

    Raises:
        SmokeError: there is no such deployment, or it has no outputs yet.

    """
    try:
        pulumi = pulumi_cli.prepare(name)
        outputs = json.loads(pulumi.output(["stack", "output", "--json", "-s", name]))
    except pulumi_cli.Refused as refusal:
        raise SmokeError(f"The stack {name} can't be read: {refusal}") from None
    chat_url = os.environ.get("SMOKE_CHAT_URL") or outputs.get("chat_url")
    vllm_url = os.environ.get("SMOKE_VLLM_BASE_URL") or outputs.get("vllm_url")
    model = os.environ.get("SMOKE_VLLM_MODEL") or outputs.get("model")
    if not model or not (chat_url or vllm_url):
        raise SmokeError(
            f"The stack {name} has nothing yet that answers. Mend: `pulumi up -s {name}` first."
        )
    return Endpoints(chat_url, vllm_url, model, lambda: _api_key(name))


def _api_key(name: str) -> str | None:
    """The key that the environment names, else the one in the deployment's own files."""
    if key := os.environ.get("SMOKE_VLLM_API_KEY"):
        return key
    from archi.docker_engine import connect  # the SDK takes its time to load

    filters: dict[str, Any] = {"label": f"{LABEL_DEPLOYMENT}={name}"}
    for container in connect().containers.list(filters=filters):
        read = container.exec_run(["cat", str(FILES_PATH / API_KEY)])
        output: bytes = read.output  # type: ignore[assignment]  # it is not streamed
        if read.exit_code == 0:
            return output.decode().strip()
    return None


def _models(base_url: str, vllm_key: Callable[[], str | None]) -> list[str]:
    url = f"{base_url.rstrip('/')}/models"
    answer = _ask("GET", url, None, _PREFLIGHT_TIMEOUT_SECONDS, vllm_key)
    return [str(model["id"]) for model in answer.get("data", [])]


def _answer(endpoints: Endpoints) -> str:
    body = {
        "model": endpoints.model,
        "messages": [{"role": "user", "content": "Say hello."}],
        "max_tokens": _ANSWER_TOKENS,
        "temperature": 0,
    }
    base_url = f"{endpoints.chat_url}/v1" if endpoints.chat_url else str(endpoints.vllm_url)
    url = f"{base_url.rstrip('/')}/chat/completions"
    answer = _ask("POST", url, body, _ANSWER_TIMEOUT_SECONDS, endpoints.vllm_key)
    try:
        message = answer["choices"][0]["message"]
        # A model that reasons first may come to no answer in so few tokens.
        text = str(message.get("content") or message.get("reasoning") or "").strip()
    except (KeyError, IndexError, TypeError, AttributeError):
        raise SmokeError(f"{url} gave no completion: {json.dumps(answer)[:300]}") from None
    if not text:
        raise SmokeError(f"{url} gave an empty answer: {json.dumps(answer)[:300]}")
    return text


def _ask(method: str, url: str, body: object, timeout: float, key: Callable[[], str | None]) -> Any:  # noqa: ANN401 - JSON
    """The answer's JSON; the key is sent where one is asked for."""
    answer = _send(method, url, body, timeout)
    if answer.status_code == requests.codes.unauthorized and (known := key()):
        answer = _send(method, url, body, timeout, known)
    return _json(answer)


def _send(
    method: str, url: str, body: object, timeout: float, key: str | None = None
) -> requests.Response:
    session = requests.Session()
    session.trust_env = False  # our own services are never behind the environment's proxy
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        return session.request(method, url, json=body, timeout=timeout, headers=headers)
    except requests.RequestException as error:
        raise SmokeError(
            f"{url} can't be reached ({type(error).__name__}). Mend: `docker ps` shows whether its "
            "container runs, `docker logs` what it says."
        ) from None


def _json(answer: requests.Response) -> Any:  # noqa: ANN401 - JSON
    if answer.status_code == requests.codes.unauthorized:
        raise SmokeError(
            f"{answer.url} asks for an API key. Mend: SMOKE_VLLM_API_KEY=… in the environment."
        )
    if not answer.ok:
        raise SmokeError(f"{answer.url} answered {answer.status_code}: {answer.text[:300]}")
    return answer.json()


def main() -> int:
    """Entry point of ``python -m archi.smoke``."""
    parser = argparse.ArgumentParser(prog="archi.smoke", description="Smoke test of a deployment.")
    parser.add_argument("deployment", help="name of its stack")
    name = parser.parse_args().deployment
    provider = os.environ.get("SMOKE_PROVIDER", "vllm")
    try:
        if provider != "vllm":
            raise SmokeError(f"SMOKE_PROVIDER={provider} is not known. Mend: SMOKE_PROVIDER=vllm.")  # noqa: TRY301
        answer = run(of_deployment(name), lambda line: print(f"  ✓ {line}"))
    except SmokeError as error:
        print(f"  ✗ {error}", file=sys.stderr)
        return 1
    print(f"  The model said: {answer}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
