"""Why a container died or an operation failed, and what to change: from its last lines."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# vLLM's own prefix: (EngineCore pid=88) ERROR 11-23 01:02:03 [core.py:123]
_PREFIX = re.compile(
    r"^(\([\w ]+pid=\d+\)\s*)?((ERROR|CRITICAL|WARNING|INFO)\s+\d\d-\d\d \d\d:\d\d:\d\d\s+"
    r"(\[[^\]]*\]\s*)?)?"
)
_KILLED = 137


@dataclass(frozen=True)
class Diagnosis:
    """What happened and what to do about it.

    Attributes:
        cause: stable name of the cause, for scripts; ``unknown`` where none is recognised.
        what: one sentence on what happened.
        mend: one sentence on what to change.
        evidence: the line of the log that says so; empty where there is none.

    """

    cause: str
    what: str
    mend: str
    evidence: str = ""

    def __str__(self) -> str:
        lines = [self.what, f"Mend: {self.mend}"]
        if self.evidence:
            lines.append(f"The log says: {self.evidence}")
        return "\n".join(lines)


Sentence = str | Callable[[re.Match[str]], str]


@dataclass(frozen=True)
class _Rule:
    cause: str
    pattern: re.Pattern[str]
    what: Sentence
    mend: Sentence


def _rule(cause: str, pattern: str, what: Sentence, mend: Sentence) -> _Rule:
    return _Rule(cause, re.compile(pattern, re.IGNORECASE), what, mend)


def _nearest_parser(match: re.Match[str]) -> str:
    known = [name.strip() for name in match["known"].split(",")]
    near = difflib.get_close_matches(match["parser"], known, n=1)
    guess = f"did you mean {near[0]}? " if near else ""
    return (
        f"{guess}Leave archi:services.vllm.tool_parser out to have it chosen by the model's "
        f"family, or take one of: {', '.join(known)}."
    )


def _fits(match: re.Match[str]) -> str:
    return (
        f"set archi:services.vllm.max_model_len to at most {match['fits']} (or auto), or give the "
        "KV cache more memory (cpu_kv_cache_gib on a CPU, more or larger GPUs otherwise)."
    )


# The texts are those of vLLM 0.32.0 and of Docker Engine 20.10 to 29. A rule stands above another
# when its text is the cause of the other's: a gated repository also reads as an invalid one.
_RULES: tuple[_Rule, ...] = (
    _rule(
        "gpu-runtime-missing",
        r'could not select device driver "[^"]*" with capabilities: \[\[gpu\]\]'
        r"|nvidia-container-cli: initialization error|unknown or invalid runtime name: nvidia"
        r"|unresolvable CDI devices",
        "Docker can't give a container the GPU: the NVIDIA Container Toolkit is missing or Docker "
        "does not know of it.",
        "install nvidia-container-toolkit, run `sudo nvidia-ctk runtime configure "
        "--runtime=docker`, restart Docker; or set archi:gpu_ids to none to run on the CPU.",
    ),
    _rule(
        "postgres-major",
        r"the volume holds a database of Postgres (?P<found>\d+), this is Postgres (?P<ours>\d+)",
        lambda match: (
            f"The volume holds a database of Postgres {match['found']}, and this is Postgres "
            f"{match['ours']}."
        ),
        "name an image of the volume's own version in archi:services.postgres.image, or migrate: "
        'docs/advanced_setup_deploy.md, "Postgres".',
    ),
    _rule(
        "postgres-volume-in-use",
        r"postgres_start: another container serves this volume",
        "Another container serves the database's volume.",
        "stop it (`docker ps --filter volume=VOLUME` names it): two servers would ruin the data.",
    ),
    _rule(
        "postgres-password-missing",
        r"postgres_start: \S+ is missing or empty",
        "The database's password is not in the deployment's files.",
        "`pulumi up --refresh` writes them again.",
    ),
    _rule(
        "gated-model",
        r"gated repo|access to model .* is restricted|awaiting a review from the repo",
        "The model is gated: its owner wants to know who downloads it.",
        "accept its terms on its page with your account, then `pulumi config set --secret "
        "archi:hf_token` with a token of that account.",
    ),
    _rule(
        "weights-missing",
        r"repo id must be in the form .*'(?P<folder>/models/[^']+)'",
        lambda match: f"The folder {match['folder']} with the model's weights is not there.",
        "`pulumi up --refresh` notices it and brings them again.",
    ),
    _rule(
        "model-not-found",
        r"repository not found|RepositoryNotFoundError|is not a local folder and is not a valid "
        r"model identifier|invalid repository ID or local directory specified"
        r"|can't load the configuration of",
        "The model was not found.",
        "check archi:services.vllm.model letter by letter against its page on the model hub, and "
        "archi:services.vllm.revision.",
    ),
    _rule(
        "unknown-tool-parser",
        r"invalid tool call parser: (?P<parser>\S+) \(chose from \{?(?P<known>[^})]*)",
        lambda match: f"vLLM knows no tool parser {match['parser']!r}.",
        _nearest_parser,
    ),
    _rule(
        "unknown-reasoning-parser",
        r"invalid reasoning parser: (?P<parser>\S+)",
        lambda match: f"vLLM knows no reasoning parser {match['parser']!r}.",
        "take the parser that the model's page names.",
    ),
    _rule(
        "kv-cache-memory",
        r"to serve at least one request with the model's max seq len.*?"
        r"estimated maximum model length is (?P<fits>\d+)",
        "The memory left for the KV cache can't hold one request of the full context length.",
        _fits,
    ),
    _rule(
        "kv-cache-memory",
        r"available memory on node \d+ \((?P<free>[\d.]+)/(?P<all>[\d.]+) GiB\) on kv cache "
        r"allocation is less than requested memory for kv \((?P<asked>[\d.]+) GiB\)",
        lambda match: (
            f"The KV cache was to have {match['asked']} GiB, and {match['free']} of "
            f"{match['all']} GiB are free."
        ),
        "lower archi:services.vllm.cpu_kv_cache_gib, or end what else takes memory.",
    ),
    _rule(
        "kv-cache-memory",
        r"to serve at least one request with the model's max seq len|no available memory for the "
        r"cache blocks|not enough memory.*kv cache",
        "No memory is left for the KV cache once the weights are loaded.",
        "lower archi:services.vllm.max_model_len, take a smaller or quantised model, or give it "
        "more memory (cpu_kv_cache_gib on a CPU, more or larger GPUs otherwise).",
    ),
    _rule(
        "gpu-memory-taken",
        r"free memory on device .* is less than desired gpu memory utilization",
        "Another process holds memory of the GPU.",
        "end it (`nvidia-smi` lists who holds what), or choose other GPUs with archi:gpu_ids.",
    ),
    _rule(
        "gpu-out-of-memory",
        r"cuda out of memory|CUDA error: out of memory",
        "The model does not fit in the GPU's memory.",
        "take a smaller or quantised model, lower archi:services.vllm.max_model_len, or add GPUs "
        "with archi:gpu_ids.",
    ),
    _rule(
        "context-too-long",
        r"user-specified max_model_len \((?P<asked>\d+)\) is greater than the derived",
        lambda match: f"The model's context is shorter than the {match['asked']} tokens asked for.",
        "lower archi:services.vllm.max_model_len, or leave it out.",
    ),
    _rule(
        "no-gpu-found",
        r"failed to infer device type",
        "The GPU build of vLLM found no GPU in its container.",
        "check archi:gpu_ids and `nvidia-smi` on the host; with archi:gpu_ids none the CPU image "
        "is taken.",
    ),
    _rule(
        "compute-capability-too-low",
        r"bfloat16 is only supported on gpus with compute capability|is not supported for the "
        r"current gpu\. minimum capability",
        "The GPU is too old for the model's number format.",
        "take a model in another precision or quantisation, or a newer GPU.",
    ),
    _rule(
        "unsupported-architecture",
        r"model architectures \[.*\] (are not supported|failed to be inspected)",
        "This version of vLLM does not know the model's architecture.",
        "take another model, or a newer vLLM with archi:services.vllm.image.",
    ),
    _rule(
        "shared-memory-too-small",
        r"insufficient space in /dev/shm|no space left on device.*psm_",
        "The shared memory of the host (/dev/shm) is full.",
        "remove leftover psm_* files there that no process uses, or enlarge it.",
    ),
    _rule(
        "disk-full",
        r"no space left on device",
        "The disk is full.",
        "free space where Docker keeps its data (`docker system df` says what takes it).",
    ),
    _rule(
        "unknown-argument",
        r"(vllm|vllm serve|api_server\.py): error: (?P<error>.+)",
        lambda match: f"vLLM refuses its command line: {match['error']}.",
        "correct archi:services.vllm.",
    ),
    _rule(
        "port-taken",
        r"address already in use|port is already allocated",
        "Another process holds the port.",
        "end it, or choose another port (archi:services.vllm.port, archi:services.chatbot.port).",
    ),
)

_NO_ERROR = re.compile(r"^(\([\w -]+pid=\d+\)\s*)?(DEBUG|INFO|WARNING)\b|\bFutureWarning\b")
_HIDES_THE_CAUSE = re.compile(
    r"see root cause above|see stack trace above|^Process \S+:$|^Traceback|^\s+\S"
    r"|during handling of the above exception|direct cause of the following|resource_tracker"
    r"|^usage:|leaked \w+ objects|For further information visit",
    re.IGNORECASE,
)
_SAYS_ERROR = re.compile(
    r"\b\w*(Error|Exception|Exit)\b\s*(:|\()|\berror:|\bfatal\b|\bfailed\b", re.I
)


def clean(line: str) -> str:
    """A log line without colours and vLLM's prefix of process, level, time and place."""
    return _PREFIX.sub("", _ANSI.sub("", line).rstrip(), count=1)


