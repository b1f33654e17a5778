"""Whether a folder of the host holds a model that vLLM serves; it is only looked at.

Runs inside any image with Python (it needs `store.py` beside it): ``python3 folder.py --target
/weights``. What it prints: store.py.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from store import WeightsError, emit

TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json", "tekken.json", "vocab.txt")
INDEX = "model.safetensors.index.json"


def check(folder: Path) -> int:
    """Bytes of the weights.

    Raises:
        WeightsError: naming what is missing.
    """
    names = {path.name for path in folder.iterdir()}
    missing = []
    if not names & {"config.json", "params.json"}:
        missing.append("config.json")
    if not names & set(TOKENIZERS):
        missing.append("a tokenizer (tokenizer.json or tokenizer.model)")
    weights = {name for name in names if name.endswith((".safetensors", ".bin"))}
    if INDEX in names:
        weights = set(json.loads((folder / INDEX).read_text())["weight_map"].values())
        missing += sorted(weights - names)
    elif not weights:
        missing.append("weights (*.safetensors)")
    if missing:
        raise WeightsError(
            "folder-incomplete",
            f"the folder lacks {', '.join(missing[:5])}{' and more' if len(missing) > 5 else ''}",
            f"it holds {', '.join(sorted(names)[:20]) or 'nothing'}",
        )
    return sum((folder / name).stat().st_size for name in weights)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", required=True, type=Path)
    begin = time.monotonic()
    try:
        size = check(parser.parse_args().target)
    except WeightsError as error:
        emit("error", cause=error.cause, message=error.message, evidence=error.evidence)
        return 1
    except (OSError, ValueError) as error:
        emit("error", cause="other", message="the folder can't be read", evidence=str(error))
        return 1
    emit("done", bytes=size, seconds=time.monotonic() - begin, cached=True, message="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
