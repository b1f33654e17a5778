"""The size of weights by the headers of their safetensors files."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from huggingface_hub.utils._safetensors import SafetensorsFileMetadata

# A number of these is a parameter; others pack several into one.
_UNPACKED = re.compile(r"F64|F32|F16|BF16|F8_\w+")


def sizes(headers: Sequence[SafetensorsFileMetadata]) -> tuple[int | None, int | None]:
    """Bytes and parameters of safetensors files by their headers."""
    if not headers:
        return None, None
    tensors = [tensor for header in headers for tensor in header.tensors.values()]
    size = sum(tensor.data_offsets[1] - tensor.data_offsets[0] for tensor in tensors)
    if not all(_UNPACKED.fullmatch(str(tensor.dtype)) for tensor in tensors):
        return size, None
    return size, sum(tensor.parameter_count for tensor in tensors)
