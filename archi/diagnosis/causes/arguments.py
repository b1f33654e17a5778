"""What vLLM's command line refuses (0.32.0: entrypoints/launchers/, renderers/chat_utils.py).

Seen, but for these, from the source: another text of an unknown reasoning parser, two of a missing
template, a YAML scanner's error, the file that is no YAML. Of older releases: ``api_server.py``.
"""

from __future__ import annotations

import difflib

from archi.diagnosis.rules import Confidence, Found, rule


def _nearest_tool_parser(found: Found) -> str:
    return f"{_guess(found)}Leave archi:services.vllm.tool_parser out to have it chosen by the " + (
        f"model's family, or take one of: {', '.join(_known(found))}."
    )


def _nearest_reasoning_parser(found: Found) -> str:
    return f"{_guess(found)}Take one of: {', '.join(_known(found))}; or leave " + (
        "archi:services.vllm.reasoning_parser out."
    )


def _known(found: Found) -> list[str]:
    return [name.strip() for name in found["known"].split(",")]


def _guess(found: Found) -> str:
    near = difflib.get_close_matches(found["parser"], _known(found), n=1)
    return f"did you mean {near[0]}? " if near else ""


RULES = (
    rule(
        "unknown-tool-parser",
        "invalid tool call parser: {parser:word} (chose from { {known} })",
        "vLLM knows no tool parser {parser}.",
        _nearest_tool_parser,
    ),
    rule(
        "unknown-reasoning-parser",
        (
            "invalid reasoning parser: {parser:word} (chose from { {known} })",
            "Reasoning parser '{parser}' not found. Available parsers: {known:rest}",
        ),
        "vLLM knows no reasoning parser {parser}.",
        _nearest_reasoning_parser,
    ),
    rule(
        "tool-parser-missing",
        "--enable-auto-tool-choice requires --tool-call-parser",
        "Tool calling is on, and no tool parser is named.",
        "set archi:services.vllm.tool_parser; by hand, add --tool-call-parser hermes.",
    ),
    rule(
        "chat-template-missing",
        (
            "The supplied chat template string ({file}) appears path-like, but doesn't exist",
            "The supplied chat template ({file}) looks like a file path, but it failed to be",
            "the supplied chat template path doesn't exist",
        ),
        "The file of the chat template is not there.",
        "`pulumi up --refresh` writes the deployment's files again; in engine_args a path inside "
        "the container is meant, so set archi:services.vllm.chat_template instead.",
    ),
    rule(
        "chat-template-broken",
        (
            "jinja2.exceptions.TemplateSyntaxError: {error:rest}",
            "TemplateSyntaxError(",
            # what is left of it in the answer to a request
            "Unexpected end of template",
            "Jinja was looking for the following tags",
        ),
        "The chat template is no valid Jinja.",
        "correct the file that archi:services.vllm.chat_template names, or leave it out.",
    ),
    rule(
        "chat-template-refuses",
        "Chat template rejected the request: {reason:rest}",
        "The chat template gave no prompt for a request: {reason}.",
        "a template of your own (archi:services.vllm.chat_template) has to take the roles and "
        "tools that the chat sends: correct it, or leave it out to have the model's own.",
        Confidence.LIKELY,
    ),
    rule(
        "argument-file-broken",
        ("yaml.parser.ParserError", "yaml.scanner.ScannerError"),
        "The file with vLLM's arguments is no valid YAML.",
        "correct the file that --config in archi:services.vllm.engine_args names, or leave it out.",
    ),
    rule(
        "argument-file-missing",
        ("Config file must be of a yaml/yml type", "No such file or directory: '{file}vllm.yaml'"),
        "The file with vLLM's arguments is not there.",
        "`pulumi up --refresh` writes the deployment's files again.",
    ),
    rule(
        "quantization-unknown",
        (
            "Unknown quantization method: {method:word}",
            "Invalid quantization method: {method:word}",
        ),
        "vLLM knows no quantisation {method}.",
        "leave archi:services.vllm.quantization out: the model's own files say what they are.",
    ),
    rule(
        "argument-no-json",
        "error: argument {argument:word}: Value {value} cannot be converted to <function loads",
        "What the argument {argument} was given is no valid JSON: {value}",
        "in archi:services.vllm.engine_args it is an element of its own, in single quotes for YAML "
        "and with double quotes within, as JSON has them.",
    ),
    rule(
        "unknown-argument",
        (
            "vllm: error: {error:rest}",
            "vllm serve: error: {error:rest}",
            "api_server.py: error: {error:rest}",
        ),
        "vLLM refuses its command line: {error}.",
        "correct archi:services.vllm.",
    ),
)
