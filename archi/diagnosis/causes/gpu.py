"""GPUs as vLLM 0.32.0 and torch 2.13.0 find them: v1/worker/, platforms/cuda.py, config/.

None of it was seen: there was no GPU. From vLLM's source: memory that is taken, too few GPUs, no
device type, compute capability, attention, and `Failed to load model`. In torch's libc10_cuda and
libtorch_cuda: `CUDA out of memory`, no driver, the watchdog. In CUDA 13's libcudart, cuBLAS and
NCCL: the sentences after `CUDA error:` and the names of NCCL's errors. From knowledge: `HIP out of
memory`, and the fallen GPU of the kernel's log.
"""

from __future__ import annotations

from archi.diagnosis.rules import Confidence, rule

RULES = (
    rule(
        "gpu-memory-taken",
        (
            "Free memory on device … is less than desired GPU memory utilization",
            "Free memory on device … is less than the engine's budget",
            "Error in memory profiling. Initial free memory",
        ),
        "Another process holds memory of the GPU.",
        "end it (`nvidia-smi` lists who holds what), or choose other GPUs with archi:gpu_ids.",
    ),
    rule(
        "gpu-out-of-memory",
        (
            "CUDA out of memory",
            "CUDA error: out of memory",
            "Failed to load model - not enough GPU memory",
            "HIP out of memory",
            "CUBLAS_STATUS_ALLOC_FAILED",
        ),
        "The model does not fit in the GPU's memory.",
        "take a smaller or quantised model, lower archi:services.vllm.max_model_len, or add GPUs "
        "with archi:gpu_ids.",
    ),
    rule(
        "too-few-gpus",
        (
            "World size ({wanted:int}) is larger than the number of available GPUs ({there:int})",
            "Tensor parallel size may exceed available GPUs",
        ),
        "The model is to be split over more GPUs than the container has.",
        "name as many GPUs in archi:gpu_ids as archi:services.vllm.tensor_parallel_size times "
        "archi:services.vllm.pipeline_parallel_size says.",
    ),
    rule(
        "no-gpu-found",
        ("Failed to infer device type", "No CUDA GPUs are available", "no NVIDIA driver on your"),
        "The GPU build of vLLM found no GPU in its container.",
        "check archi:gpu_ids and `nvidia-smi` on the host; with archi:gpu_ids none the CPU image "
        "is taken.",
    ),
    rule(
        "compute-capability-too-low",
        (
            "Bfloat16 is only supported on GPUs with compute capability",
            "is not supported for the current GPU. Minimum capability",
            "Quantization scheme is not supported for the current GPU",
            "no kernel image is available for execution on the device",
        ),
        "The GPU is too old for the model's number format.",
        "take a model in another precision or quantisation (archi:services.vllm.dtype float16 for "
        "bfloat16), or a newer GPU.",
    ),
    rule(
        "no-attention-backend",
        ("No valid attention backend found", "is not valid for this configuration. Reason"),
        "vLLM has no attention kernel for this model on this GPU.",
        "leave archi:services.vllm.kv_cache_dtype and VLLM_ATTENTION_BACKEND out, or take another "
        "model.",
        Confidence.LIKELY,
    ),
    rule(
        "gpu-fault",
        (
            "CUDA error: an illegal memory access was encountered",
            "CUDA error: unspecified launch failure",
            "CUDA error: device-side assert triggered",
            "CUDA error: uncorrectable ECC error encountered",
            "uncorrectable NVLink error",
            "GPU has fallen off the bus",
        ),
        "A GPU, or the code that ran on it, failed.",
        "if it comes back, look at `dmesg | grep -i xid` for faults of the GPU, and try "
        "archi:services.vllm.enforce_eager and another version in archi:services.vllm.image.",
        Confidence.LIKELY,
    ),
    rule(
        "gpu-communication",
        (
            "NCCL error",
            "ncclUnhandledCudaError",
            "ncclSystemError",
            "Watchdog caught collective operation timeout",
        ),
        "The GPUs can't speak to each other.",
        "set NCCL_DEBUG to INFO in archi:services.vllm.environment to see why; often shared memory "
        "is too small (leave archi:services.vllm.shm_size out), or direct access between the GPUs "
        "does not work (NCCL_P2P_DISABLE set to 1).",
        Confidence.LIKELY,
    ),
)
