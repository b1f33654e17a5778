"""Which of a host's GPUs a new deployment gets, and how many of them share each layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archi.models import ModelFacts
from archi.models.placement import even


@dataclass(frozen=True)
class GpuChoice:
    """What ``archi create`` writes into the stack file.

    Attributes:
        ids: as ``archi:gpu_ids`` has them.
        tensor_parallel_size: GPUs that share each layer.
        left_over: ids that were offered and are not taken, because the model can't be dealt out
            evenly over all of them.

    """

    ids: tuple[str, ...]
    tensor_parallel_size: int
    left_over: tuple[str, ...] = ()

    @property
    def said(self) -> str:
        """The ids as ``archi:gpu_ids`` writes them: ``0,1``."""
        return ",".join(self.ids)


def choose(
    offered: Sequence[str],
    facts: ModelFacts,
    *,
    tensor_parallel_size: int | None = None,
    pipeline_parallel_size: int = 1,
) -> GpuChoice:
    """Take as many of the offered GPUs as the model can be dealt out over evenly.

    Args:
        offered: ids, at least one, in the order in which they are taken.
        facts: of the model.
        tensor_parallel_size: set by the person, and then kept.
        pipeline_parallel_size: groups of GPUs one after another; each has the same size.

    """
    most = max(1, len(offered) // pipeline_parallel_size)
    size = tensor_parallel_size or even(facts, most)
    taken = size * pipeline_parallel_size
    return GpuChoice(tuple(offered[:taken]), size, tuple(offered[taken:]))
