"""From the last lines of real failures to their cause and mend.

vllm_logs/ holds what vLLM 0.32.0 on a CPU wrote when it was made to fail in each of these ways.
"""

from pathlib import Path

import pytest

from archi.diagnosis import clean, diagnose, last_error

LOGS = Path(__file__).parent / "vllm_logs"


def log(name: str) -> list[str]:
    return (LOGS / f"{name}.log").read_text().splitlines()


@pytest.mark.parametrize(
    ("name", "exit_code", "cause", "says", "mend"),
    [
        ("nomodel", 1, "weights-missing", "/models/Nobody/Nothing/main", "pulumi up --refresh"),
        ("badparser", 1, "unknown-tool-parser", "'hermess'", "did you mean hermes?"),
        ("badflag", 2, "unknown-argument", "--no-such-flag", "archi:services.vllm"),
        ("kv-space-huge", 1, "kv-cache-memory", "400.0 GiB", "cpu_kv_cache_gib"),
        ("too-long", 1, "context-too-long", "100000 tokens", "max_model_len"),
        ("sigkill", 137, "killed", "137", "archi:services.vllm.memory"),
    ],
)
def test_a_real_failure_is_recognised(
    name: str, exit_code: int, cause: str, says: str, mend: str
) -> None:
    diagnosis = diagnose(log(name), exit_code)
    assert diagnosis.cause == cause
    assert says in diagnosis.what
    assert mend in diagnosis.mend


def test_the_kernels_killer_is_told_apart_from_a_kill() -> None:
    assert diagnose(log("oom"), 137, out_of_memory=True).cause == "out-of-memory"


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        # Docker Engine 20.10 names the driver it was asked for, or "" for --gpus.
        (
            'could not select device driver "" with capabilities: [[gpu]]',
            "gpu-runtime-missing",
        ),
        (
            'could not select device driver "nvidia" with capabilities: [[gpu]]',
            "gpu-runtime-missing",
        ),
        ("Repository Not Found for url: https://hub/api/models/o/m", "model-not-found"),
        ("Cannot access gated repo for url https://hub/o/m", "gated-model"),
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate", "gpu-out-of-memory"),
        (
            "ValueError: Free memory on device cuda:0 (3.1/23.6 GiB) on startup is less than "
            "desired GPU memory utilization (0.92, 21.7 GiB).",
            "gpu-memory-taken",
        ),
        (
            "ValueError: No available memory for the cache blocks. Try increasing "
            "`gpu_memory_utilization`",
            "kv-cache-memory",
        ),
        ("RuntimeError: Failed to infer device type", "no-gpu-found"),
    ],
)
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
    assert diagnosis.evidence == "ValueError: the moon is full"


def test_what_is_logged_as_a_warning_is_no_cause() -> None:
    lines = [
        "(Worker pid=4) WARNING 11-23 01:14:32 [utils.py:597] OSError: No space left on device"
    ]
    assert diagnose(lines, 1).cause == "unknown"


def test_no_lines_at_all_still_give_an_answer() -> None:
    assert "exit code 3" in diagnose([], 3).what


def test_colours_and_prefixes_go() -> None:
    line = "\x1b[36m(EngineCore pid=26)\x1b[0m ERROR 11-23 01:14:33 [core.py:900] boom"
    assert clean(line) == "boom"
    assert last_error([line]) == "boom"
