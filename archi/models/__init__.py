"""What archi knows about models: parsers, architecture, memory, and whether they fit on GPUs.

`lookup` answers from the id alone, at once. What takes longer to load stands in modules of its own:
`archi.models.sources` reads a model's own files where a hub or a folder has them,
`archi.models.fitting` says whether it fits.
"""

from archi.models.by_name import (
    attention_heads,
    largest_tensor_parallel_size,
    lookup,
    newer_than_pinned,
    quantization_of,
    reads,
)
from archi.models.facts import ModelFacts, Shape, Variant
from archi.models.families import DEFAULT_TOOL_PARSER

__all__ = [
    "DEFAULT_TOOL_PARSER",
    "ModelFacts",
    "Shape",
    "Variant",
    "attention_heads",
    "largest_tensor_parallel_size",
    "lookup",
    "newer_than_pinned",
    "quantization_of",
    "reads",
]
