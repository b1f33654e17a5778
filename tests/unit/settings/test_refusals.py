"""What is refused, a row each with its whole message: read them as the person who gets them."""

from __future__ import annotations

from typing import Any

import pytest

from archi.settings import SettingsError, from_mapping

SMOL = "HuggingFaceTB/SmolLM2-135M-Instruct"


def vllm(**settings: Any) -> dict[str, Any]:
    return {"services": {"vllm": settings}}


def chat(**settings: Any) -> dict[str, Any]:
    return {"services": {"chatbot": settings}}


def agent(**models: str) -> dict[str, Any]:
    return {"pipeline_map": {"Agent": {"models": {"required": models}}}}


# Configuration, and what is said about it.
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"gpus": "all"}, "archi:gpus: unknown key. Did you mean archi:gpu_ids?"),
    (
        {"services": {"vlm": {}}},
        "archi:services.vlm: unknown key. Did you mean archi:services.vllm?",
    ),
    (
        {"services": {"vllm": {"modle": "a/b"}}},
        "archi:services.vllm.modle: unknown key. Did you mean archi:services.vllm.model?",
    ),
    (
        {"services": {"chatbot": {"prot": 1}}},
        "archi:services.chatbot.prot: unknown key. Did you mean archi:services.chatbot.port?",
    ),
    (
        {"services": {"postgres": {"user": "x"}}},
        "archi:services.postgres.user: unknown key. Known here: image, memory, port.",
    ),
    (
        {"pipeline_map": {"A": {"modles": {}}}},
        "archi:pipeline_map.A.modles: unknown key. Did you mean archi:pipeline_map.A.models?",
    ),
    (
        {"pipeline_map": {"A": {"models": {"requird": {}}}}},
        "archi:pipeline_map.A.models.requird: unknown key. Did you mean archi:pipeline_map.A.models.required?",
    ),
    (
        {"services": {"vllm": {"ulimits": {"memlock": {"sft": 1, "hard": 2}}}}},
        "archi:services.vllm.ulimits.memlock.soft: is missing; add it.\narchi:services.vllm.ulimits.memlock.sft: unknown key. Did you mean archi:services.vllm.ulimits.memlock.soft?",
    ),
    ({"name": "x"}, "archi:name: unknown key. A deployment has the name of its stack."),
    (
        {"services": {"vllm": {"model": "Qwen/Qwen3:8B"}}},
        "archi:services.vllm.model: 'Qwen/Qwen3:8B' is refused: this looks like an Ollama name; vLLM uses Hugging Face ids, most likely 'Qwen/Qwen3-8B'.",
    ),
    (
        {"pipeline_map": {"Agent": {"models": {"required": {"m": "Qwen/Qwen3-8B"}}}}},
        "archi:pipeline_map.Agent.models.required.m: 'Qwen/Qwen3-8B' is refused: no known provider; write vllm/<Hugging Face id>, such as vllm/Qwen/Qwen3-8B.",
    ),
    (
        {"pipeline_map": {"Agent": {"models": {"required": {"m": "azure/gpt"}}}}},
        "archi:pipeline_map.Agent.models.required.m: 'azure/gpt' is refused: no known provider; write vllm/<Hugging Face id>, such as vllm/Qwen/Qwen3-8B.",
    ),
    (
        {"pipeline_map": {"Agent": {"models": {"required": {"m": "openia/gpt"}}}}},
        "archi:pipeline_map.Agent.models.required.m: 'openia/gpt' is refused: no known provider; write vllm/<Hugging Face id>, such as vllm/Qwen/Qwen3-8B; did you mean openai/gpt?",
    ),
    (
        {"pipeline_map": {"Agent": {"models": {"required": {"m": "gpt"}}}}},
        "archi:pipeline_map.Agent.models.required.m: 'gpt' is refused: no known provider; write vllm/<Hugging Face id>, such as vllm/Qwen/Qwen3-8B.",
    ),
    (
        {
            "pipeline_map": {"Agent": {"models": {"required": {"m": "vllm/Qwen/Qwen3-8B"}}}},
            "services": {"vllm": {"model": "Qwen/Qwen3-4B"}},
        },
        "archi:pipeline_map.Agent.models.required.m: names Qwen/Qwen3-8B, but archi:services.vllm.model serves Qwen/Qwen3-4B. Write the same id in both.",
    ),
    (
        {
            "pipeline_map": {
                "Agent": {"models": {"required": {"a": "vllm/o/one", "b": "vllm/o/two"}}}
            }
        },
        "archi:pipeline_map: one vllm-server serves one model, but Agent.models.required.a names o/one, Agent.models.required.b names o/two. Name one model everywhere.",
    ),
    (
        {"services": {"vllm": {"model": "Qwen/Qwen3 8B"}}},
        "archi:services.vllm.model: 'Qwen/Qwen3 8B' is refused: a Hugging Face model id has the form org/name, of letters, digits, '-', '_' and '.', such as Qwen/Qwen3-8B.",
    ),
    (
        {"services": {"vllm": {"model": "Qwen3-8B"}}},
        "archi:services.vllm.model: 'Qwen3-8B' is refused: a Hugging Face model id has the form org/name, of letters, digits, '-', '_' and '.', such as Qwen/Qwen3-8B.",
    ),
    (
        {"services": {"vllm": {"model": 8}}},
        "archi:services.vllm.model: 8 is refused: a Hugging Face model id such as Qwen/Qwen3-8B is wanted.",
    ),
    ({"gpu_ids": "0,0"}, "archi:gpu_ids: '0,0' is refused: 0 is named twice; name each GPU once."),
    (
        {"gpu_ids": "-1"},
        "archi:gpu_ids: '-1' is refused: '-1' is no GPU id; write all, none, indices such as 0,1, or UUIDs as nvidia-smi -L prints them.",
    ),
    (
        {"gpu_ids": "0,x"},
        "archi:gpu_ids: '0,x' is refused: 'x' is no GPU id; write all, none, indices such as 0,1, or UUIDs as nvidia-smi -L prints them.",
    ),
    ({"gpu_ids": ""}, "archi:gpu_ids: '' is refused: write all, none, or ids such as 0,1."),
    ({"gpu_ids": []}, "archi:gpu_ids: [] is refused: write all, none, or ids such as 0,1."),
    (
        {"gpu_ids": {"a": 1}},
        "archi:gpu_ids: {'a': 1} is refused: write all, none, or ids such as 0,1.",
    ),
    ({"gpu_driver": "amd"}, "archi:gpu_driver: 'amd' is refused: choose one of 'nvidia' or 'cdi'."),
    (
        {
            "gpu_ids": "0,1",
            "services": {"vllm": {"model": "Qwen/Qwen3-8B", "tensor_parallel_size": 4}},
        },
        "archi:services.vllm.tensor_parallel_size: 4 takes 4 GPUs, but archi:gpu_ids names 2 (0,1). Name 4 there, or take less.",
    ),
    (
        {"gpu_ids": "none", "services": {"vllm": {"model": SMOL, "tensor_parallel_size": 2}}},
        "archi:services.vllm.tensor_parallel_size: 2 GPUs are to share the model, but archi:gpu_ids is none. Name the GPUs there, or leave tensor_parallel_size out.",
    ),
    (
        {"gpu_ids": "0,1,2", "services": {"vllm": {"model": "Qwen/Qwen3-8B"}}},
        "archi:gpu_ids: '0,1,2' spreads the model over 3 GPUs, but the 32 attention heads of Qwen/Qwen3-8B can't be dealt out evenly. Take 2.",
    ),
    (
        {
            "gpu_ids": "all",
            "services": {"vllm": {"model": "Qwen/Qwen3-8B", "tensor_parallel_size": 3}},
        },
        "archi:services.vllm.tensor_parallel_size: 3 spreads the model over 3 GPUs, but the 32 attention heads of Qwen/Qwen3-8B can't be dealt out evenly. Take 2.",
    ),
    (
        {
            "gpu_ids": "0,1",
            "services": {
                "vllm": {
                    "model": "Qwen/Qwen3-8B",
                    "tensor_parallel_size": 2,
                    "pipeline_parallel_size": 2,
                }
            },
        },
        "archi:services.vllm.pipeline_parallel_size: 2 times tensor_parallel_size 2 takes 4 GPUs, but archi:gpu_ids names 2 (0,1). Name 4 there, or take less.",
    ),
    (
        {"gpu_ids": "none", "services": {"vllm": {"model": SMOL, "pipeline_parallel_size": 2}}},
        "archi:services.vllm.pipeline_parallel_size: 2 GPUs are to share the model, but archi:gpu_ids is none. Name the GPUs there, or leave pipeline_parallel_size out.",
    ),
    (
        {"services": {"vllm": {"tensor_parallel_size": 0}}},
        "archi:services.vllm.tensor_parallel_size: 0 is refused: it is at least 1.",
    ),
    (
        {"services": {"vllm": {"port": 0}}},
        "archi:services.vllm.port: 0 is refused: it is at least 1.",
    ),
    (
        {"services": {"vllm": {"port": 70000}}},
        "archi:services.vllm.port: 70000 is refused: it is at most 65535.",
    ),
    (
        {"services": {"vllm": {"port": "eight"}}},
        "archi:services.vllm.port: 'eight' is refused: a whole number is wanted.",
    ),
    (
        {"services": {"vllm": {"port": 7861}}},
        "archi:services.vllm.port: 7861 is also archi:services.chatbot.port; choose two different ports.",
    ),
    (
        {"host_mode": True, "services": {"postgres": {"port": 8000}}},
        "archi:services.postgres.port: 8000 is also archi:services.vllm.port; choose two different ports.",
    ),
    (
        {"host_mode": True, "services": {"vllm": {"publish": True}}},
        "archi:services.vllm.publish: true has no meaning with archi:host_mode: nothing is published there, vLLM listens on the host's loopback address itself. Leave it out.",
    ),
    ({"host_mode": "maybe"}, "archi:host_mode: 'maybe' is refused: true or false is wanted."),
    (
        {"services": {"vllm": {"memory": 8}}},
        "archi:services.vllm.memory: 8 is refused: memory is a number with a unit, such as 512m or 8g.",
    ),
    (
        {"services": {"vllm": {"memory": "8 apples"}}},
        "archi:services.vllm.memory: '8 apples' is refused: memory is a number with a unit, such as 512m or 8g.",
    ),
    (
        {"services": {"vllm": {"memory": "0m"}}},
        "archi:services.vllm.memory: '0m' is refused: memory is at least 1m and at most 64t.",
    ),
    (
        {"gpu_ids": "none", "services": {"vllm": {"model": SMOL, "memory": "4g"}}},
        "archi:services.vllm.memory: 4g is too little for 4g for the KV cache and 3g for vLLM itself. Give it 7g or more, or lower cpu_kv_cache_gib.",
    ),
    (
        {"services": {"vllm": {"memory": "1g"}}},
        "archi:services.vllm.memory: 1g is too little for vLLM itself. Give it 2g or more.",
    ),
    (
        {"services": {"chatbot": {"memory": "64m"}}},
        "archi:services.chatbot.memory: 64m is too little for 2 workers. Give it 512m or more, or lower workers.",
    ),
    (
        {"services": {"chatbot": {"workers": 8}}},
        "archi:services.chatbot.memory: 1g is too little for 8 workers. Give it 1664m or more, or lower workers.",
    ),
    (
        {"services": {"postgres": {"memory": "64m"}}},
        "archi:services.postgres.memory: 64m is too little for the server. Give it 128m or more.",
    ),
    (
        {"services": {"vllm": {"shm_size": "16m"}}},
        "archi:services.vllm.shm_size: 16m is less than Docker gives by itself. Give it 64m or more, or leave it out to use the host's.",
    ),
    (
        {"gpu_ids": "0,1", "services": {"vllm": {"model": "Qwen/Qwen3-8B", "shm_size": "512m"}}},
        "archi:services.vllm.shm_size: 512m is too little for the shared memory of 2 GPUs. Give it 1g or more, or leave it out to use the host's.",
    ),
    (
        {"services": {"vllm": {"tool_parser": "hermess"}}},
        "archi:services.vllm.tool_parser: 'hermess' is no parser of vLLM 0.32.0. Did you mean hermes? Left out, it follows the model's family.",
    ),
    (
        {"services": {"vllm": {"reasoning_parser": "qwen33"}}},
        "archi:services.vllm.reasoning_parser: 'qwen33' is no parser of vLLM 0.32.0. Did you mean qwen3? Left out, it follows the model's family.",
    ),
    (
        {"services": {"vllm": {"tool_parser": 5}}},
        "archi:services.vllm.tool_parser: 5 is refused: a text is wanted; put it in quotes.",
    ),
    (
        {"services": {"vllm": {"gpu_memory_utilization": 1.5}}},
        "archi:services.vllm.gpu_memory_utilization: 1.5 is refused: it is at most 1.0.",
    ),
    (
        {"services": {"vllm": {"gpu_memory_utilization": 0}}},
        "archi:services.vllm.gpu_memory_utilization: 0 is refused: it is more than 0.0.",
    ),
    (
        {"services": {"vllm": {"gpu_memory_utilization": "most"}}},
        "archi:services.vllm.gpu_memory_utilization: 'most' is refused: a number is wanted.",
    ),
    (
        {"services": {"vllm": {"max_model_len": 0}}},
        "archi:services.vllm.max_model_len: 0 is refused: a number of tokens from 1 on is wanted, such as 16384, or auto.",
    ),
    (
        {"services": {"vllm": {"max_model_len": -1}}},
        "archi:services.vllm.max_model_len: -1 is refused: a number of tokens from 1 on is wanted, such as 16384, or auto.",
    ),
    (
        {"services": {"vllm": {"max_model_len": "long"}}},
        "archi:services.vllm.max_model_len: 'long' is refused: a number of tokens from 1 on is wanted, such as 16384, or auto.",
    ),
    (
        {"services": {"vllm": {"max_num_seqs": 0}}},
        "archi:services.vllm.max_num_seqs: 0 is refused: it is at least 1.",
    ),
    (
        {"services": {"vllm": {"seed": -1}}},
        "archi:services.vllm.seed: -1 is refused: it is at least 0.",
    ),
    (
        {"services": {"vllm": {"dtype": "fp16"}}},
        "archi:services.vllm.dtype: 'fp16' is refused: choose one of 'auto', 'float32', 'float16' or 'bfloat16'.",
    ),
    (
        {"services": {"vllm": {"model": "Qwen/Qwen3-8B-AWQ", "quantization": "gptq"}}},
        "archi:services.vllm.quantization: 'gptq' is refused: Qwen/Qwen3-8B-AWQ is quantised with awq, as its name says. Leave it out; the model itself says it.",
    ),
    (
        {"services": {"vllm": {"quantization": "awq", "dtype": "bfloat16"}}},
        "archi:services.vllm.dtype: 'bfloat16' is refused with quantization awq, which computes in float16. Leave dtype out.",
    ),
    (
        {"services": {"vllm": {"quantization": "fp8", "dtype": "float32"}}},
        "archi:services.vllm.dtype: 'float32' is refused with quantization fp8, which computes in float16 or bfloat16. Leave dtype out.",
    ),
    (
        {"services": {"vllm": {"kv_cache_dtype": "fp9"}}},
        "archi:services.vllm.kv_cache_dtype: 'fp9' is no format of vLLM 0.32.0. Did you mean fp8?",
    ),
    (
        {"services": {"vllm": {"engine_args": "--seed 1 --foo"}}},
        "archi:services.vllm.engine_args: '--seed 1 --foo' is refused: a list is wanted, a word an element, such as [--seed, 1, --foo].",
    ),
    (
        {"services": {"vllm": {"engine_args": ["--max-model-len", "4096"]}}},
        "archi:services.vllm.engine_args: ['--max-model-len', '4096'] is refused: --max-model-len has a key of its own; write it as archi:services.vllm.max_model_len.",
    ),
    (
        {"services": {"vllm": {"engine_args": ["--max_model_len=4096"]}}},
        "archi:services.vllm.engine_args: ['--max_model_len=4096'] is refused: --max-model-len has a key of its own; write it as archi:services.vllm.max_model_len.",
    ),
    (
        {"services": {"vllm": {"engine_args": ["-tp", "2"]}}},
        "archi:services.vllm.engine_args: ['-tp', '2'] is refused: -tp has a key of its own; write it as archi:services.vllm.tensor_parallel_size.",
    ),
    (
        {"services": {"vllm": {"engine_args": ["--no-enable-prefix-caching"]}}},
        "archi:services.vllm.engine_args: ['--no-enable-prefix-caching'] is refused: --enable-prefix-caching has a key of its own; write it as archi:services.vllm.enable_prefix_caching.",
    ),
    (
        {"services": {"vllm": {"engine_args": ["--api-key", "x"]}}},
        "archi:services.vllm.engine_args: its value is refused: a key on a command line shows to everyone; set the secret archi:vllm_api_key.",
    ),
    (
        {"services": {"vllm": {"engine_args": ["--host", "0.0.0.0"]}}},
        "archi:services.vllm.engine_args: ['--host', '0.0.0.0'] is refused: --host is not yours to set: archi binds it to the deployment's network, or to loopback in host mode; leave it out.",
    ),
    (
        {"services": {"vllm": {"engine_args": ["8192"]}}},
        "archi:services.vllm.engine_args: ['8192'] is refused: '8192' is no option; options begin with '--'.",
    ),
    (
        {"services": {"vllm": {"engine_args": [True]}}},
        "archi:services.vllm.engine_args: [True] is refused: each element is a word; put it in quotes.",
    ),
    (
        {"services": {"vllm": {"engine_args": {"a": 1}}}},
        "archi:services.vllm.engine_args: {'a': 1} is refused: a list is wanted, such as [--max-num-batched-tokens, 8192].",
    ),
    (
        {"services": {"vllm": {"base_url": "gpu1:8000/v1"}}},
        "archi:services.vllm.base_url: 'gpu1:8000/v1' is refused: an address begins with http:// or https:// and names a host.",
    ),
    (
        {"services": {"vllm": {"base_url": "http://gpu1:8000"}}},
        "archi:services.vllm.base_url: 'http://gpu1:8000' is refused: the path must end in /v1; most likely http://gpu1:8000/v1.",
    ),
    (
        {"services": {"vllm": {"base_url": "http://gpu1:8000/v1/chat/completions"}}},
        "archi:services.vllm.base_url: 'http://gpu1:8000/v1/chat/completions' is refused: the path must end in /v1; most likely http://gpu1:8000/v1.",
    ),
    (
        {"services": {"vllm": {"base_url": "http://user:pw@gpu1/v1"}}},
        "archi:services.vllm.base_url: 'http://…@gpu1/v1' is refused: an address must not carry credentials; a key belongs in archi:vllm_api_key.",
    ),
    (
        {"services": {"vllm": {"base_url": "http://localhost:8000/v1"}}},
        "archi:services.vllm.base_url: 'http://localhost:8000/v1' is the chat application's own container, not this host. Write this host's name or address (host.docker.internal works), or set archi:host_mode to true.",
    ),
    (
        {
            "deploy": ["chatbot", "vllm-server"],
            "services": {"vllm": {"base_url": "http://gpu1/v1"}},
        },
        "archi:services.vllm.base_url: 'http://gpu1/v1' says that vLLM runs elsewhere, but archi:deploy lists vllm-server. Take one of them out.",
    ),
    (
        {"services": {"vllm": {"base_url": "http://gpu1:99999/v1"}}},
        "archi:services.vllm.base_url: 'http://gpu1:99999/v1' is refused: this is no address; one is http://host:8000/v1.",
    ),
    (
        {"services": {"chatbot": {"bind": "0.0.0.0"}}},
        "archi:services.chatbot.bind: '0.0.0.0' lets other machines reach the chat, and archi:services.chatbot.auth.mode is none: anyone there could read every conversation. Set auth.mode to local or oidc, or leave bind out and reach the chat from elsewhere by `ssh -L 7861:localhost:7861 THIS-HOST`.",
    ),
    (
        {"host_mode": True, "services": {"chatbot": {"bind": "192.0.2.7", "port": 7862}}},
        "archi:services.chatbot.bind: '192.0.2.7' lets other machines reach the chat, and archi:services.chatbot.auth.mode is none: anyone there could read every conversation. Set auth.mode to local or oidc, or leave bind out and reach the chat from elsewhere by `ssh -L 7862:localhost:7862 THIS-HOST`.",
    ),
    (
        {"services": {"chatbot": {"public_url": "http://chat.example.org"}}},
        "archi:services.chatbot.public_url: 'http://chat.example.org' says that other machines reach the chat, and archi:services.chatbot.auth.mode is none: anyone there could read every conversation. Set auth.mode to local or oidc, or leave public_url out and reach the chat from elsewhere by `ssh -L 7861:localhost:7861 THIS-HOST`.",
    ),
    (
        chat(public_url="https://chat.example.org/chat"),
        "archi:services.chatbot.public_url: 'https://chat.example.org/chat' is refused: the chat is at the root of its address; write https://chat.example.org.",
    ),
    (
        chat(public_url="https://me:pw@chat.example.org"),
        "archi:services.chatbot.public_url: 'https://…@chat.example.org' is refused: an address must not carry credentials; people log in on the page.",
    ),
    (
        chat(public_url="https://chat.example.org", auth={"mode": "local"}),
        "archi:services.chatbot.public_url: 'https://chat.example.org' is spoken to by TLS, and nobody speaks it here. Set trusted_proxies to 1 where a proxy in front does, or tls_certificate.",
    ),
    (
        chat(auth={"mode": "ldap"}),
        "archi:services.chatbot.auth.mode: 'ldap' is refused: choose one of 'none', 'local' or 'oidc'.",
    ),
    (
        chat(auth={"mode": "oidc"}),
        "archi:services.chatbot.auth.oidc: is missing; auth.mode oidc needs its issuer and client_id.\narchi:services.chatbot.public_url: is missing; with auth.mode oidc the provider sends people back there. Write the address that they open, and allow <that address>/oidc/callback at the provider.",
    ),
    (
        chat(auth={"mode": "local", "oidc": {"issuer": "https://a.b", "client_id": "c"}}),
        "archi:services.chatbot.auth.oidc: has no meaning with auth.mode local. Set the mode to oidc, or take it out.",
    ),
    (
        chat(auth={"mode": "oidc", "oidc": {"issuer": "https://a.b"}}),
        "archi:services.chatbot.auth.oidc.client_id: is missing; add it.",
    ),
    (
        chat(
            public_url="http://localhost:7861",
            auth={"mode": "oidc", "oidc": {"issuer": "http://a.b", "client_id": "c"}},
        ),
        "archi:services.chatbot.auth.oidc.issuer: 'http://a.b' is asked without TLS: whoever sits between could log in as anyone. Write https://.",
    ),
    (
        chat(
            public_url="http://localhost:7861",
            auth={
                "mode": "oidc",
                "oidc": {"issuer": "https://a.b", "client_id": "c", "allowed_groups": ["a,b"]},
            },
        ),
        "archi:services.chatbot.auth.oidc.allowed_groups.0: 'a,b' is refused: a group's name is one line without a comma.",
    ),
    (
        chat(tls_certificate="README.md"),
        "archi:services.chatbot.tls_certificate: 'README.md' is refused: there is no such file, or no certificate in PEM form in it; the path begins at the project.",
    ),
    (
        chat(workers=9),
        "archi:services.chatbot.workers: 9 is refused: it is at most 8.",
    ),
    (
        chat(leave_grace="soon"),
        "archi:services.chatbot.leave_grace: 'soon' is refused: a duration is written like 90s, 10m or 1h30m.",
    ),
    (
        chat(max_upload=20),
        "archi:services.chatbot.max_upload: 20 is refused: memory is a number with a unit, such as 512m or 8g.",
    ),
    (
        chat(max_upload="2g"),
        "archi:services.chatbot.max_upload: 2g is too much for the container's memory, 1g, in which uploads are kept while they are read. Set it to 128m or less, or raise services.chatbot.memory.",
    ),
    (
        chat(trusted_proxies=-1),
        "archi:services.chatbot.trusted_proxies: -1 is refused: it is at least 0.",
    ),
    (
        chat(metrics="all"),
        "archi:services.chatbot.metrics: 'all' is refused: choose one of 'none', 'loopback' or 'token'.",
    ),
    (
        chat(documents="documents"),
        "archi:services.chatbot.documents: 'documents' is refused: an absolute path on the Docker host is wanted, such as /data/models/qwen.",
    ),
    (
        chat(agents="no-such-folder"),
        "archi:services.chatbot.agents: 'no-such-folder' is refused: there is no such folder; the path begins at the project.",
    ),
    (
        chat(mcp_servers={"My Tools": {"url": "https://a.b"}}),
        "archi:services.chatbot.mcp_servers.My Tools: 'My Tools' is refused: a server's name is made of a-z, 0-9, '-' and '_', and begins with a letter.",
    ),
    (
        chat(mcp_servers={"tools": {}}),
        "archi:services.chatbot.mcp_servers.tools.url: is missing; transport streamable_http needs it.",
    ),
    (
        chat(mcp_servers={"tools": {"transport": "stdio", "url": "https://a.b"}}),
        "archi:services.chatbot.mcp_servers.tools.command: is missing; transport stdio needs it.\narchi:services.chatbot.mcp_servers.tools.url: has no meaning with transport stdio. Take it out, or choose another transport.",
    ),
    (
        chat(mcp_servers={"tools": {"url": "https://a.b", "command": "x"}}),
        "archi:services.chatbot.mcp_servers.tools.command: has no meaning with transport streamable_http. Take it out, or choose another transport.",
    ),
    (
        chat(
            mcp_servers={"tools": {"url": "https://a.b", "headers": {"Authorization": "Bearer x"}}}
        ),
        "archi:services.chatbot.mcp_servers.tools.headers.Authorization: its value is refused: a secret stands here in plain text. Put it into archi:env_secrets, and write ${ITS_NAME} here.",
    ),
    (
        chat(
            mcp_servers={"tools": {"url": "https://a.b", "headers": {"X-Team": "sk-" + "a" * 40}}}
        ),
        "archi:services.chatbot.mcp_servers.tools.headers.X-Team: its value is refused: this looks like a secret; put it into archi:env_secrets and write ${ITS_NAME} here.",
    ),
    (
        chat(mcp_servers={"tools": {"url": "https://a.b", "headers": {"X-Team": "${a b}"}}}),
        "archi:services.chatbot.mcp_servers.tools.headers.X-Team: its value is refused: between ${ and } stands the name of a secret in archi:env_secrets, such as ${TOOLS_TOKEN}.",
    ),
    (
        chat(providers={"vllm": {"base_url": "https://a.b/v1"}}),
        "archi:services.chatbot.providers.vllm: vllm is the model served here; a vLLM elsewhere is archi:services.vllm.base_url. Choose another name.",
    ),
    (
        chat(providers={"other": {"base_url": "https://k@a.b/v1"}}),
        "archi:services.chatbot.providers.other.base_url: 'https://…@a.b/v1' is refused: an address must not carry credentials; its key is a secret that api_key names.",
    ),
    (
        chat(providers={"other": {"base_url": "https://a.b/v1", "api_key": "sk-123"}}),
        "archi:services.chatbot.providers.other.api_key: 'sk-123' is refused: a variable's name is made of letters, digits and '_', and begins with no digit.",
    ),
    (
        {"services": {"chatbot": {"bind": "everywhere"}}},
        "archi:services.chatbot.bind: 'everywhere' is refused: an IP address of this host is wanted, such as 127.0.0.1.",
    ),
    (
        {"services": {"chatbot": {"database": "mysql"}}},
        "archi:services.chatbot.database: 'mysql' is refused: choose one of 'postgres' or 'sqlite'.",
    ),
    (
        {"services": {"chatbot": {"max_streams": 0}}},
        "archi:services.chatbot.max_streams: 0 is refused: it is at least 1.",
    ),
    (
        {"hf_token": "hf_abcdefghijklmnopqrstuvwxyz"},
        "archi:hf_token: a secret stands here in plain text. Take it out, and `pulumi config set --secret archi:hf_token` (it asks for the value).",
    ),
    (
        {"env_secrets": {"A": "b"}},
        "archi:env_secrets: a secret stands here in plain text. Take it out, and `pulumi config set --secret --path 'archi:env_secrets.NAME'` (it asks for the value).",
    ),
    (
        {"services": {"vllm": {"environment": {"HF_TOKEN": "x"}}}},
        "archi:services.vllm.environment: its value is refused: HF_TOKEN looks like a secret, and the environment of a container shows to whoever may ask Docker; vLLM's key is archi:vllm_api_key, the hub's token archi:hf_token.",
    ),
    (
        {"services": {"vllm": {"environment": {"HF_HUB_OFFLINE": "0"}}}},
        "archi:services.vllm.environment: {'HF_HUB_OFFLINE': '0'} is refused: HF_HUB_OFFLINE is not yours to set: vllm-server never asks a hub; see archi:services.vllm.offline.",
    ),
    (
        {"services": {"vllm": {"environment": {"1A": "x"}}}},
        "archi:services.vllm.environment.1A: '1A' is refused: a variable's name is made of letters, digits and '_', and begins with no digit.",
    ),
    (
        {"deploy": ["chatbot", "ollama"]},
        "archi:deploy.1: 'ollama' is refused: choose one of 'chatbot', 'vllm-server' or 'postgres'.",
    ),
    (
        {"deploy": ["chatbot"]},
        "archi:deploy: [chatbot] has a chat application without a model server. Add vllm-server, or say where vLLM runs in archi:services.vllm.base_url.",
    ),
    ({"deploy": []}, "archi:deploy: [] is refused: it is empty; leave the key out."),
    (
        {"deploy": ["chatbot", "chatbot", "vllm-server"]},
        "archi:deploy: chatbot is named twice; name each service once.",
    ),
    (
        {"deploy": ["postgres", "vllm-server"]},
        "archi:deploy: [postgres, vllm-server] has a database that nobody uses. Take postgres out, or add chatbot.",
    ),
    (
        {
            "deploy": ["chatbot", "vllm-server", "postgres"],
            "services": {"chatbot": {"database": "sqlite"}},
        },
        "archi:services.chatbot.database: 'sqlite' keeps conversations in a file, but archi:deploy lists postgres. Take postgres out, or set the database to postgres.",
    ),
    (
        {"deploy": "chatbot"},
        "archi:deploy: 'chatbot' is refused: a list is wanted, such as [one, two].",
    ),
    ({"services": []}, "archi:services: [] is refused: keys with values are wanted here."),
    (
        {"services": {"vllm": []}},
        "archi:services.vllm: [] is refused: keys with values are wanted here.",
    ),
    ({"pipeline_map": []}, "archi:pipeline_map: [] is refused: keys with values are wanted here."),
    (
        {"pipeline_map": {"A": 5}},
        "archi:pipeline_map.A: 5 is refused: keys with values are wanted here.",
    ),
    (
        {"source": "packges"},
        "archi:source: 'packges' is refused: choose one of 'registry' or 'packages'.",
    ),
    (
        {"source": "packages", "gpu_ids": "none"},
        "archi:services.vllm.model: 'Qwen/Qwen2.5-7B-Instruct-1M' can't be had from packages, which carry HuggingFaceTB/SmolLM2-135M-Instruct only. Use that model, set archi:hf_endpoint to a model hub that this machine reaches, or set archi:source to registry.",
    ),
    (
        {"source": "packages", "services": {"vllm": {"model": SMOL}}},
        "archi:gpu_ids: 'all' is refused with archi:source packages: vLLM for GPUs comes from an image registry only. Set archi:source to registry, archi:gpu_ids to none, or name an image in archi:services.vllm.image.",
    ),
    (
        {"services": {"vllm": {"weights": "models/qwen"}}},
        "archi:services.vllm.weights: 'models/qwen' is refused: an absolute path on the Docker host is wanted, such as /data/models/qwen.",
    ),
    (
        {"services": {"vllm": {"weights": "/data/q", "revision": "v2"}}},
        "archi:services.vllm.revision: 'v2' has no meaning for the folder in archi:services.vllm.weights. Take one of them out.",
    ),
    (
        {"services": {"vllm": {"revision": "../x"}}},
        "archi:services.vllm.revision: '../x' is refused: write a branch, a tag or a commit.",
    ),
    (
        {"services": {"vllm": {"chat_template": "none.jinja"}}},
        "archi:services.vllm.chat_template: 'none.jinja' is refused: there is no such file, or no text in it; the path begins at the project.",
    ),
    (
        {"services": {"vllm": {"chat_template": "README.md"}}},
        "archi:services.vllm.chat_template: 'README.md' is refused: a chat template is a file whose name ends in .jinja.",
    ),
    (
        {"services": {"vllm": {"served_model_name": "my model"}}},
        "archi:services.vllm.served_model_name: 'my model' is refused: a name is made of letters, digits, '-', '_', '.', ':' and '/', such as assistant.",
    ),
    (
        {"services": {"vllm": {"image": "Not An Image"}}},
        "archi:services.vllm.image: 'Not An Image' is refused: an image is written [registry/]name:tag, such as vllm/vllm-openai:v0.32.0.",
    ),
    (
        {"registry_mirror": "https://mirror"},
        "archi:registry_mirror: 'https://mirror' is refused: a registry is written host[:port][/path], without https://.",
    ),
    (
        {"hf_endpoint": "hub.example.org"},
        "archi:hf_endpoint: 'hub.example.org' is refused: an address begins with http:// or https:// and names a host.",
    ),
    (
        {"hf_endpoint": "https://hf_abcdefghijklmnopqrstuvwxyz@hub"},
        "archi:hf_endpoint: 'https://…@hub' is refused: an address must not carry credentials; a token belongs in archi:hf_token.",
    ),
    (
        {"services": {"vllm": {"ulimits": {"memlok": -1}}}},
        "archi:services.vllm.ulimits.memlok: 'memlok' is refused: choose one of 'core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile', 'nproc', 'rss', 'rtprio', 'rttime', 'sigpending' or 'stack'.",
    ),
    (
        {"services": {"vllm": {"ulimits": {"nofile": {"soft": 10, "hard": 5}}}}},
        "archi:services.vllm.ulimits.nofile: soft 10 is above hard 5. Raise hard, or lower soft.",
    ),
    (
        {"services": {"vllm": {"ulimits": {"nofile": "many"}}}},
        "archi:services.vllm.ulimits.nofile: 'many' is refused: a number is wanted, -1 for unlimited, or soft and hard with a number each.",
    ),
    (
        {"services": {"vllm": {"start_timeout": "5"}}},
        "archi:services.vllm.start_timeout: '5' is refused: a duration is written like 90s, 10m or 1h30m.",
    ),
    (
        {"services": {"vllm": {"start_timeout": "0s"}}},
        "archi:services.vllm.start_timeout: '0s' is refused: a duration is at least 1s and at most 168h.",
    ),
]

