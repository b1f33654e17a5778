from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archi.gpu_choice import GpuChoice, choose


@pytest.mark.parametrize(
    ("gpus", "heads", "expected"),
    [
        (1, (32, 8), GpuChoice(("0",), 1)),
        (2, (32, 8), GpuChoice(("0", "1"), 2)),
        (3, (32, 8), GpuChoice(("0", "1"), 2, ("2",))),
        # Seven would divide the heads, but four key-value heads can't be dealt out over them.
        (8, (28, 4), GpuChoice(("0", "1", "2", "3"), 4, ("4", "5", "6", "7"))),
        (4, (9, 3), GpuChoice(("0", "1", "2"), 3, ("3",))),
        (16, (64, 8), GpuChoice(tuple(str(one) for one in range(16)), 16)),
        (6, (None, None), GpuChoice(("0", "1", "2", "3"), 4, ("4", "5"))),
        (7, (28, None), GpuChoice(("0", "1", "2", "3"), 4, ("4", "5", "6"))),
    ],
)
def test_the_largest_count_that_divides_the_heads(
    gpus: int, heads: tuple[int | None, int | None], expected: GpuChoice
) -> None:
    offered = [str(one) for one in range(gpus)]
    assert choose(offered, attention_heads=heads[0], kv_heads=heads[1]) == expected


def test_what_the_person_set_is_kept() -> None:
    offered = ["0", "1", "2", "3"]
    heads = {"attention_heads": 32, "kv_heads": 8}
    assert choose(offered, **heads, tensor_parallel_size=1).ids == ("0",)
    two_groups = choose(offered, **heads, pipeline_parallel_size=2)
    assert (two_groups.tensor_parallel_size, two_groups.left_over) == (2, ())


@given(
    gpus=st.integers(1, 16),
    heads=st.none() | st.integers(1, 200),
    kv_heads=st.none() | st.integers(1, 200),
    groups=st.integers(1, 4),
)
def test_every_gpu_is_taken_or_left_over_and_heads_are_dealt_out_evenly(
    gpus: int, heads: int | None, kv_heads: int | None, groups: int
) -> None:
    offered = [str(one) for one in range(gpus)]
    chosen = choose(
        offered, attention_heads=heads, kv_heads=kv_heads, pipeline_parallel_size=groups
    )
    assert [*chosen.ids, *chosen.left_over] == offered
    assert heads is None or heads % chosen.tensor_parallel_size == 0
