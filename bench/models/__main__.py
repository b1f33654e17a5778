"""Compare archi's estimates of GPU memory with what vLLM's recipes ask for.

    python -m bench.models RECIPES.tar.gz

The estimate is made from the model's name alone, as for a model that has no recipe: what the recipe
says of memory is not looked at. Ratio: our estimate, by what the recipe asks for, both in
10**9 bytes. Below 0.9 we would have called a GPU large enough that its authors call too small.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from archi.models import lookup, memory
from archi.models.generate import recipe_row
from archi.models.source_distribution import SourceDistribution

_TOO_SMALL = 0.9
_SHOWN = 12


@dataclass(frozen=True)
class Pair:
    """One variant of one recipe; sizes in 10**9 bytes.

    Attributes:
        model_id: the variant's id.
        precision: format of its weights.
        estimated: by `archi.models.memory.least_vram`.
        asked: by the recipe, `vram_minimum_gb`.
        rule: by the rule of thumb that gpustack has: the weights times 1.2, and 2 GiB.

    """

    model_id: str
    precision: str
    estimated: float
    asked: float
    rule: float

    @property
    def peer(self) -> Pair:
        """The same, estimated by the rule of thumb."""
        return replace(self, estimated=self.rule)

    @property
    def ratio(self) -> float:
        """Our estimate by what the recipe asks for."""
        return self.estimated / self.asked


def pairs(rows: list[dict[str, Any]]) -> tuple[list[Pair], int]:
    """What can be compared, and how many variants can't be."""
    found, left_out = [], 0
    for row in rows:
        for variant in row["variants"]:
            facts = replace(lookup(variant["model_id"]), recipe_vram_gb=None)
            estimated = memory.least_vram(facts, variant["precision"])
            weights = memory.weights(facts, variant["precision"])
            if estimated is None or weights is None or not variant["vram_gb"]:
                left_out += 1
                continue
            found.append(
                Pair(
                    model_id=variant["model_id"],
                    precision=variant["precision"],
                    estimated=estimated / 1e9,
                    asked=variant["vram_gb"],
                    rule=(weights.bytes * 1.2 + 2 * memory.GIB) / 1e9,
                )
            )
    return sorted(found, key=lambda pair: pair.ratio), left_out


def summary(name: str, found: list[Pair]) -> str:
    """One line of the distribution."""
    ratios = sorted(pair.ratio for pair in found)
    tenths = statistics.quantiles(ratios, n=10, method="inclusive")
    below = sum(ratio < _TOO_SMALL for ratio in ratios)
    return (
        f"{name:<22}{len(ratios):>5}{tenths[0]:>8.2f}{statistics.median(ratios):>8.2f}"
        f"{tenths[8]:>8.2f}{ratios[0]:>8.2f}{ratios[-1]:>8.2f}{below:>6}"
    )


def main() -> None:
    """Entry point of ``python -m bench.models``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("recipes", type=Path, help="vllm-<version>.tar.gz with the recipes")
    source = SourceDistribution(parser.parse_args().recipes)
    rows = [recipe_row(yaml.safe_load(text)) for _, text in source.below("recipes/models/")]
    found, left_out = pairs(rows)
    print(f"{len(rows)} recipes of {source.file}, {len(found)} variants, {left_out} left out")
    print(
        f"{'ratio':<22}{'n':>5}{'p10':>8}{'median':>8}{'p90':>8}{'least':>8}{'most':>8}{'<0.9':>6}"
    )
    print(summary("all", found))
    for precision in sorted({pair.precision for pair in found}):
        some = [pair for pair in found if pair.precision == precision]
        if len(some) > 1:
            print(summary(f"  {precision}", some))
    large = [pair for pair in found if pair.asked >= 8]
    print(summary("  of 8 GB and more", large))
    print(summary("weights × 1.2 + 2 GiB", [pair.peer for pair in found]))
    print(summary("  of 8 GB and more", [pair.peer for pair in large]))
    print("\nestimated, asked for (GB), ratio: the least and the most")
    for pair in (*found[:_SHOWN], *found[-_SHOWN:]):
        print(
            f"{pair.estimated:>8.1f}{pair.asked:>8.0f}{pair.ratio:>7.2f}  {pair.precision:<6} "
            f"{pair.model_id}"
        )


if __name__ == "__main__":
    main()