# Secrets, and what is said about them: never their value.
REFUSED_SECRETS: list[tuple[dict[str, Any], str]] = [
    (
        {"session_key": "short"},
        "archi:session_key: its value is refused: it needs 32 printable characters or more, such as `openssl rand -hex 32` gives.",
    ),
    (
        {"vllm_api_key": "with space"},
        "archi:vllm_api_key: its value is refused: it goes into an HTTP header: 1 to 256 letters, digits and signs, no spaces.",
    ),
    (
        {"postgres_password": "two\nlines"},
        "archi:postgres_password: its value is refused: it has to be one line of printable characters, 512 bytes at most.",
    ),
    (
        {"env_secrets": {"a-b": "x"}},
        "archi:env_secrets.a-b: its value is refused: a variable's name is made of letters, digits and '_', and begins with no digit.",
    ),
    (
        {"env_secrets": {"SESSION_KEY": "x"}},
        "archi:env_secrets.SESSION_KEY: its value is refused: a file of that name is archi's own. Set archi:session_key, or choose another name.",
    ),
    (
        {"tls_key": "no key"},
        "archi:tls_key: its value is refused: a private key in PEM form is wanted, without a passphrase.",
    ),
    (
        {"oidc_client_secret": "two\nlines"},
        "archi:oidc_client_secret: its value is refused: it has to be one line of letters, digits and signs, 512 at most.",
    ),
    (
        {"metrics_token": "with space"},
        "archi:metrics_token: its value is refused: it goes into an HTTP header: 1 to 256 letters, digits and signs, no spaces.",
    ),
    ({"hf_token": 5}, "archi:hf_token: its value is refused: a text is wanted; put it in quotes."),
]


