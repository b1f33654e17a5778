"""What a machine runs out of: shared memory, disk, ports, processes, files; and what it lacks.

Seen: a full /dev/shm and a full disk, a taken port, too few processes, a missing libnuma, kernels
that are no library. Sentences of the C library, the loader, libgomp, Python, SQLite, Triton and
torch stand in those of the CPU image. From knowledge: Docker Desktop's ports, nvcc, processors.
"""

from __future__ import annotations

from archi.diagnosis.rules import Confidence, rule

RULES = (
    rule(
        "shared-memory-too-small",
        (
            # distributed/device_communicators/shm_broadcast.py
            "Insufficient space in {folder:word} for {use}: {wanted:int} MiB required",
            "No space left on device: '/psm_",
            "No space left on device: '/dev/shm",
            "unable to allocate shared memory",
            "Bus error",
        ),
        "The shared memory of the host (/dev/shm) is full.",
        "remove leftover psm_* files there that no process uses, or enlarge it; with "
        "archi:services.vllm.shm_size set, raise that (1g and more).",
    ),
    rule(
        "disk-full",
        ("No space left on device", "database or disk is full", "Disk quota exceeded"),
        "The disk is full.",
        "free space where Docker keeps its data (`docker system df` says what takes it).",
    ),
    rule(
        "port-taken",
        ("address already in use", "port is already allocated", "ports are not available"),
        "Another process holds the port.",
        "end it, or choose another port (archi:services.vllm.port, archi:services.chatbot.port).",
    ),
    rule(
        "too-many-processes",
        (
            "can't start new thread",
            "Resource temporarily unavailable",
            "pthread_create failed",
            "libgomp: Thread creation failed",
        ),
        "No more processes or threads may be made.",
        "raise the limit: `ulimit -u` of the Docker daemon, kernel.pid_max, or the container's own "
        "(archi:services.vllm.ulimits).",
    ),
    rule(
        "too-many-files",
        "Too many open files",
        "No more files or connections may be opened.",
        "raise nofile in archi:services.vllm.ulimits.",
    ),
    rule(
        "no-memory",
        (
            "Cannot allocate memory",
            "DefaultCPUAllocator: can't allocate memory",
            "std::bad_alloc",
        ),
        "The machine has no memory left.",
        "lower archi:services.vllm.cpu_kv_cache_gib, take a smaller model, or end what else takes "
        "memory.",
    ),
    rule(
        "library-missing",
        (
            "error while loading shared libraries: {library}:",
            "ImportError: {library:word}: cannot open shared object file",
            "OSError: {library:word}: cannot open shared object file",
            "{library:word}: file too short",
            "{library:word}: invalid ELF header",
            "libnuma.so.1: …",
            "object has no attribute 'init_cpu_memory_env'",
            "object has no attribute 'init_cpu_threads_env'",
        ),
        "A library that vLLM needs is missing in its image.",
        "take an image that has it: leave archi:services.vllm.image out, or add the library to "
        "your own (on a CPU libnuma1 and g++).",
    ),
    rule(
        "compiler-missing",
        ("Failed to find C compiler", "No working C++ compiler found", "Could not find nvcc"),
        "vLLM compiles the model at its start, and the image has no compiler.",
        "set archi:services.vllm.enforce_eager to true, or take an image with a compiler.",
    ),
    rule(
        "cpu-too-old",
        ("Illegal instruction", "requires AVX512", "requires AVX2", "SIGILL"),
        "The processor lacks instructions that vLLM is compiled for.",
        "vLLM on a CPU needs AVX2 at least (`grep -c avx2 /proc/cpuinfo`): take another machine.",
        Confidence.LIKELY,
    ),
    rule(
        "not-permitted",
        "Permission denied: '{file}'",
        "A process may not use {file}.",
        "`pulumi up --refresh` writes the deployment's files again, with their owners; a folder of "
        "your own has to be readable for all.",
        Confidence.LIKELY,
    ),
)
