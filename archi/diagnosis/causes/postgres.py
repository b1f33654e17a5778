"""The database: texts of archi/in_container/postgres_start.sh, Postgres 15 and psycopg 3.

The script's own are provoked by tests/e2e/test_postgres.py; Postgres' stand in the server of the
image, but its full disk, its damages and its connections were not provoked.
"""

from __future__ import annotations

from archi.diagnosis.rules import Confidence, rule

RULES = (
    rule(
        "postgres-major",
        "the volume holds a database of Postgres {found:int}, this is Postgres {ours:int}",
        "The volume holds a database of Postgres {found}, and this is Postgres {ours}.",
        "name an image of the volume's own version in archi:services.postgres.image, or migrate: "
        'docs/advanced_setup_deploy.md, "Postgres".',
    ),
    rule(
        "postgres-volume-in-use",
        "postgres_start: another container serves this volume",
        "Another container serves the database's volume.",
        "stop it (`docker ps --filter volume=VOLUME` names it): two servers would ruin the data.",
    ),
    rule(
        "postgres-password-missing",
        "postgres_start: {file:word} is missing or empty",
        "The database's password is not in the deployment's files.",
        "`pulumi up --refresh` writes them again.",
    ),
    rule(
        "postgres-password-wrong",
        'password authentication failed for user "{user}"',
        "Postgres refuses the password of the chat application.",
        "`pulumi up --refresh` gives both the same one; Postgres takes it at its start.",
    ),
    rule(
        "postgres-disk-full",
        (
            'could not extend file "{file}": No space left on device',
            'could not write to file "{file}": No space left on device',
        ),
        "The disk of the database is full.",
        "free space where Docker keeps its volumes (`docker system df`); the data is unharmed.",
    ),
    rule(
        "postgres-damaged",
        (
            "could not locate a valid checkpoint record",
            "invalid page in block",
            "could not read block",
        ),
        "The database's files are damaged.",
        "stop, copy the volume, and restore your last backup: docs/advanced_setup_deploy.md, "
        '"Postgres".',
        Confidence.LIKELY,
    ),
    rule(
        "postgres-starting",
        (
            "the database system is starting up",
            "the database system is not yet accepting connections",
        ),
        "The database is still starting, after a crash perhaps.",
        "wait a minute: it takes up its work by itself.",
        Confidence.LIKELY,
    ),
    rule(
        "postgres-connections",
        ("sorry, too many clients already", "remaining connection slots are reserved"),
        "The database has no connection left.",
        "end what else uses it; the chat application opens thirty at most.",
    ),
)
