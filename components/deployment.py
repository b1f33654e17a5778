"""One deployment: wires the components, knows the order, decides nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from archi import render
from archi.names import Names
from archi.settings import Settings
from components.chatbot import Chatbot, ChatbotArgs
from components.dynamic.preflight import Preflight
from components.files import Files, FilesArgs
from components.images import Images, ImagesArgs
from components.network import Network, NetworkArgs
from components.vllm_server import VllmServer, VllmServerArgs
from components.weights import Weights, WeightsArgs


@dataclass
class DeploymentArgs:
    """Inputs of :class:`Deployment`."""

    settings: Settings


class Deployment(pulumi.ComponentResource):
    """A chat assistant: vLLM, the chat application, and what they stand on.

    Outputs: ``chat_url`` for people, ``vllm_url`` (OpenAI-compatible, on loopback), ``model``.
    """

    chat_url: pulumi.Output[str]
    vllm_url: pulumi.Output[str]
    model: pulumi.Output[str]

    def __init__(
        self, name: str, args: DeploymentArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("archi:components:Deployment", name, None, opts)
        settings = args.settings
        names = Names(settings.name)

        def child(*depends_on: pulumi.Resource) -> pulumi.ResourceOptions:
            return pulumi.ResourceOptions(parent=self, depends_on=list(depends_on))

        images = Images("images", ImagesArgs(settings), child())
        preflight = Preflight(
            "preflight",
            deployment=settings.name,
            ports=render.published_ports(settings),
            gpu_ids=str(settings.gpu_ids),
            image=images.vllm_tag,
            opts=child(images.vllm),
        )
        network = Network("network", NetworkArgs(names), child(preflight))
        weights = Weights(
            "weights",
            WeightsArgs(settings, names, images.weights_tag),
            child(images.weights, preflight),
        )
        # After the weights: while they can't be had, the running assistant keeps its files.
        files = Files(
            "files",
            FilesArgs(settings, names, images.base_tag, depends_on=[weights.downloaded]),
            child(images.base),
        )
        vllm_server = VllmServer(
            "vllm-server",
            VllmServerArgs(
                settings,
                names,
                images.vllm_tag,
                depends_on=[
                    images.vllm,
                    preflight,
                    network.network,
                    files.written,
                    weights.downloaded,
                ],
            ),
            child(),
        )
        chatbot = Chatbot(
            "chatbot",
            ChatbotArgs(
                settings,
                names,
                images.chat_tag,
                depends_on=[
                    images.chat,
                    preflight,
                    network.network,
                    files.written,
                    vllm_server.ready,
                ],
            ),
            child(),
        )
        self.chat_url = chatbot.url
        self.vllm_url = vllm_server.url
        self.model = pulumi.Output.from_input(settings.model)
        self.register_outputs(
            {"chat_url": self.chat_url, "vllm_url": self.vllm_url, "model": self.model}
        )
