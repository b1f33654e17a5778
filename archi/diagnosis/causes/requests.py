"""Requests that vLLM refuses (0.32.0: entrypoints/serve/, renderers/), in bodies and in logs.

Seen in both forms of each: http-*.json of the logs. `Error: model …` is the seed page's row, the
`failure` fields and the sentences on models are the chat application's own.
"""

from __future__ import annotations

from archi.diagnosis.rules import Confidence, rule

RULES = (
    rule(
        "tools-not-enabled",
        (
            '"auto" tool choice requires --enable-auto-tool-choice',
            r"\"auto\" tool choice requires --enable-auto-tool-choice",  # as JSON has it
            "requires --tool-call-parser to be set",
        ),
        "The vLLM server was started without tool calling.",
        "a deployment of archi has it on: `pulumi up --refresh`; a vLLM of your own needs "
        "--enable-auto-tool-choice --tool-call-parser hermes (the parser of the model's family).",
    ),
    rule(
        "model-name-ollama",
        (
            "The model `{asked}:{tag}` does not exist",
            "model '{asked}:{tag}' does not exist",
        ),
        "{asked}:{tag} is an Ollama name; vLLM goes by Hugging Face ids.",
        "write the id with dashes, as its page on the hub has it, in archi:pipeline_map and "
        "archi:services.vllm.model; `curl localhost:8000/v1/models` lists what is served.",
    ),
    rule(
        "model-not-served",
        (
            "The model `{asked}` does not exist. Valid aliases: {served:word}",
            "The model `{asked}` does not exist",
            "Error: model '{asked}' does not exist",
            '"failure": "model_not_found"',
            "asks for the model {asked:word} but the model server serves",
            "asks for the model {asked}, but the model server serves",
        ),
        "vLLM serves another model than the one it was asked for.",
        "name the same model in archi:pipeline_map and archi:services.vllm.model, then `pulumi "
        "up`; `curl localhost:8000/v1/models` lists what is served.",
    ),
    rule(
        "context-overflow",
        (
            "This model's maximum context length is {limit:int} tokens",
            "is longer than the maximum model length of {limit:int}",
            "cannot be greater than max_model_len={limit:int}",
            '"failure": "context_overflow"',
        ),
        "A conversation is longer than the model's context.",
        "begin a new conversation, or raise archi:services.vllm.max_model_len as far as memory and "
        "model allow.",
    ),
    rule(
        "key-refused",
        (
            '{"error":"Unauthorized"}',
            '"error": "Unauthorized"',
            "refused the API key",
            '"failure": "model_key_refused"',
            "The requested URL returned error: 401",
            "HTTP 401",
        ),
        "vLLM asks for another API key than the one it was sent.",
        "`pulumi up --refresh` gives server and chat the same key; for a vLLM elsewhere `pulumi "
        "config set --secret archi:vllm_api_key`.",
        Confidence.LIKELY,
    ),
)
