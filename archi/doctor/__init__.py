"""Doctor: is this machine, and a deployment on it, as it should be. It changes nothing."""

from archi.doctor.checks import CHECKS, group_of
from archi.doctor.examination import NoSuchDeployment, examine
from archi.doctor.finding import Finding, State

__all__ = ["CHECKS", "Finding", "NoSuchDeployment", "State", "examine", "group_of"]
