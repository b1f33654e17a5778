"""Weights from a Hugging Face hub, into a folder that vLLM serves: all of them, or a reason.

Runs inside any vLLM image (it needs huggingface_hub, and `store.py` beside it):
``python3 fetch.py hub --model ORG/REPO --revision REV --target /models/ORG/REPO/REV``.
What it prints: store.py. From the environment: ``HF_ENDPOINT``, ``HF_TOKEN_PATH`` (a file),
``HF_HUB_OFFLINE``, ``HTTP_PROXY``, ``HTTPS_PROXY``, ``NO_PROXY``, ``SSL_CERT_FILE``.
"""

import argparse
import hashlib
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

# Read when huggingface_hub is imported; its bars would stand between our lines.
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"

from huggingface_hub import HfApi, constants, get_token, hf_hub_url
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers
from store import Target, WeightsError, reported_progress, run

CONFIG_SUFFIXES = (".json", ".jinja", ".model", ".tiktoken", ".txt", ".py")
"""What vLLM reads beside weights: configuration, tokenizer, chat template, the model's own code."""

AT_ONCE = 4
"""Files that are downloaded at the same time; a hub's single stream rarely fills a line."""

# The library writes 10 MiB at a time, so that a slow line shows no progress for long.
constants.DOWNLOAD_CHUNK_SIZE = 1024 * 1024

COMMIT = ".commit"
"""In a partial folder: what its files are of."""

_HTTP_LIBRARIES = {"httpx", "httpx2", "httpcore", "requests", "urllib3"}


@dataclass(frozen=True)
class RemoteFile:
    """A file of a model: path in the repository, bytes, SHA-256 where the hub states it."""

    name: str
    size: int
    sha256: str | None


def wanted(files: list[RemoteFile]) -> list[RemoteFile]:
    """The files that vLLM needs of a model, without weights that are there twice.

    Weights are those at the top: safetensors, else PyTorch's .bin. Mistral's own layout
    (``consolidated*.safetensors`` with ``params.json``) goes before the converted one, because
    vLLM 0.32 picks it when it is there (`is_mistral_model_repo`).

    Raises:
        WeightsError: the repository holds no weights in these forms.
    """
    names = {file.name for file in files}
    top = [file for file in files if "/" not in file.name]
    tensors = [file for file in top if file.name.endswith(".safetensors")]
    own = [file for file in tensors if file.name.startswith("consolidated")]
    converted = [file for file in tensors if file not in own]
    weights = own if own and "params.json" in names else converted or own
    weights = weights or [
        file for file in top if file.name.endswith(".bin") and "training" not in file.name
    ]
    if not weights:
        found = sorted({Path(file.name).suffix for file in files} - {""})
        raise WeightsError(
            "other",
            "the model has neither .safetensors nor .bin weights that vLLM loads; choose one "
            "that has (often the same name without -GGUF or -ONNX)",
            f"file types found: {', '.join(found)}",
        )
    skipped = ("original/", "onnx/", "openvino/", "metal/", ".")
    configs = [
        file
        for file in files
        if file.name.endswith(CONFIG_SUFFIXES) and not file.name.startswith(skipped)
    ]
    return sorted({*weights, *configs}, key=lambda file: file.name)


def download(model: str, revision: str, target: Target) -> None:
    """Fill the target's partial folder from the hub, going on where a killed run stopped."""
    try:
        info = HfApi().model_info(model, revision=revision, files_metadata=True, timeout=30)
        files = wanted(
            [
                RemoteFile(one.rfilename, one.size or 0, one.lfs.sha256 if one.lfs else None)
                for one in info.siblings or []
            ]
        )
        commit = info.sha or revision
        _keep_only(target.partial, commit)
        total = sum(file.size for file in files)
        target.check_disk(total - _downloaded(target.partial, files))
        with reported_progress(lambda: _downloaded(target.partial, files), total):
            _download_all(model, commit, files, target.partial)
        (target.partial / COMMIT).unlink()
    except Exception as error:
        raise _explained(error, model, revision) from error


def _keep_only(partial: Path, commit: str) -> None:
    """Drop what an earlier run left of another commit: a branch may have moved since."""
    stamp = partial / COMMIT
    if not stamp.exists() or stamp.read_text() != commit:
        shutil.rmtree(partial)
        partial.mkdir()
        stamp.write_text(commit)


def _part(partial: Path, file: RemoteFile) -> Path:
    return partial / f"{file.name}.part"


