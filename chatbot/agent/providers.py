"""Which server answers for a model: the deployment's vLLM, or a provider that a pipeline names."""

from __future__ import annotations

import asyncio
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2

from chatbot.deployment_files import DeploymentFiles
from chatbot.failures import Failure
from chatbot.model import errors as model_errors
from chatbot.model.server import ModelServer, http_client
from chatbot.pipelines import Provider

if TYPE_CHECKING:
    from chatbot.agent.chat_model import VllmChat

# Requests name the limit of an answer by this field where nothing else is said.
MAX_TOKENS = "max_tokens"


@dataclass(frozen=True)
class Endpoint:
    """A model and the server that answers for it.

    ``server`` is vLLM, which is asked for the context and for counts of tokens; None elsewhere.
    """

    name: str
    chat: VllmChat
    base_url: str
    server: ModelServer | None
    max_tokens_field: str = MAX_TOKENS

    async def explained(self, error: Exception) -> Failure:
        """Say what an error of a request means."""
        failure = model_errors.from_exception(error, base_url=self.base_url, model=self.name)
        if failure.code != "model_not_found" or isinstance(error, Failure):
            return failure
        # The list of models says what is served; the error of the chat does not.
        mismatch = await self.server.mismatch(self.name) if self.server is not None else None
        return mismatch or failure


class Endpoints:
    """The endpoints of the deployment. Its methods belong to the background loop."""

    def __init__(
        self, files: DeploymentFiles, server: ModelServer, client: httpx2.AsyncClient, api_key: str
    ) -> None:
        self._files = files
        self._server = server
        self._client = client
        self._api_key = api_key
        self._made: dict[tuple[str, Provider | None, str], Endpoint] = {}

    def of(self, model: str) -> Endpoint:
        """Return the endpoint of a model: the served one's id, or ``<provider>/<model>``.

        Raises:
            Failure: the provider's key is not there.
            SettingsError: its file cannot be read.
        """
        elsewhere = self._files.pipelines().elsewhere(model)
        if elsewhere is None:
            key, provider, rest = self._api_key, None, model
        else:
            provider, rest = elsewhere
            key = self._key(provider, model)
        known = self._made.get((model, provider, key))
        if known is None:
            # A changed key or address makes what was made before useless.
            known = self._make(model, rest, provider, key)
            self._made = {x: made for x, made in self._made.items() if x[0] != model}
            self._made[(model, provider, key)] = known
        return known

    def _key(self, provider: Provider, model: str) -> str:
        if provider.api_key_secret is None:
            return "EMPTY"
        key = self._files.secret(provider.api_key_secret)
        if key is None:
            raise Failure(
                "provider_key_missing",
                f"The key of {model} is missing: there is no secret {provider.api_key_secret}.",
                f"Put {provider.api_key_secret} into the deployment's secrets "
                "(archi:env_secrets) and run `pulumi up`.",
                status=503,
            )
        return key

    def _make(self, name: str, model: str, provider: Provider | None, key: str) -> Endpoint:
        # Importing LangChain takes seconds: the page must not wait for it, nor the loop.
        from chatbot.agent.chat_model import chat_model

        if provider is None:
            chat = chat_model(
                base_url=self._server.base_url, model=model, api_key=key, client=self._client
            )
            return Endpoint(name, chat, self._server.base_url, self._server)
        client = http_client(provider.base_url, key)
        chat = chat_model(base_url=provider.base_url, model=model, api_key=key, client=client)
        made = Endpoint(name, chat, provider.base_url, None, provider.max_tokens_field)
        # Answers under way keep an endpoint that was replaced, and with it its connections.
        finalizer = weakref.finalize(made, _close, client, asyncio.get_running_loop())
        finalizer.atexit = False
        return made


def _close(client: httpx2.AsyncClient, loop: asyncio.AbstractEventLoop) -> None:
    # Called in whichever thread lets go of the endpoint last.
    if loop.is_running():
        asyncio.run_coroutine_threadsafe(client.aclose(), loop)
