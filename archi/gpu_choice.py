"""Which of a host's GPUs a new deployment gets, and how many of them share each layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


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
    *,
    attention_heads: int | None,
    kv_heads: int | None = None,
    tensor_parallel_size: int | None = None,
    pipeline_parallel_size: int = 1,
) -> GpuChoice:
    """Take as many of the offered GPUs as the model can be dealt out over evenly.

    Args:
        offered: ids, at least one, in the order in which they are taken.
        attention_heads: of the model; None where unknown.
        kv_heads: its key-value heads; None where unknown.
        tensor_parallel_size: set by the person, and then kept.
        pipeline_parallel_size: groups of GPUs one after another; each has the same size.

    """
    most = len(offered) // pipeline_parallel_size
    size = tensor_parallel_size or max(
        (count for count in range(1, most + 1) if _even(count, attention_heads, kv_heads)),
        default=1,
    )
    taken = size * pipeline_parallel_size
    return GpuChoice(tuple(offered[:taken]), size, tuple(offered[taken:]))


def _even(count: int, attention_heads: int | None, kv_heads: int | None) -> bool:
    """Whether the heads can be dealt out over so many GPUs.

    Key-value heads are dealt out, or each is copied to the same number of GPUs (vLLM 0.32.0,
    vllm/model_executor/models/qwen2.py, ``Qwen2Attention``). Where a number is unknown, powers of
    two are taken: they divide the heads of nearly every published model.
    """
    if attention_heads is not None and attention_heads % count:
        return False
    if attention_heads is None or kv_heads is None:
        return count & (count - 1) == 0
    return kv_heads % count == 0 or count % kv_heads == 0
