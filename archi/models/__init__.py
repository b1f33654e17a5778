"""What archi knows about models: parsers, architecture, memory, and whether they fit on GPUs.

`lookup` answers from the id alone, at once; `archi.models.sources.read` reads a model's own files
where a hub or a folder has them; `fit` says whether it fits.
"""

from archi.models.by_name import attention_heads, lookup, newer_than_pinned, quantization_of, reads
from archi.models.facts import ModelFacts, Shape, Variant
from archi.models.families import DEFAULT_TOOL_PARSER
from archi.models.fitting import Fit, about, fit

__all__ = [
    "DEFAULT_TOOL_PARSER",
    "Fit",
    "ModelFacts",
    "Shape",
    "Variant",
    "about",
    "attention_heads",
    "fit",
    "lookup",
    "newer_than_pinned",
    "quantization_of",
    "reads",
]
