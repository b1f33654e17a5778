"""Smoke test: does a deployment answer, wire by wire?

`run` is the whole test, `ask` the short one at the end of ``make up``. Addresses, model and keys
are those of the deployment (`of_deployment`); the environment's SMOKE_… override them.
"""

from __future__ import annotations

from archi.smoke.endpoints import PROVIDERS, Endpoints, SmokeError, of_deployment
from archi.smoke.report import Check, Report, State, Wire
from archi.smoke.run import ask, run

__all__ = [
    "PROVIDERS",
    "Check",
    "Endpoints",
    "Report",
    "SmokeError",
    "State",
    "Wire",
    "ask",
    "of_deployment",
    "run",
]