def _downloaded(partial: Path, files: list[RemoteFile]) -> int:
    """Bytes that are there of ``files``, in whole and in parts."""
    size = 0
    for file in files:
        for path in (partial / file.name, _part(partial, file)):
            if path.exists():
                size += path.stat().st_size
                break
    return size


def _download_all(model: str, commit: str, files: list[RemoteFile], partial: Path) -> None:
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        for done in as_completed(
            [pool.submit(_download_one, model, commit, file, partial) for file in files]
        ):
            done.result()
    finally:
        # Nobody waits for the others when one has failed: `main` ends the process.
        pool.shutdown(wait=False, cancel_futures=True)


def _download_one(model: str, commit: str, file: RemoteFile, partial: Path) -> None:
    """One file, by the hub library's request with a range.

    Not by `hf_hub_download`: since huggingface_hub 2 it begins a file anew after a kill
    (file_download.py, `_download_to_tmp_and_move`).
    """
    path, part = partial / file.name, _part(partial, file)
    if path.exists() and path.stat().st_size == file.size:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without a checksum a spliced file cannot be told from a good one; such files are small.
    resumed = part.stat().st_size if part.exists() and file.sha256 else 0
    if not 0 < resumed <= file.size:
        resumed = 0
        part.unlink(missing_ok=True)
    with part.open("ab") as stream:
        http_get(
            hf_hub_url(model, file.name, revision=commit),
            stream,
            resume_size=resumed,
            headers={**build_hf_headers(), "Accept-Encoding": "identity"},
            expected_size=file.size,
        )
    if resumed and _sha256(part) != file.sha256:
        part.unlink()
        _download_one(model, commit, file, partial)
        return
    part.rename(path)


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _explained(error: Exception, model: str, revision: str) -> Exception:
    """The hub library's error as one of ours; anything else as it came."""
    hub = constants.ENDPOINT
    evidence = f"{type(error).__name__}: {error}"
    token = "the token given" if get_token() else "no token given"
    status = getattr(getattr(error, "response", None), "status_code", None)
    if isinstance(error, GatedRepoError):
        return WeightsError(
            "gated",
            f"{model} is gated ({token}): accept its conditions at {hub}/{model}, and give a "
            "token of that account as HF_TOKEN",
            evidence,
        )
    if isinstance(error, RevisionNotFoundError):
        return WeightsError(
            "revision-not-found",
            f"{model} has no revision `{revision}`: see {hub}/{model}/commits/main",
            evidence,
        )
    if isinstance(error, RepositoryNotFoundError | HFValidationError):
        return WeightsError(
            "model-not-found",
            f"{hub} has no model `{model}`, or it is private ({token}): check the spelling, "
            "which is ORG/NAME, or give a token that may read it as HF_TOKEN",
            evidence,
        )
    if isinstance(error, OfflineModeIsEnabled):
        return WeightsError(
            "offline",
            f"{model} is not on the weights volume, and HF_HUB_OFFLINE forbids to download it",
            evidence,
        )
    if status in (401, 403):
        return WeightsError(
            "unauthorized",
            f"{hub} refused ({token}): give a valid one that may read {model} as HF_TOKEN",
            evidence,
        )
    if isinstance(error, HfHubHTTPError) or _is_connection(error):
        return WeightsError(
            "hub-unreachable",
            f"cannot download from {hub}: check the network, HTTPS_PROXY, the CA bundle and "
            "HF_ENDPOINT; the next run goes on from here",
            evidence,
        )
    return error


def _is_connection(error: Exception) -> bool:
    """A failure below the hub's answers; the HTTP library differs by huggingface_hub's version."""
    modules = {cls.__module__.split(".")[0] for cls in type(error).__mro__}
    broken = str(error).startswith("Consistency check failed")
    return bool(modules & _HTTP_LIBRARIES) or isinstance(error, ConnectionError) or broken


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    sources = parser.add_subparsers(dest="source", required=True)
    hub = sources.add_parser("hub", help="download from a Hugging Face hub")
    hub.add_argument("--model", required=True, metavar="ORG/REPO")
    hub.add_argument("--revision", required=True, help="branch, tag or commit")
    hub.add_argument("--target", required=True, type=Path, help="folder of the weights")
    given = parser.parse_args()
    identity = {"model": given.model, "revision": given.revision, "source": given.source}
    target = Target(given.target, identity)
    return run(target, lambda: download(given.model, given.revision, target))


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # Not sys.exit: it would wait for downloads that nobody needs any more.
    os._exit(code)
