"""The database: its command line, and how it is asked for its health."""

from __future__ import annotations

from archi.render.health import HealthCheck
from archi.render.places import FILES_PATH, LOOPBACK, postgres_port
from archi.settings import Settings

POSTGRES_USER = "archi"
POSTGRES_DATABASE = "archi"

POSTGRES_DATA = "/var/lib/postgresql/data"
POSTGRES_SOCKETS = "/var/run/postgresql"
"""Where both images have the data and the Unix socket."""

POSTGRES_STOP_GRACE_SECONDS = 60
"""A checkpoint at the end of a busy day takes its time."""


def database_url(settings: Settings) -> str:
    """The database's address, without its password, which is a file."""
    host = LOOPBACK if settings.host_mode else "postgres"
    return f"postgresql://{POSTGRES_USER}@{host}:{postgres_port(settings)}/{POSTGRES_DATABASE}"


def postgres_command(settings: Settings) -> list[str]:
    """The start script and Postgres' own arguments."""
    options = {
        "listen_addresses": LOOPBACK if settings.host_mode else "*",
        "port": postgres_port(settings),
        "unix_socket_directories": POSTGRES_SOCKETS,
        # A quarter of the memory, as Postgres' documentation says (20.4.1 Memory, version 15).
        "shared_buffers": f"{max(16, settings.services.postgres.memory // 4)}MB",
    }
    script = ["sh", str(FILES_PATH / "postgres_start.sh")]
    return [*script, *(word for key, value in options.items() for word in ("-c", f"{key}={value}"))]


def postgres_health_check(settings: Settings) -> HealthCheck:
    """The server takes connections."""
    port = str(postgres_port(settings))
    return HealthCheck(
        # Without a user Postgres logs each look as a failed login of a role that is not there.
        test=(
            *("CMD", "pg_isready", "--quiet", "--host", POSTGRES_SOCKETS, "--port", port),
            *("--username", POSTGRES_USER, "--dbname", POSTGRES_DATABASE),
        ),
        interval="10s",
        timeout="5s",
        retries=5,
        start_period="1m0s",
    )


def postgres_readiness_command(settings: Settings) -> tuple[str, ...]:
    """A login over TCP with the password from its file: what the chat application will do."""
    login = (
        f'PGPASSWORD="$(cat {FILES_PATH}/secrets/postgres_password)" exec psql --no-password '
        f"--quiet --host {LOOPBACK} --port {postgres_port(settings)} --username {POSTGRES_USER} "
        f"--dbname {POSTGRES_DATABASE} --command 'SELECT 1'"
    )
    return ("sh", "-c", login)
