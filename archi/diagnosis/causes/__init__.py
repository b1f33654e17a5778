"""What is known of failures: a table a subject, in the order in which they are asked.

A rule stands above another when its text is the cause of the other's: a gated repository also
reads as an invalid one, and a full disk as a file that could not be written. So what is special
comes first, and what may have many causes (a port, a disk, a signal) last.

Each table says where its texts are from: *seen* where they were provoked and kept
(tests/unit/diagnosis/logs) or are provoked by a test; *source* where they stand in the source or
the binary of that version, looked up on 2026-11-25; *knowledge* where neither was to be had.
"""

from __future__ import annotations

from archi.diagnosis.causes import (
    arguments,
    chat,
    docker_host,
    engine,
    gpu,
    memory,
    model,
    postgres,
    requests,
    resources,
    weights,
)
from archi.diagnosis.rules import Rule

RULES: tuple[Rule, ...] = (
    *docker_host.RULES,
    *postgres.RULES,
    *weights.RULES,
    *arguments.RULES,
    *model.RULES,
    *memory.RULES,
    *gpu.RULES,
    *requests.RULES,
    *chat.RULES,
    *resources.RULES,
    *engine.RULES,
)

WITHOUT_A_WORD: tuple[Rule, ...] = engine.WITHOUT_A_WORD
"""Asked where no rule knows a line and no line tells an error itself."""
