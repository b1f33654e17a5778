"""What differs between Pulumi's state and Docker, where Pulumi itself can't see it.

The Docker provider never reads a container's environment, labels, mounts or aliases back, nor
whether a small file is as it was written. Here each is compared with what Docker says. Whatever may
hold a secret is named and never shown.
"""

from archi.drift.deployment import of_deployment
from archi.drift.difference import Difference

__all__ = ["Difference", "of_deployment"]
