"""A vLLM that runs elsewhere: what the chat application waits for in place of vllm-server."""

from __future__ import annotations

from dataclasses import dataclass, field

import pulumi

from archi import render
from archi.names import Names
from archi.settings import Settings
from components.dynamic.external_vllm import ExternalVllm as ExternalVllmCheck


@dataclass
class ExternalVllmArgs:
    """Inputs of :class:`ExternalVllm`; ``image`` is the chat application's."""

    settings: Settings
    names: Names
    image: str
    depends_on: list[pulumi.Resource] = field(default_factory=list)


class ExternalVllm(pulumi.ComponentResource):
    """The check of ``services.vllm.base_url``; ``ready`` is what the chat application waits for."""

    url: pulumi.Output[str | None]
    ready: ExternalVllmCheck

    def __init__(
        self, name: str, args: ExternalVllmArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("archi:components:ExternalVllm", name, None, opts)
        settings, names = args.settings, args.names
        base_url = render.vllm_base_url(settings)
        self.ready = ExternalVllmCheck(
            f"{name}-ready",
            {
                "deployment": names.deployment,
                "image": args.image,
                "network": "host" if settings.host_mode else names.network,
                "files": names.files_volume,
                "folder": str(render.FILES_PATH),
                "base_url": base_url,
                "model": settings.served_model,
                "key_mark": render.secrets_mark(settings, render.API_KEY),
            },
            pulumi.ResourceOptions(parent=self, depends_on=args.depends_on),
        )
        self.url = pulumi.Output.from_input(base_url)
        self.register_outputs({"url": self.url})
