"""From the last lines of real failures to their cause and mend."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from archi.diagnosis import Confidence, Diagnosis, diagnose, diagnose_text

LOGS = Path(__file__).parent / "logs"
OUTCOMES = json.loads((LOGS / "outcomes.json").read_text())

# Of each log: the cause, a text of what is said of it, and one of the mend.
REAL = {
    "unknown-argument": ("unknown-argument", "--no-such-flag", "archi:services.vllm"),
    "argument-value": ("unknown-argument", "invalid int value: 'many'", "archi:services.vllm"),
    "bad-dtype": ("unknown-argument", "'float9'", "archi:services.vllm"),
    "bad-json": ("argument-no-json", "{model: x", "double quotes"),
    "bad-quantization": ("quantization-unknown", "int3", "archi:services.vllm.quantization"),
    "config-missing": ("argument-file-missing", "is not there", "pulumi up --refresh"),
    "config-broken": ("argument-file-broken", "no valid YAML", "--config"),
    "tool-parser": ("unknown-tool-parser", "hermess", "did you mean hermes?"),
    "no-tool-parser": ("tool-parser-missing", "no tool parser", "--tool-call-parser hermes"),
    "reasoning-parser": ("unknown-reasoning-parser", "qwen33", "did you mean qwen3?"),
    "template-missing": ("chat-template-missing", "is not there", "pulumi up --refresh"),
    "template-broken": ("chat-template-broken", "no valid Jinja", "chat_template"),
    "template-fails": ("chat-template-refuses", "has no element 9", "leave it out"),
    "weights-missing": ("weights-missing", "/models/no/where/main", "pulumi up --refresh"),
    "hub-offline": ("hub-unreachable", "not on this machine", "archi:hf_endpoint"),
    "hub-unreachable": ("hub-unreachable", "can't be reached", "archi:hf_endpoint"),
    "no-config": ("model-folder-invalid", "no config.json", "at its top"),
    "bad-config": ("config-corrupt", "config.json is damaged", "again"),
    "unreadable": ("weights-unreadable", "may not read", "chmod -R a+rX"),
    "unsupported-architecture": ("unsupported-architecture", "architecture", "a newer vLLM"),
    "gone-architecture": ("gone-architecture", "until version 0.10.2", "an older vLLM"),
    "unknown-model-type": ("unknown-model-type", "config.json", "a newer vLLM"),
    "remote-code": ("remote-code", "program code of its own", "--trust-remote-code"),
    "no-weights": ("weights-incomplete", "missing", "all files"),
    "no-tokenizer": ("tokenizer-missing", "tokenizer", "tokenizer.json"),
    "truncated-weights": ("weights-corrupt", "cut off", "pulumi up --refresh"),
    "no-safetensors": ("weights-corrupt", "no safetensors file", "pulumi up --refresh"),
    "other-shape": ("weights-of-another-shape", "do not fit", "one revision"),
    "quantization-mismatch": ("quantization-mismatch", "quantisation", "quantization out"),
    "context-too-long": ("context-too-long", "8192 tokens, shorter than the 100000", "lower"),
    "heads-not-divisible": ("heads-not-divisible", "9 attention heads", "divides 9"),
    "batch-too-small": ("batch-too-small", "--max-num-batched-tokens", "max_num_seqs"),
    "kv-cache-small": ("kv-cache-memory", "one request", "at most 23168"),
    "kv-cache-none": ("kv-cache-memory", "No memory is left", "cpu_kv_cache_gib"),
    "kv-cache-huge": ("kv-cache-memory", "4000.0 GiB", "cpu_kv_cache_gib"),
    "cpu-memory-taken": ("kv-cache-memory", "No memory is left", "cpu_kv_cache_gib"),
    "out-of-memory": ("out-of-memory", "memory limit", "archi:services.vllm.memory"),
    "shared-memory": ("shared-memory-too-small", "/dev/shm", "psm_*"),
    "no-libnuma": ("library-missing", "library", "libnuma1"),
    "no-cpu-kernels": ("library-missing", "library", "archi:services.vllm.image"),
    "too-many-threads": ("too-many-processes", "threads", "ulimit"),
    "disk-full": ("disk-full", "disk is full", "docker system df"),
    "port-taken": ("port-taken", "holds the port", "archi:services.vllm.port"),
    "killed": ("killed", "137", "archi:services.vllm.memory"),
    "stopped-while-starting": ("stopped", "told to stop", "start_timeout"),
    "worker-killed": ("worker-killed", "was killed", "dmesg"),
    "worker-killed-while-loading": ("worker-killed", "was killed", "dmesg"),
    "engine-killed": ("worker-killed", "was killed", "dmesg"),
}


def log(name: str) -> list[str]:
    return (LOGS / f"{name}.log").read_text().split("\n")


def outcome(name: str) -> Diagnosis:
    ended = OUTCOMES[name]
    return diagnose(log(name), ended["exit_code"], out_of_memory=ended["out_of_memory"])


@pytest.mark.parametrize("name", REAL)
def test_a_real_failure_is_recognised(name: str) -> None:
    cause, says, mend = REAL[name]
    diagnosis = outcome(name)
    assert diagnosis.cause == cause
    assert says in diagnosis.what
    assert mend in diagnosis.mend


@pytest.mark.parametrize("name", REAL)
def test_the_evidence_is_the_line_of_that_number(name: str) -> None:
    diagnosis = outcome(name)
    if diagnosis.evidence:
        assert diagnosis.line is not None
        assert diagnosis.evidence.removesuffix("…") in log(name)[diagnosis.line - 1]
    else:
        assert diagnosis.line is None


def test_every_failure_that_is_kept_is_asked() -> None:
    kept = {path.stem for path in LOGS.glob("*.log")} - {"healthy", "requests"}
    assert kept == REAL.keys()


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("http-401", "key-refused"),
        ("http-404", "model-name-ollama"),
        ("http-400-tools", "tools-not-enabled"),
        ("http-400-named-tool", "tools-not-enabled"),
        ("http-400-context", "context-overflow"),
        ("http-400-tokens", "context-overflow"),
        ("http-400-template", "chat-template-broken"),
    ],
)
def test_a_real_refusal_of_a_request_is_recognised(name: str, cause: str) -> None:
    answer = json.loads((LOGS / f"{name}.json").read_text())
    assert diagnose([json.dumps(answer["body"])]).cause == cause
    assert diagnose([json.dumps(answer["body"], separators=(",", ":"))]).cause == cause


def test_the_log_of_a_server_that_starts_tells_no_failure() -> None:
    assert diagnose_text(log("healthy")) is None


def test_the_log_of_a_server_that_refused_requests_tells_why() -> None:
    refused = diagnose_text(log("requests"))
    assert refused is not None
    assert refused.cause == "model-name-ollama"


# Of what this machine can't have: no GPU, no hub, no other Engine. Each with where it is from.
OTHERS = [
    # Docker Engine 20.10 names the driver it was asked for, or "" for --gpus.
    ('could not select device driver "" with capabilities: [[gpu]]', "gpu-runtime-missing"),
    ('could not select device driver "nvidia" with capabilities: [[gpu]]', "gpu-runtime-missing"),
    ("unknown or invalid runtime name: nvidia", "gpu-runtime-missing"),
    (
        "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=13.0, please "
        "update your driver to a newer version",
        "gpu-driver-too-old",
    ),
    (
        "nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown",
        "gpu-driver-not-loaded",
    ),
    ("nvidia-container-cli: device error: 7: unknown device: unknown", "gpu-unknown"),
    # huggingface_hub 2.4.0: utils/_http.py; transformers 5.19.0: utils/hub.py
    ("Repository Not Found for url: https://hub/api/models/o/m.", "model-not-found"),
    (
        "If you are trying to access a private or gated repo, make sure you are authenticated. "
        "Repository Not Found for url: https://hub/o/m.",
        "model-not-found",
    ),
    ("Cannot access gated repo for url https://hub/o/m", "gated-model"),
    ("You are trying to access a gated repo.", "gated-model"),
    ("Access to model o/m is restricted and you are not in the authorized list.", "gated-model"),
    # vLLM 0.32.0: v1/worker/utils.py, v1/worker/gpu_model_runner.py, v1/core/kv_cache_utils.py
    (
        "ValueError: Free memory on device cuda:0 (3.1/23.6 GiB) on startup is less than "
        "desired GPU memory utilization (0.92, 21.7 GiB).",
        "gpu-memory-taken",
    ),
    ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate", "gpu-out-of-memory"),
    (
        "Failed to load model - not enough GPU memory. Try lowering --gpu-memory-utilization",
        "gpu-out-of-memory",
    ),
    (
        "ValueError: No available memory for the cache blocks. Try increasing "
        "`gpu_memory_utilization`",
        "kv-cache-memory",
    ),
    # config/device.py, config/parallel.py, config/vllm.py, platforms/cuda.py
    ("RuntimeError: Failed to infer device type, please set", "no-gpu-found"),
    (
        "World size (4) is larger than the number of available GPUs (2) in this node.",
        "too-few-gpus",
    ),
    (
        "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0. "
        "Your Tesla T4 GPU has compute capability 7.5.",
        "compute-capability-too-low",
    ),
    (
        "ValueError: The quantization method fp8 is not supported for the current GPU. Minimum "
        "capability: 89. Current capability: 80.",
        "compute-capability-too-low",
    ),
    # distributed/device_communicators/shm_broadcast.py
    (
        "RuntimeError: Insufficient space in /dev/shm for shm ring buffer: 160 MiB required, 64 "
        "MiB free. Increase /dev/shm (e.g. --shm-size or --ipc=host).",
        "shared-memory-too-small",
    ),
    # v1/executor/multiproc_executor.py, v1/engine/utils.py
    (
        "Worker proc VllmWorker-0 died unexpectedly (exit code: -9), shutting down executor.",
        "worker-killed",
    ),
    ("Failed core proc(s): {'EngineCore': -9}", "worker-killed"),
    ("Worker proc VllmWorker-0 died unexpectedly (exit code: -11), x", "worker-crashed"),
    # jinja2, at vLLM's first request
    ("jinja2.exceptions.TemplateSyntaxError: Unexpected end of template.", "chat-template-broken"),
    # v1/engine/core_client.py; Docker and Python on a full disk
    ("TimeoutError: Timed out waiting for engine core processes to start.", "engine-start-timeout"),
    ("OSError: [Errno 28] No space left on device: '/var/cache/vllm/x'", "disk-full"),
    # transformers_utils/config.py
    (
        "ValueError: Invalid repository ID or local directory specified: 'x'.",
        "model-folder-invalid",
    ),
    # vLLM before 0.18, when a probe ended it
    ("KeyboardInterrupt: MQLLMEngine terminated", "stopped"),
    # The rows of the page that ours takes the place of
    ("ConnectionError: Name or service not known", "vllm-name-unknown"),
    ("ConnectionError: [Errno 111] Connection refused", "vllm-not-answering"),
    ("Error: model 'Qwen/Qwen3:8B' does not exist", "model-name-ollama"),
    (
        '400 Bad Request: "auto" tool choice requires --enable-auto-tool-choice',
        "tools-not-enabled",
    ),
    # curl, as run in the chat container
    ("curl: (6) Could not resolve host: vllm-server", "vllm-name-unknown"),
    (
        "curl: (7) Failed to connect to vllm-server port 8000 after 0 ms: Couldn't connect to "
        "server",
        "vllm-not-answering",
    ),
    # archi/in_container/postgres_start.sh, Postgres 15, chatbot/
    (
        "postgres_start: the volume holds a database of Postgres 14, this is Postgres 15",
        "postgres-major",
    ),
    ('FATAL:  password authentication failed for user "archi"', "postgres-password-wrong"),
    (
        "chatbot: cannot start. VLLM_BASE_URL is not set: the model server's address is needed. "
        "Mend: write vLLM's address.",
        "chat-settings",
    ),
    ('{"run": "0", "failure": "model_unreachable", "event": "run_ended"}', "vllm-not-answering"),
]


@pytest.mark.parametrize(("line", "cause"), OTHERS)
def test_texts_of_other_machines_are_known(line: str, cause: str) -> None:
    assert diagnose([line], 1).cause == cause


def test_the_length_that_would_fit_is_named() -> None:
    line = (
        "ValueError: To serve at least one request with the model's max seq len (32768), "
        "(4.5 GiB KV cache is needed, which is larger than the available KV cache memory "
        "(2.1 GiB). Based on the available memory, the estimated maximum model length is 15296."
    )
    assert "at most 15296" in diagnose([line], 1).mend


def test_the_cause_wins_over_what_wraps_it() -> None:
    lines = [
        "OSError: Cannot access gated repo for url https://hub/o/m",
        "OSError: o/m is not a local folder and is not a valid model identifier",
        "RuntimeError: Engine core initialization failed. See root cause above.",
    ]
    assert diagnose(lines, 1).cause == "gated-model"


def test_the_last_start_counts_where_it_failed_otherwise() -> None:
    lines = [*log("context-too-long"), *log("tool-parser")]
    assert diagnose(lines, 1).cause == "unknown-tool-parser"


def test_a_cause_is_found_far_above_what_follows_it() -> None:
    follows = [
        f'INFO:     172.17.0.2:{port} - "GET /health HTTP/1.1" 200 OK' for port in range(999)
    ]
    diagnosis = diagnose([*log("kv-cache-huge"), *follows], 1)
    assert diagnosis.cause == "kv-cache-memory"
    assert diagnosis.line is not None
    assert diagnosis.line < 999


def test_the_kernels_killer_is_told_apart_from_a_kill() -> None:
    assert diagnose(log("killed"), 137).confidence is Confidence.LIKELY
    assert diagnose(log("killed"), 137, out_of_memory=True).cause == "out-of-memory"


def test_anything_else_shows_the_engines_own_last_error_not_the_traceback() -> None:
    lines = [
        "(EngineCore pid=26) INFO 11-23 01:14:32 [core.py:402] Error: none of this counts",
        "(EngineCore pid=26) ERROR 11-23 01:14:33 [core.py:900] Traceback (most recent call last):",
        '(EngineCore pid=26) ERROR 11-23 01:14:33 [core.py:900]   File "core.py", line 1, in run',
        "(EngineCore pid=26) ERROR 11-23 01:14:33 [core.py:900] ValueError: the moon is full",
        "Traceback (most recent call last):",
        '  File "api_server.py", line 5, in <module>',
        "RuntimeError: Engine core initialization failed. See root cause above.",
    ]
    diagnosis = diagnose(lines, 1)
    assert diagnosis.cause == "unknown"
    assert diagnosis.confidence is Confidence.UNKNOWN
    assert diagnosis.evidence == "ValueError: the moon is full"
    assert diagnosis.line == 4


def test_an_error_of_their_own_wins_over_what_ended_silently() -> None:
    lines = log("worker-killed")
    lines.insert(
        63, "(Worker pid=4) ERROR 11-23 01:14:33 [core.py:900] ValueError: the moon is full"
    )
    diagnosis = diagnose(lines, 0)
    assert (diagnosis.cause, diagnosis.line) == ("unknown", 64)


def test_what_is_logged_as_a_warning_is_no_cause() -> None:
    lines = [
        "(Worker pid=4) WARNING 11-23 01:14:32 [utils.py:597] OSError: No space left on device"
    ]
    assert diagnose(lines, 1).cause == "unknown"


def test_the_code_of_a_traceback_is_no_cause() -> None:
    lines = ['    raise ValueError("No available memory for the cache blocks. "']
    assert diagnose(lines, 1).cause == "unknown"


def test_no_lines_at_all_still_give_an_answer() -> None:
    assert "exit code 3" in diagnose([], 3).what


def test_a_text_without_an_error_tells_none() -> None:
    assert diagnose_text(["All is well.", ""]) is None
    unknown = diagnose_text(["ValueError: the moon is full"])
    assert unknown is not None
    assert unknown.cause == "unknown"