def refusal(config: dict[str, Any], secrets: dict[str, Any] | None = None) -> SettingsError:
    with pytest.raises(SettingsError) as refused:
        from_mapping("bot", config, secrets)
    return refused.value


@pytest.mark.parametrize(("config", "message"), REFUSED)
def test_what_cannot_be_is_refused_in_words_for_its_writer(
    config: dict[str, Any], message: str
) -> None:
    assert "\n".join(refusal(config).problems) == message


@pytest.mark.parametrize(("secrets", "message"), REFUSED_SECRETS)
def test_a_secret_that_cannot_be_is_refused_without_its_value(
    secrets: dict[str, Any], message: str
) -> None:
    assert "\n".join(refusal({}, secrets).problems) == message


def test_a_parser_or_method_that_resembles_none_is_refused_with_all_that_there_are() -> None:
    text = str(refusal(vllm(tool_parser="xyz", quantization="int3")))
    assert "'xyz' is no parser of vLLM 0.32.0. Known: apertus, cohere_command3" in text
    assert "'int3' is no method of vLLM 0.32.0. Known: auto_awq" in text


def test_a_token_in_a_wrong_place_is_not_repeated() -> None:
    token = "hf_" + "a" * 34
    for config in (vllm(tool_parser=token), vllm(model=token), {"gpu_ids": token}, {token: 1}):
        assert token not in str(refusal(config))


def test_all_problems_are_named_at_once() -> None:
    config = {**vllm(port=0, modle="a/b"), "gpu_ids": "x", "hf_token": "plain"}
    assert len(refusal(config).problems) == 4


def test_the_head_says_what_can_not_be_used() -> None:
    assert str(refusal({"gpus": 1})).startswith("The settings of this stack can't be used:\n  - ")