def diagnose(
    lines: Iterable[str], exit_code: int | None = None, *, out_of_memory: bool = False
) -> Diagnosis:
    """Why a container ended, from its log lines (oldest first) and exit code.

    Args:
        lines: the log's last lines, as the container wrote them.
        exit_code: the container's, None where it is not known.
        out_of_memory: whether the kernel's OOM killer ended it (Docker's ``OOMKilled``).

    """
    cleaned = _errors(lines)
    for rule in _RULES:
        for line in reversed(cleaned):
            if match := rule.pattern.search(line):
                return Diagnosis(
                    rule.cause,
                    _say(rule.what, match),
                    _say(rule.mend, match),
                    _shorten(line),
                )
    if out_of_memory:
        return Diagnosis(
            "out-of-memory",
            "The kernel killed it: it went over the container's memory limit.",
            "raise archi:services.vllm.memory, lower cpu_kv_cache_gib, or take a smaller model.",
        )
    if exit_code == _KILLED:
        return Diagnosis(
            "killed",
            "It was killed (exit code 137): by the kernel for lack of memory, or by someone.",
            "`dmesg | grep -i oom` tells which; for lack of memory lower cpu_kv_cache_gib, take a "
            "smaller model, or raise archi:services.vllm.memory.",
        )
    code = "" if exit_code is None else f" with exit code {exit_code}"
    return Diagnosis(
        "unknown",
        f"It ended{code}.",
        "read its last error below; the container's log has the rest.",
        _last_error(cleaned),
    )


def last_error(lines: Iterable[str]) -> str:
    """The last line that tells an error itself, not the traceback or the wrapper around it.

    Falls back to the last line that is no traceback; empty for no lines.
    """
    return _last_error(_errors(lines))


def _errors(lines: Iterable[str]) -> list[str]:
    """The lines that may tell an error, cleaned: what is logged as less is left out."""
    plain = (_ANSI.sub("", line) for line in lines)
    return [clean(line) for line in plain if line.strip() and not _NO_ERROR.search(line)]


def _last_error(cleaned: Sequence[str]) -> str:
    telling = [line for line in cleaned if not _HIDES_THE_CAUSE.search(line)]
    errors = [line for line in telling if _SAYS_ERROR.search(line)]
    return _shorten((errors or telling or [""])[-1])


def _say(sentence: Sentence, match: re.Match[str]) -> str:
    return sentence if isinstance(sentence, str) else sentence(match)


def _shorten(line: str, limit: int = 240) -> str:
    text = line.strip()
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
