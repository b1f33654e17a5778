from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
import structlog

# The application imports it in a thread, and the tests' own clients must not at the same time.
import chatbot.agent.loop  # noqa: F401
from chatbot.app import create_app
from chatbot.data.database import Database
from chatbot.services import Services
from chatbot.settings import Settings
from tests.chat_accounts import Guarded
from tests.chat_application import Chat, ChatApplication, environment, until, write_files
from tests.chat_database import drop_database, give_migrated, opened
from tests.scripted_vllm import ScriptedVllm


@pytest.fixture(autouse=True)
def _logs() -> Iterator[None]:
    """A command that ran in this process logged to an output that ended with its test."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def vllm_process() -> Iterator[ScriptedVllm]:
    with ScriptedVllm() as server:
        yield server


@pytest.fixture
def vllm(vllm_process: ScriptedVllm) -> ScriptedVllm:
    # What an earlier test left must not be counted in this one.
    vllm_process.release()
    assert vllm_process.wait(lambda server: server.running == 0)
    vllm_process.reset()
    return vllm_process


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A migrated database of the test's own."""
    give_migrated(tmp_path)
    found = opened(tmp_path)
    yield found
    found.close()
    drop_database(tmp_path)


@pytest.fixture
def chat_with(tmp_path: Path) -> Iterator[Callable[..., Chat]]:
    """Makes an application; its arguments are environment variables besides the usual ones."""
    made: list[Services] = []

    def make(base_url: str, **more: str) -> Chat:
        write_files(tmp_path / "files")
        give_migrated(tmp_path)
        settings = Settings.from_environment(environment(tmp_path, base_url, **more))
        parts = Services(settings)
        made.append(parts)
        return Chat(create_app(parts).test_client(), parts, tmp_path)

    yield make
    for parts in made:
        parts.close()
    drop_database(tmp_path)


@pytest.fixture
def chat(chat_with: Callable[..., Chat], vllm: ScriptedVllm) -> Chat:
    return chat_with(vllm.base_url)


@pytest.fixture(scope="session")
def application_process(
    tmp_path_factory: pytest.TempPathFactory, vllm_process: ScriptedVllm
) -> Iterator[ChatApplication]:
    folder = tmp_path_factory.mktemp("application")
    with ChatApplication(folder, vllm_process.base_url, ARCHI_MAX_STREAMS="4") as application:
        yield application


@pytest.fixture
def application(application_process: ChatApplication, vllm: ScriptedVllm) -> ChatApplication:
    """The real application under gunicorn, with four free places for concurrent answers."""
    # An answer's place is given back a moment after its end is told.
    until(lambda: "archi_chat_streams_active 0.0" in _metrics(application_process))
    return application_process


def _metrics(application: ChatApplication) -> str:
    return requests.get(f"{application.url}/metrics", timeout=60).text


@pytest.fixture
def guarded(chat_with: Callable[..., Chat], vllm: ScriptedVllm) -> Guarded:
    """An application whose people log in with passwords."""
    return Guarded(chat_with(vllm.base_url, ARCHI_AUTH="local"))
