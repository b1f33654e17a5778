"""What a model's id says by itself: format of its weights, size, and the model it was made from.

People upload the same model under many names: quantised, merged, with another owner, in another
case. `canonical` takes off what only says how the weights are stored.
"""

from __future__ import annotations

import re

# A piece of a name -> the format that it stands for. The first row that matches wins.
_FORMATS: tuple[tuple[str, str], ...] = (
    (r"gguf|i?q[2-8]-(k|0|1|nl|xxs|xs|s|m)(-[sml]|-xl)?", "gguf"),
    (r"mlx", "mlx"),
    (r"exl[23]", "exl"),
    (r"nvfp4(a16)?|fp4", "nvfp4"),
    (r"mxfp4", "mxfp4"),
    (r"mxfp8", "mxfp8"),
    (r"bnb|bitsandbytes|nf4", "bnb"),
    (r"awq", "awq"),
    (r"(gptq|gptqmodel).*(int8|8bit)", "int8"),
    (r"gptq(model)?", "gptq"),
    (r"fp8|w8a8-fp8|float8", "fp8"),
    (r"w4a16|w4a8|int4|4bit|autoround|4bits", "int4"),
    (r"w8a8|w8a16|int8|8bit", "int8"),
    (r"bf16", "bf16"),
    (r"fp16", "fp16"),
)

# Pieces at a name's end that change nothing but how it is stored, or whom it refuses.
_TRAILING = re.compile(
    r"[-.]((i?q[2-8]-(k|0|1|nl|xxs|xs|s|m)(-[sml]|-xl)?)"
    r"|gguf|mlx|exl[23]|nvfp4(a16)?|fp4|mxfp[48]|bnb|bitsandbytes|nf4|awq|gptq(model)?|fp8|float8"
    r"|w[48]a(16|8|4)|int[48]|[48]-?bits?|autoround|auto-round|bf16|fp16|dynamic|block|quantized"
    r"|ct|qat|kv|qad|g(32|64|128)|group-?size-?\d+|sym|asym|marlin|unsloth|ud|imatrix|i1|v2-quant"
    r"|hf|safetensors|sharded|abliterated|uncensored|merged|merge|copy|clone|mirror"
    r"|\dbpw|\d\.\d+bpw|[48]\.\d+bit)$"
)

_BILLIONS = re.compile(r"(?<![a-z0-9.])(\d{1,3})x(\d{1,4}(?:\.\d{1,4})?)b(?![a-z0-9])")
_SIZE = re.compile(r"(?<![a-z0-9.])e?(\d{1,4}(?:\.\d{1,4})?)([bt])(?![a-z])")
_MILLIONS = re.compile(r"(?<![a-z0-9.])(\d{1,4})m(?![a-z0-9])")


def plain(model_id: str) -> str:
    """The repository's name in lower case, with ``-`` between its pieces."""
    name = model_id.rstrip("/").rsplit("/", 1)[-1].lower()
    name = re.sub(r"(?<=\d)_(?=\d)", ".", name)  # Llama-3_3 is Llama-3.3
    return re.sub(r"[-_\s]+", "-", name)


def canonical(model_id: str) -> str:
    """The name of the model that an upload is made from: ``qwen3-8b`` of ``x/Qwen3-8B-AWQ``."""
    name = plain(model_id).removeprefix("meta-")
    while (shorter := _TRAILING.sub("", name)) != name:
        name = shorter
    return name


def precision_of(model_id: str) -> str | None:
    """The format of the weights that a name states; None where it states none."""
    name = plain(model_id)
    owner = model_id.split("/", 1)[0].lower()
    if owner == "mlx-community":
        return "mlx"
    for pattern, precision in _FORMATS:
        if re.search(rf"(?<![a-z0-9])({pattern})(?![a-z0-9])", name):
            return precision
    return None


def may_match(pattern: str, name: str) -> bool:
    """Whether a pattern can match a name, judged by the word that it begins with.

    To compile every pattern of a table takes longer than all else that a look-up does.
    """
    word = re.match(r"[a-z]+(?![a-z?])", pattern)
    return word is None or _ALTERNATIVES.search(pattern) is not None or word[0] in name


# A bar that stands in no parenthesis.
_ALTERNATIVES = re.compile(r"^(?:[^()|]|\([^()]*(?:\([^()]*\)[^()]*)*\))*\|")


def size_of(model_id: str) -> int | None:
    """The number of parameters that a name states (``8B``, ``8x7B``, ``135M``); None: none."""
    name = plain(model_id)
    if match := _BILLIONS.search(name):
        return int(int(match[1]) * float(match[2]) * 1e9)
    if match := _SIZE.search(name):
        return int(float(match[1]) * (1e12 if match[2] == "t" else 1e9))
    if match := _MILLIONS.search(name):
        return int(match[1]) * 10**6
    return None
