"""The services of a deployment as a table for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from rich.table import Table

from archi.cli.spans import ago

if TYPE_CHECKING:
    from archi.deployments.containers import ServiceState


def service_table(services: Sequence[ServiceState], now: datetime) -> Table:
    """A row each; what does not run says its exit code."""
    table = Table(box=None, pad_edge=False)
    for column in ("SERVICE", "STATE", "HEALTH", "SINCE", "RESTARTS", "IMAGE"):
        table.add_column(column, overflow="fold", no_wrap=column != "IMAGE")
    for one in services:
        ended = f" ({one.exit_code})" if one.exit_code is not None else ""
        table.add_row(
            one.service,
            f"{one.state}{ended}",
            one.health or "–",
            ago(one.since, now),
            str(one.restarts),
            one.image or "–",
        )
    return table
