"""Taking a deployment away: what would go, and doing it.

Everything is found by the label ``archi.deployment``, whole, never by a name. What Pulumi knows it
destroys; what it does not know is removed after it. State and stack file go last, so that a delete
that was killed is known and finished by the next one.
"""

from archi.deletion.plan import Plan, Volume, plan
from archi.deletion.removal import DeletionError, carry_out

__all__ = ["DeletionError", "Plan", "Volume", "carry_out", "plan"]
