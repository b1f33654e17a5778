"""The chat application: how it finds vLLM and its database, and what it refuses at its start.

Texts of chatbot/ and of curl as run in its container, whose ways to fail tests provoke; those of
httpx, psycopg 3, SQLite and gunicorn are from their source, the resolver's from the C library.
"""

from __future__ import annotations

from archi.diagnosis.rules import Confidence, rule

RULES = (
    rule(
        "database-unreachable",
        (
            "cannot start. The database {url:word} cannot be migrated",
            'could not translate host name "postgres"',
            "failed to resolve host 'postgres'",
            "The database does not answer (",
        ),
        "The chat application can't use its database.",
        "see that it runs (`docker ps --all`), then `pulumi up --refresh`.",
    ),
    rule(
        "chat-settings",
        "chatbot: cannot start. {problem} Mend: {mend:rest}",
        "The chat application refuses its settings: {problem}",
        "{mend}",
    ),
    rule(
        "vllm-name-unknown",
        (
            "Name or service not known",
            "Temporary failure in name resolution",
            "Could not resolve host",
            "No address associated with hostname",
            "does not answer (its name is not known)",
            '"failure": "model_not_running"',
        ),
        "The chat container does not know vLLM's name: vLLM's container does not run, or they are "
        "not on one network.",
        "start it where `docker ps --all` says that it has ended; `pulumi up --refresh` puts them "
        "on the deployment's network; in host mode VLLM_BASE_URL "
        "is http://localhost:PORT/v1, for a vLLM elsewhere archi:services.vllm.base_url names it.",
        Confidence.LIKELY,
    ),
    rule(
        "vllm-not-answering",
        (
            "Failed to connect to … Couldn't connect to server",
            "Failed to connect to … Connection refused",
            "Connection refused",
            "All connection attempts failed",
            "does not answer (no connection)",
            '"failure": "model_unreachable"',
        ),
        "Nothing answers at vLLM's address.",
        "it starts for some minutes before it listens: `docker logs` of vllm-server tells how far "
        "it is; if it has ended, its own diagnosis says why.",
        Confidence.LIKELY,
    ),
    rule(
        "vllm-stalled",
        (
            '"failure": "model_stalled"',
            '"failure": "model_hangs"',
            "does not answer (no answer in time)",
            "answers, but generates nothing",
        ),
        "vLLM took a request and said nothing for too long.",
        "it is overloaded, or hangs: lower archi:services.vllm.max_num_seqs or "
        "archi:services.chatbot.max_streams; `docker restart` of vllm-server ends a hang.",
        Confidence.LIKELY,
    ),
    rule(
        "chat-worker-killed",
        ("was sent SIGKILL! Perhaps out of memory?", "WORKER TIMEOUT"),
        "The chat application's worker was killed.",
        "`dmesg | grep -i oom` tells whether the host lacks memory.",
        Confidence.LIKELY,
    ),
    rule(
        "chat-database-locked",
        "database is locked",
        "Two processes write to the chat application's database at once.",
        "end the one that does not belong there, or take Postgres (archi:services.chatbot.database "
        "postgres).",
        Confidence.LIKELY,
    ),
)
