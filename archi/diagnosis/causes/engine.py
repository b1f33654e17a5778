"""How vLLM's processes end (0.32.0: v1/engine/, v1/executor/multiproc_executor.py).

Last of all tables: most of these texts are what another cause has led to. Seen: a worker and an
engine that are killed, while they load and while they serve. vLLM seldom learns their exit code;
the texts with one are from its source. `MQLLMEngine` is of releases before 0.18.
"""

from __future__ import annotations

from archi.diagnosis.rules import Confidence, rule

_KILLED = "A process of the engine was killed, most often by the kernel for lack of memory."
_KILLED_MEND = (
    "`dmesg | grep -i oom` tells; lower archi:services.vllm.cpu_kv_cache_gib, take a smaller "
    "model, or raise archi:services.vllm.memory."
)

RULES = (
    rule(
        "engine-start-timeout",
        "Timed out waiting for engine core processes to start",
        "The engine took longer to start than vLLM waits for it.",
        "set VLLM_ENGINE_READY_TIMEOUT_S (seconds, 600 if unset) in "
        "archi:services.vllm.environment, and archi:services.vllm.start_timeout above it.",
    ),
    rule(
        "worker-killed",
        (
            "Worker proc {name:word} died unexpectedly (exit code: -9)",
            "Failed core proc(s): {'{name}': -9}",
        ),
        _KILLED,
        _KILLED_MEND,
        Confidence.LIKELY,
    ),
    rule(
        "worker-crashed",
        (
            "Worker proc {name:word} died unexpectedly (exit code: -{signal:int})",
            "Failed core proc(s): {'{name}': -{signal:int}}",
            "Fatal Python error: {error:rest}",
        ),
        "A process of the engine crashed.",
        "try archi:services.vllm.enforce_eager and another version in archi:services.vllm.image; "
        "`dmesg` may say more.",
        Confidence.LIKELY,
    ),
    rule(
        "stopped",
        ("KeyboardInterrupt: terminated", "KeyboardInterrupt: MQLLMEngine terminated"),
        "It was told to stop while it started: by somebody, or by a health check.",
        "start it again; where a health check did it, raise archi:services.vllm.start_timeout.",
        Confidence.LIKELY,
    ),
    rule(
        "weights-corrupt",
        # Without a word more, it is the length that a file names which is no safetensors at all
        # (transformers_utils/utils.py); memory of its own the engine lacks in other words.
        "MemoryError",
        "A file of the model's weights is no safetensors file.",
        "it may be a page of an error or a pointer of Git LFS: remove the model's folder from the "
        "volume archi-models (or from the folder that archi:services.vllm.weights names) and bring "
        "it again with `pulumi up --refresh`.",
        Confidence.LIKELY,
    ),
)

WITHOUT_A_WORD = (
    # Seen with each of them killed: most often vLLM does not learn the exit code (`None`). The same
    # texts follow an error that a process told, so they count only where none did.
    rule(
        "worker-killed",
        (
            "Worker proc {name:word} died unexpectedly",
            "engine core exited unexpectedly",
            "RuntimeError: Executor failed",
            "WorkerProc initialization failed due to an exception in a background process",
        ),
        _KILLED,
        _KILLED_MEND,
        Confidence.LIKELY,
    ),
)
