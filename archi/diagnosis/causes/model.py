"""What a model and this vLLM don't agree on (0.32.0: config/model.py, models/registry.py).

Seen: architectures, code of its own, model type, context, heads, quantisation, shape, batch size.
From the source: layers that can't be dealt out, pipelines, embeddings, float16.
"""

from __future__ import annotations

from archi.diagnosis.rules import Confidence, rule

RULES = (
    rule(
        "gone-architecture",
        "Model architecture {architecture:word} was supported in vLLM until v{version:num},",
        "vLLM served the architecture {architecture} until version {version}, and no more.",
        "take another model, or an older vLLM in archi:services.vllm.image.",
    ),
    rule(
        "unsupported-architecture",
        (
            "Model architectures [{architecture}] are not supported for now",
            "Model architectures [{architecture}] failed to be inspected",
            "Model architecture {architecture:word} is not supported in-tree anymore",
        ),
        "This version of vLLM does not know the model's architecture.",
        "take another model, or a newer vLLM with archi:services.vllm.image.",
    ),
    rule(
        "remote-code",
        (
            "trust_remote_code=True",  # transformers_utils/config.py; transformers' own
            "contains custom code which must be executed",
        ),
        "The model brings program code of its own, which vLLM does not run unasked.",
        "read that code first, then add --trust-remote-code to archi:services.vllm.engine_args; or "
        "take a model that needs none.",
    ),
    rule(
        "unknown-model-type",
        (
            "The checkpoint you are trying to load has model type `{type}` but Transformers does",
            "is not a registered model in the Transformers library",
            "No model architectures are specified",
        ),
        "The libraries of this vLLM do not know the kind of model that config.json names.",
        "take another model, or a newer vLLM with archi:services.vllm.image.",
    ),
    rule(
        "context-too-long",
        "User-specified max_model_len ({asked:int}) is greater than the derived max_model_len "
        "(…={derived:int}",
        "The model's context is {derived} tokens, shorter than the {asked} tokens asked for.",
        "lower archi:services.vllm.max_model_len, or leave it out.",
    ),
    rule(
        "heads-not-divisible",
        "Total number of attention heads ({heads:int}) must be divisible by tensor parallel size "
        "({size:int})",
        "The model's {heads} attention heads can't be dealt out to {size} GPUs.",
        "set archi:services.vllm.tensor_parallel_size to a number that divides {heads}, and name "
        "as many GPUs in archi:gpu_ids.",
    ),
    rule(
        "size-not-divisible",
        (
            "{size:int} is not divisible by {parts:int}",
            "is not divisible by min_thread_k",
            "The output_size of gate's and up's weight",
        ),
        "A layer of the model can't be dealt out evenly to the GPUs.",
        "take fewer GPUs (archi:services.vllm.tensor_parallel_size), a half or a quarter of them.",
        Confidence.LIKELY,
    ),
    rule(
        "pipeline-parallel-unsupported",
        "Pipeline parallelism is not supported for this model",
        "This model can't be split into a pipeline over GPUs.",
        "leave archi:services.vllm.pipeline_parallel_size out; "
        "archi:services.vllm.tensor_parallel_size splits it otherwise.",
    ),
    rule(
        "not-a-chat-model",
        (
            "This model does not support `--runner generate`",
            "Embedding models do not support `--runner",
        ),
        "The model does not write text: it is for embeddings or classification.",
        "name a chat model (its id often ends in -Instruct) in archi:services.vllm.model.",
    ),
    rule(
        "quantization-mismatch",
        (
            "Quantization method specified in the model config ({own:word}) does not match",
            "Cannot find the config file for {method:word}",
            "quantization is currently not supported in {platform:rest}",
            "is not supported for quantization method",
        ),
        "The model's weights are not in the quantisation that was asked for.",
        "leave archi:services.vllm.quantization out: the model's own files say what they are.",
    ),
    rule(
        "dtype-unsupported",
        "The model type '{model}' does not support float16",
        "The model can't be computed in float16.",
        "set archi:services.vllm.dtype to bfloat16 or float32.",
    ),
    rule(
        "weights-of-another-shape",
        (
            "Attempted to load weight (",
            "size mismatch for",
            "assert param_data.shape == loaded_weight.shape",
            "The size of tensor a ({a:int}) must match the size of tensor b",
            "There is no module or parameter named {name:word}",
        ),
        "The weights do not fit the model that config.json describes.",
        "bring all files of one revision again; a config.json of another model was mixed in.",
        Confidence.LIKELY,
    ),
    rule(
        "batch-too-small",
        (
            "max_num_batched_tokens ({tokens:int}) is smaller than max_model_len",
            "max_num_batched_tokens ({tokens:int}) must be greater than or equal to max_num_seqs",
        ),
        "--max-num-batched-tokens is too small for the context or for the number of sequences.",
        "raise it in archi:services.vllm.engine_args, or leave it out; or lower "
        "archi:services.vllm.max_num_seqs.",
    ),
)
