"""docs/configuration.md and Pulumi.yaml's ``config:`` block, written from the settings' classes.

python -m archi.settings.document
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from archi import project
from archi.settings.errors import SECRET_KEYS
from archi.settings.model import Settings

PAGE = Path("docs") / "configuration.md"
PROJECT_FILE = Path("Pulumi.yaml")
_BEGIN = "# Written by `make docs` from archi/settings: defaults of plain keys, checked by archi.\n"

_INTRODUCTION = """\
# Configuration

<!-- Written by `make docs` from archi/settings; edit there. -->

Everything that can be said about a deployment is said in its stack file, `stacks/Pulumi.<name>.yaml`. The keys are those of the [vLLM provider page](vllm.md), with `archi:` before them:

```yaml
config:
  archi:pipeline_map:
    CMSCompOpsAgent:
      models:
        required:
          agent_model: vllm/Qwen/Qwen3-8B
  archi:services:
    vllm:
      model: Qwen/Qwen3-8B
      tool_parser: hermes
```

The same as a `config.yaml`, in which `services` stands beside `archi`:

```yaml
archi:
  pipeline_map:
    CMSCompOpsAgent:
      models:
        required:
          agent_model: vllm/Qwen/Qwen3-8B
services:
  vllm:
    model: Qwen/Qwen3-8B
    tool_parser: hermes
```

Edit the file, or set one key:

```bash
pulumi config set -s mine archi:gpu_ids 0,1
pulumi config set -s mine --path 'archi:services.vllm.max_model_len' 16384
```

`pulumi preview -s mine` shows what an edit would do, `pulumi up -s mine` does it. A key that is not listed here, or a value that can't be, is refused by name before anything is touched.
"""

_SECRETS = """\
## Secrets

Each is a key of its own and encrypted in the stack file; in plain text it is refused. What is not set is made at the first `up`, where a deployment needs it, and kept in the deployment's volume of files. No secret is in a container's environment, command line or labels: they are files that only their reader may read.

```bash
pulumi config set -s mine --secret archi:hf_token        # asks for the value
pulumi config set -s mine --secret --path 'archi:env_secrets.SEARCH_TOKEN'
```

