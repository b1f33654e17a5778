"""What the views share: one object per process, put together in one place."""

from __future__ import annotations

from typing import cast

from flask import Flask, current_app

from chatbot import workers_folder
from chatbot.access.oidc import Provider
from chatbot.access.rates import Rates
from chatbot.access.setup_token import SetupToken
from chatbot.agent.agents import Agents
from chatbot.agent.providers import Endpoints
from chatbot.agent.responder import ChatResponder
from chatbot.agent.tools.mcp import McpServers
from chatbot.agent.tools.toolbox import Toolbox
from chatbot.data.database import Database
from chatbot.deployment_files import DeploymentFiles
from chatbot.documents.mounted import MountedDocuments, lock_of
from chatbot.model.pulse import Pulse
from chatbot.model.server import ModelServer, http_client
from chatbot.runs.admission import Admission, Seats
from chatbot.runs.background_loop import BackgroundLoop
from chatbot.runs.completion_counts import CompletionCounts
from chatbot.runs.runs import Runs
from chatbot.runs.titles import Titles
from chatbot.runs.watch import Limits
from chatbot.settings import Settings


class Services:
    """The application's parts. It starts a thread, so make it after a fork, never before.

    Args:
        settings: the application's.
        admission: this worker's door; one of its own where it is the only worker.
        setup: the token that makes the first admin; none where there is one.

    Raises:
        SettingsError: a file of the deployment is missing or wrong.
    """

    def __init__(
        self,
        settings: Settings,
        admission: Admission | None = None,
        setup: SetupToken | None = None,
    ) -> None:
        self.settings = settings
        self.files = DeploymentFiles(settings.files)
        self.session_key = self.files.session_key()
        self.files.pipelines()
        # vLLM without a key takes any, but the OpenAI client insists on sending one.
        api_key = self.files.secret("vllm_api_key") or "EMPTY"
        self.database = Database.of(settings, self.files)
        self.setup = setup or SetupToken()
        shared = workers_folder.shared()
        self.rates = Rates(shared / "rates.sqlite" if shared else None)
        self.provider = self._provider()
        self.loop = BackgroundLoop()
        self.client = http_client(settings.vllm_base_url, api_key)
        self.server = ModelServer(settings.vllm_base_url, self.client)
        self.admission = admission or Admission(settings.max_streams)
        self.seats = Seats(2 * settings.max_streams)
        self.agents = Agents(self.files)
        self.mcp = McpServers(self.files)
        toolbox = Toolbox(self.database, self.mcp)
        self.tool_names = toolbox.names
        endpoints = Endpoints(self.files, self.server, self.client, api_key)
        self.responder = ChatResponder(settings, self.agents, endpoints, toolbox, self.database)
        limits = Limits(settings.leave_grace, settings.drain_timeout)
        self.runs = Runs(self.loop, self.database, self.responder, self.admission, limits)
        self.completions = CompletionCounts(self.database)
        self.loop.keep_up(self.completions.work)
        self.titles = Titles(settings, self.loop, self.database, self.responder, self.admission)
        self.loop.submit(self.responder.warm_up())
        self.pulse = Pulse(
            self.server,
            lambda: self.files.model,
            every=settings.model_probe,
            busy=settings.first_token_timeout,
        )
        if settings.model_probe:
            self.loop.keep_up(self.pulse.work)
        self.mounted = _mounted(settings, self.database)

    @property
    def secure(self) -> bool:
        """Whether browsers speak to the application by TLS: its own, or a proxy's."""
        by_proxy = (self.settings.access.public_url or "").startswith("https://")
        return by_proxy or self.files.certificate() is not None

    def _provider(self) -> Provider | None:
        if self.settings.access.oidc is None:
            return None
        return Provider(self.settings.access, self.files.secret("oidc_client_secret"))

    def close(self) -> None:
        """End all runs (they save what they have) and close every connection."""
        self.runs.close()
        self.loop.run(self.completions.write())
        if self.mounted is not None:
            self.mounted.close()
        self.loop.close()
        self.rates.close()
        self.database.close()


def _mounted(settings: Settings, database: Database) -> MountedDocuments | None:
    if settings.documents is None:
        return None
    lock = lock_of(settings.database_url)
    made = MountedDocuments(settings.documents, database, lock, settings.max_upload)
    made.start()
    return made


def attach(app: Flask, services: Services) -> None:
    """Give an application its services."""
    app.extensions["chatbot"] = services


def services() -> Services:
    """Return the services of the application that handles this request."""
    return cast(Services, current_app.extensions["chatbot"])
