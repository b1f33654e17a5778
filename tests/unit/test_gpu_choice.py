from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archi.gpu_choice import GpuChoice, choose
from archi.models import lookup


@pytest.mark.parametrize(
    ("gpus", "model", "expected"),
    [
        (1, "Qwen/Qwen3-8B", GpuChoice(("0",), 1)),
        (2, "Qwen/Qwen3-8B", GpuChoice(("0", "1"), 2)),
        (3, "Qwen/Qwen3-8B", GpuChoice(("0", "1"), 2, ("2",))),
        # Seven would divide its 28 heads, but 4 key-value heads can't be dealt out over them.
        (8, "Qwen/Qwen2.5-7B-Instruct-1M", GpuChoice(tuple("0123"), 4, tuple("4567"))),
        (4, "HuggingFaceTB/SmolLM2-135M-Instruct", GpuChoice(("0", "1", "2"), 3, ("3",))),
        (6, "nobody/knows-this", GpuChoice(("0", "1", "2", "3"), 4, ("4", "5"))),
    ],
)
def test_the_largest_count_that_the_heads_can_be_dealt_out_over(
    gpus: int, model: str, expected: GpuChoice
) -> None:
    assert choose([str(one) for one in range(gpus)], lookup(model)) == expected


def test_what_the_person_set_is_kept() -> None:
    offered, facts = ["0", "1", "2", "3"], lookup("Qwen/Qwen3-8B")
    assert choose(offered, facts, tensor_parallel_size=1).ids == ("0",)
    two_groups = choose(offered, facts, pipeline_parallel_size=2)
    assert (two_groups.tensor_parallel_size, two_groups.left_over) == (2, ())


@given(
    gpus=st.integers(1, 16),
    model=st.sampled_from(["Qwen/Qwen3-8B", "Qwen/Qwen2.5-7B-Instruct", "o/unknown"]),
    groups=st.integers(1, 4),
)
def test_every_gpu_is_taken_or_left_over_and_heads_are_dealt_out_evenly(
    gpus: int, model: str, groups: int
) -> None:
    offered, facts = [str(one) for one in range(gpus)], lookup(model)
    chosen = choose(offered, facts, pipeline_parallel_size=groups)
    assert [*chosen.ids, *chosen.left_over] == offered
    assert facts.shape is None or facts.shape.heads % chosen.tensor_parallel_size == 0
