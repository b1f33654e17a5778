"""``python -m chatbot``: check the settings, migrate the database, become gunicorn."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError

from chatbot import account_commands, logs, workers_folder
from chatbot.access import setup_token
from chatbot.data import migrate
from chatbot.data.database import Database
from chatbot.data.recovery import recover_gone, recover_runless
from chatbot.deployment_files import DeploymentFiles
from chatbot.environment import SettingsError
from chatbot.runs.worker_name import is_alive, this_host
from chatbot.server import Server
from chatbot.settings import Settings

# LangChain sends conversations to LangSmith where the environment says so. This chat is private.
_PRIVATE = {"LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false"}


def main(arguments: Sequence[str]) -> int:
    """Start the application; returns an exit code only when it cannot be started.

    With arguments it runs a command about accounts or keys instead.
    """
    if arguments:
        return account_commands.main(arguments)
    os.environ.update(_PRIVATE)
    logs.configure()
    try:
        settings = Settings.from_environment()
        files = DeploymentFiles(settings.files)
        files.session_key()
        files.certificate()
        model = files.model
        database = Database.of(settings, files)
    except SettingsError as error:
        print(f"chatbot: cannot start. {error}", file=sys.stderr)
        return 2
    try:
        revision = migrate.upgrade(database)
        recover(database)
        setup = setup_token.offer(settings, database)
    except SQLAlchemyError as error:
        print(
            f"chatbot: cannot start. The database {settings.database_url} cannot be migrated: "
            f"{error.__cause__ or error}. Mend: see that it runs, that secrets/postgres_password "
            "is its password, and that /data can be written to.",
            file=sys.stderr,
        )
        return 3
    finally:
        # No connection may be open when gunicorn forks its worker.
        database.close()
    structlog.get_logger("chatbot").info(
        "starting", model=model, base_url=settings.vllm_base_url, schema=revision
    )
    workers_folder.prepare()
    Server(settings, setup).run()
    return 0


def recover(database: Database) -> None:
    """Mark what an earlier process left in progress as interrupted.

    Raises:
        SQLAlchemyError: the database fails.
    """
    recover_gone(database, this_host(), is_alive)
    with database.write() as session:
        recover_runless(session)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
