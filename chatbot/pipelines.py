"""``pipelines.yaml``: the served model, the agents that name models, and other model servers."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chatbot.environment import SettingsError

VLLM = "vllm"

_MEND = "write `model: <HuggingFace id>` and pipelines that name vllm/<the same id>."


class Provider(BaseModel):
    """An OpenAI-compatible server elsewhere.

    ``api_key_secret`` names the file in ``secrets`` that holds its key; None: no key is sent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_url: str = Field(min_length=1)
    api_key_secret: str | None = None
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"


# Known without being described; one of the same name in the file replaces it.
_KNOWN = {
    "openai": Provider(
        base_url="https://api.openai.com/v1",
        api_key_secret="OPENAI_API_KEY",  # noqa: S106 - a file's name
        max_tokens_field="max_completion_tokens",
    )
}


class Pipelines(BaseModel):
    """The content of ``pipelines.yaml``.

    ``model`` is the HuggingFace id that vLLM serves; ``pipelines`` maps an agent's name to its
    models, each a name → ``vllm/<HuggingFace id>`` or ``<provider>/<model>``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(min_length=1)
    pipelines: dict[str, dict[str, str]] = Field(default_factory=dict)
    providers: dict[str, Provider] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known_models(self) -> Pipelines:
        for agent, models in self.pipelines.items():
            for key, reference in models.items():
                provider, _, model = reference.partition("/")
                if not model or (provider == VLLM and model != self.model):
                    raise ValueError(
                        f"pipelines.{agent}.{key} is {reference!r}, "
                        f"but the served model is {self.model!r}"
                    )
                if provider != VLLM and self.provider(provider) is None:
                    raise ValueError(
                        f"pipelines.{agent}.{key} is {reference!r}, "
                        f"but there is no provider {provider!r}"
                    )
        return self

    def provider(self, name: str) -> Provider | None:
        """Return a provider; None where there is none of that name."""
        return self.providers.get(name) or _KNOWN.get(name)

    def model_of(self, agent: str) -> str:
        """Return the model of an agent: the served model's id, or ``<provider>/<model>``."""
        reference = next(iter(self.pipelines.get(agent, {}).values()), f"{VLLM}/{self.model}")
        provider, _, model = reference.partition("/")
        return model if provider == VLLM else reference

    def models(self) -> list[str]:
        """Return the models that may answer: the served one first, then the providers' ones."""
        return list(dict.fromkeys([self.model, *map(self.model_of, self.pipelines)]))

    def elsewhere(self, model: str) -> tuple[Provider, str] | None:
        """Return provider and model of a reference that a pipeline names.

        A model that no pipeline names goes to nobody but vLLM, whatever it is called: Hugging Face
        has ids such as ``openai/gpt-oss-20b``, and a conversation must not leave by a likeness.
        """
        named = {reference for models in self.pipelines.values() for reference in models.values()}
        if model == self.model or model not in named:
            return None
        name, _, rest = model.partition("/")
        found = self.provider(name) if name != VLLM else None
        return None if found is None else (found, rest)


def read(path: Path) -> Pipelines:
    """Read the file.

    Raises:
        SettingsError: it cannot be read, or what it says cannot work.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Pipelines.model_validate(content)
    except OSError as error:
        raise SettingsError(
            str(path),
            "unreadable",
            f"{error.strerror}.",
            "the deployment writes this file; run `pulumi up` again, or write "
            "`model: <HuggingFace id>` into it.",
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(str(path), "not YAML", f"{error}.", _MEND) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise SettingsError(str(path), where, f"{first['msg']}.", _MEND) from error
