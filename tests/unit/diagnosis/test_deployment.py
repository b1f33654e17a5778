"""How the state of a container is put in words."""

from typing import Any

import pytest

from archi.diagnosis.deployment import shown_state


@pytest.mark.parametrize(
    ("state", "shown"),
    [
        ({"Status": "running"}, "running"),
        ({"Status": "running", "Health": {"Status": "unhealthy"}}, "running, unhealthy"),
        ({"Status": "exited", "ExitCode": 1, "Health": {"Status": "starting"}}, "exited (1)"),
        (
            {"Status": "restarting", "ExitCode": 137, "OOMKilled": True},
            "restarting (137), out of memory",
        ),
    ],
)
def test_a_state_is_shown_in_a_few_words(state: dict[str, Any], shown: str) -> None:
    assert shown_state(state) == shown