A stack with secrets needs a passphrase of its own: copy a shipped stack file without its `encryptionsalt` line.
"""


def page() -> str:
    """The whole of docs/configuration.md."""
    plain = {
        name: field
        for name, field in Settings.model_fields.items()
        if name not in (*SECRET_KEYS, "name", "services")
    }
    secret = {name: Settings.model_fields[name] for name in SECRET_KEYS}
    parts = [_INTRODUCTION, "## The deployment\n", _table("archi:", plain)]
    for name, field in Settings.model_fields["services"].annotation.model_fields.items():  # type: ignore[union-attr]
        section = _section(field)
        parts += [f"## services.{name}\n", f"{_summary(section)}\n"]
        parts.append(_table(f"archi:services.{name}.", section.model_fields))
    parts += [_SECRETS, _table("archi:", secret)]
    return "\n".join(parts).rstrip() + "\n"


def project_file(current: str) -> str:
    """``Pulumi.yaml`` with the ``config:`` block of today.

    It declares only keys with a scalar default: a declared key without one breaks every stack, and
    the default of an object would be replaced whole by what a stack says of one key in it. Keys
    that a person may write as a number or a text (``gpu_ids``: 0) are left out too: Pulumi's own
    refusal of the other type names no mend.
    """
    head = current.split(_BEGIN)[0].rstrip("\n") + "\n"
    declared: dict[str, dict[str, Any]] = {}
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        if isinstance(default, (bool, str)) and name not in SECRET_KEYS:
            kind = "boolean" if isinstance(default, bool) else "string"
            declared[f"archi:{name}"] = {
                "type": kind,
                "default": default,
                "description": _plain(field.description or ""),
            }
    block = yaml.safe_dump({"config": declared}, sort_keys=False, width=100)
    return head + _BEGIN + block


def _table(prefix: str, fields: dict[str, FieldInfo]) -> str:
    rows = "\n".join(
        f"| `{path}` | {_type(field)} | {_default(field)} | {field.description} | "
        f"{_example(field)} |"
        for path, field in _flat(prefix, fields)
    )
    return f"| key | type | default | effect | example |\n|---|---|---|---|---|\n{rows}\n"


def _flat(prefix: str, fields: dict[str, FieldInfo]) -> Iterator[tuple[str, FieldInfo]]:
    """Each key, and those of the sections below it, with ``<name>`` for a key that is free."""
    for name, field in fields.items():
        yield f"{prefix}{name}", field
        section = _section(field)
        if section is not None and name != "ulimits":
            free = "<name>." if get_origin(field.annotation) is dict else ""
            yield from _flat(f"{prefix}{name}.{free}", section.model_fields)


def _section(field: FieldInfo) -> Any:  # noqa: ANN401 - a settings class, or None
    for part in (field.annotation, *get_args(field.annotation)):
        origin = get_args(part)[0] if get_origin(part) and get_args(part) else part
        for choice in (part, origin):
            if isinstance(choice, type) and issubclass(choice, BaseModel) and _is_section(choice):
                return choice
    return None


def _is_section(choice: type[BaseModel]) -> bool:
    return not hasattr(choice, "root") and "root" not in choice.model_fields


_NAMES = {
    "services.vllm.max_model_len": "number or `auto`",
}
_BY_TYPE: tuple[tuple[str, str], ...] = (
    (r"Literal\[(?P<choices>[^\]]*)\]", ""),
    (r"SecretStr", "secret"),
    (r"GpuIds", "`all`, `none` or ids"),
    (r"parse_memory", "memory (`512m`, `8g`)"),
    (r"parse_duration", "duration (`90s`, `1h30m`)"),
    (r"parse_context_length", "number or `auto`"),
    (r"parse_engine_arguments|tuple\[", "list"),
    (r"dict\[", "keys with values"),
    (r"\bbool\b", "true or false"),
    (r"\bfloat\b", "number"),
    (r"\bint\b", "whole number"),
    (r"\bstr\b", "text"),
)


def _type(field: FieldInfo) -> str:
    said = f"{field.annotation!r} {field.metadata!r}"
    if get_origin(field.annotation) is dict:
        return "secrets by name" if SecretStr in get_args(field.annotation) else "keys with values"
    if _section(field) is not None:
        return "keys with values"
    for pattern, name in _BY_TYPE:
        if match := re.search(pattern, said):
            if name == "" and "tuple" in said:
                continue
            return name or ", ".join(f"`{choice.strip()[1:-1]}`" for choice in match[1].split(","))
    return "text"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    default = field.get_default(call_default_factory=True)
    if default is None or default in ((), {}) or isinstance(default, BaseModel):
        shown = str(default) if isinstance(default, BaseModel) and "root" in dir(default) else ""
        return f"`{shown}`" if shown else "–"
    if "parse_memory" in repr(field.metadata):
        return f"`{default // 1024}g`" if default % 1024 == 0 else f"`{default}m`"
    if "parse_duration" in repr(field.metadata):
        return f"`{default // 60}m`" if default % 60 == 0 else f"`{default}s`"
    if isinstance(default, tuple):
        return f"`[{', '.join(map(str, default))}]`"
    return f"`{yaml.safe_dump(default).splitlines()[0]}`"


def _example(field: FieldInfo) -> str:
    if not field.examples:
        return "–"
    flow = yaml.safe_dump(
        field.examples[0], default_flow_style=True, width=1000, allow_unicode=True
    )
    return f"`{flow.splitlines()[0]}`"


def _summary(section: type[BaseModel]) -> str:
    text = (inspect.getdoc(section) or "").splitlines()[0]
    said = text.split(": ", 1)[-1]
    return f"{said[:1].upper()}{said[1:]}"


def _plain(markdown: str) -> str:
    return markdown.replace("`", "")


def main() -> None:
    """Write both files."""
    (project.ROOT / PAGE).parent.mkdir(exist_ok=True)
    (project.ROOT / PAGE).write_text(page())
    path = project.ROOT / PROJECT_FILE
    path.write_text(project_file(path.read_text()))


if __name__ == "__main__":
    main()
