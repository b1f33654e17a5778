"""Whether vLLM takes its command lines, asked of the argument parser of the image that will run.

    check_arguments.py LINES    LINES is a JSON file: a list of argument lists of `vllm serve`

Prints one JSON object a command line, in order: {"error": null or what the parser says}. Nothing is
loaded and no GPU is needed: vLLM's own command line runs up to the point where it would serve.
"""

import argparse
import contextlib
import importlib
import io
import json
import pathlib
import sys

# Since when the registries lie where: vllm 0.13; before that below the OpenAI entrypoint.
TOOL_PARSERS = ("vllm.tool_parsers", "vllm.entrypoints.openai.tool_parsers")
REASONING_PARSERS = ("vllm.reasoning",)


def registered(modules: "tuple[str, ...]", manager: str) -> "list[str] | None":
    """Names of a registry; None where this version has it elsewhere."""
    for module in modules:
        with contextlib.suppress(ImportError, AttributeError):
            return sorted(getattr(importlib.import_module(module), manager).list_registered())
    return None


def unknown_parser(args: argparse.Namespace) -> "str | None":
    """What the server itself says, much later, of a parser that it does not have."""
    reasoning = getattr(args, "reasoning_parser", None) or getattr(
        getattr(args, "structured_outputs_config", None), "reasoning_parser", None
    )
    rows = (
        ("tool call", args.tool_call_parser, TOOL_PARSERS, "ToolParserManager"),
        ("reasoning", reasoning, REASONING_PARSERS, "ReasoningParserManager"),
    )
    for kind, asked, modules, manager in rows:
        known = registered(modules, manager)
        if asked and known is not None and asked not in known:
            return f"invalid {kind} parser: {asked} (chose from {{ {','.join(known)} }})"
    return None


def problem(line: "list[str]") -> "str | None":
    """What vLLM has against this command line, None for nothing."""
    from vllm.entrypoints.cli import main, serve  # type: ignore[import-not-found]

    taken: list[argparse.Namespace] = []
    serve.ServeSubcommand.cmd = staticmethod(taken.append)
    sys.argv = ["vllm", "serve", *line]
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            main.main()
    except SystemExit:
        return next(
            (text for text in reversed(said.getvalue().splitlines()) if "error:" in text),
            "vllm: error: the command line was refused",
        )
    except Exception as error:  # whatever it is, the server would end of it
        return f"vllm serve: error: {error}"
    return unknown_parser(taken[0]) if taken else "vllm serve: error: it would not have served"


def main() -> None:
    for line in json.loads(pathlib.Path(sys.argv[1]).read_text()):
        print(json.dumps({"error": problem(line)}), flush=True)


if __name__ == "__main__":
    main()
