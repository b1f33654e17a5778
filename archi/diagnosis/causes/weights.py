"""Weights and the model hub: huggingface_hub 2.4.0, transformers 5.19.0, safetensors 0.8.0.

And vLLM 0.32.0: transformers_utils/config.py, model_executor/model_loader/. Seen: folders that are
missing, incomplete, damaged, unreadable, and a hub out of reach. Whatever a hub says (gated, token,
rate, not found) is from these libraries' source; `awaiting a review`, which the hub itself sends,
is from knowledge.
"""

from __future__ import annotations

from archi.diagnosis.rules import Confidence, rule

RULES = (
    rule(
        "gated-model",
        (
            # "a private or gated repo" stands in the text of any repository that is not found.
            "Cannot access gated repo",
            "access a gated repo.",
            "is a gated repository",
            "Access to model {model:word} is restricted",
            "awaiting a review from the repo",
        ),
        "The model is gated: its owner wants to know who downloads it.",
        "accept its terms on its page with your account, then `pulumi config set --secret "
        "archi:hf_token` with a token of that account.",
    ),
    rule(
        "hub-token-refused",
        ("Invalid user token", "Invalid credentials in Authorization header"),
        "The model hub does not know the token.",
        "make a new one on the hub, then `pulumi config set --secret archi:hf_token`.",
    ),
    rule(
        "hub-rate-limit",
        ("429 Client Error", "429 Too Many Requests for url"),
        "The model hub answers no more for a while: there were too many requests.",
        "wait some minutes; with archi:hf_token more are allowed.",
        Confidence.LIKELY,
    ),
    rule(
        "weights-missing",
        "Repo id must be in the form …: '{folder}'",
        "The folder {folder} with the model's weights is not there.",
        "`pulumi up --refresh` notices it and brings them again.",
    ),
    rule(
        "weights-unreadable",
        (
            "Permission denied: '{file}config.json'",
            "Permission denied: '{file}.safetensors'",
            "PermissionError…Permission denied: '{file}.json'",
        ),
        "The server may not read the model's files.",
        "the server runs as root without root's privileges: make the files readable for all "
        "(`chmod -R a+rX`) in the folder that archi:services.vllm.weights names.",
    ),
    rule(
        "weights-corrupt",
        (
            # safetensors' errors; torch's for .bin files
            "Error while deserializing header",
            "SafetensorError:",
            "PytorchStreamReader failed",
            "incomplete metadata, file not fully covered",
        ),
        "A file of the model's weights is damaged or cut off.",
        "remove the model's folder from the volume archi-models (or from the folder that "
        "archi:services.vllm.weights names) and bring it again with `pulumi up --refresh`.",
    ),
    rule(
        "weights-incomplete",
        (
            "Cannot find any model weights with",
            "Following weights were not initialized from checkpoint",
            "does not appear to have a file named {file:word}",
        ),
        "Files of the model's weights are missing.",
        "copy all files of the model's repository into its folder, or leave "
        "archi:services.vllm.weights out to have them downloaded.",
    ),
    rule(
        "config-corrupt",
        (
            "is not a valid JSON file",
            "It looks like the config file at '{file}' is not",
        ),
        "The model's config.json is damaged.",
        "bring the model's files again; a copy that broke off leaves half of them.",
    ),
    rule(
        "tokenizer-missing",
        (
            "Can't load tokenizer for '{model}'",
            "Couldn't instantiate the backend tokenizer",
            "Failed to load the tokenizer",
            "Unable to load vocabulary from file",
        ),
        "The model's tokenizer is missing or can't be read.",
        "copy tokenizer.json and tokenizer_config.json into the model's folder; a model without "
        "them names another's with --tokenizer in archi:services.vllm.engine_args.",
    ),
    rule(
        "hub-unreachable",
        (
            "We couldn't connect to '{hub}' to load the files",
            "Failed to resolve '{hub}'",
            "MaxRetryError",
            "Failed to establish a new connection",
            "NameResolutionError",
            "CERTIFICATE_VERIFY_FAILED",
            "Cannot find an appropriate cached snapshot folder",
            "Cannot find the requested files in the disk cache and outgoing traffic has been "
            "disabled",
            "Cannot reach {hub:word}: offline mode is enabled",
            "an error happened while trying to locate the file on the Hub",
        ),
        "The model's files are not on this machine, and the model hub can't be reached.",
        "archi brings the weights before vLLM starts: `pulumi up --refresh`; for a hub of your own "
        "archi:hf_endpoint, behind a proxy HTTPS_PROXY.",
        Confidence.LIKELY,
    ),
    rule(
        "model-not-found",
        (
            "Repository Not Found",
            "RepositoryNotFoundError",
            "is not a local folder and is not a valid model identifier",
            "is not a local folder or a valid repository name",
            "can't load the configuration of",
            "Revision Not Found",
        ),
        "The model was not found.",
        "check archi:services.vllm.model letter by letter against its page on the model hub, and "
        "archi:services.vllm.revision.",
    ),
    rule(
        "model-folder-invalid",
        (
            "Could not detect config format for no config file found",
            "Invalid repository ID or local directory specified",
        ),
        "What vLLM was given is no model: there is no config.json in it.",
        "`pulumi up --refresh` brings the weights again; in a folder of your own "
        "(archi:services.vllm.weights) config.json has to lie at its top.",
        Confidence.LIKELY,
    ),
)
