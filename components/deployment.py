"""One deployment: wires the components, knows the order, decides nothing else."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import pulumi

from archi import model_fit, render
from archi.names import Names
from archi.settings import Settings
from components.chatbot import Chatbot, ChatbotArgs
from components.dynamic.preflight import Preflight
from components.dynamic.vllm_arguments import VllmArguments
from components.external_vllm import ExternalVllm, ExternalVllmArgs
from components.files import Files, FilesArgs
from components.images import Images, ImagesArgs
from components.network import Network, NetworkArgs
from components.postgres import Postgres, PostgresArgs
from components.vllm_server import VllmServer, VllmServerArgs
from components.weights import Weights, WeightsArgs


@dataclass
class DeploymentArgs:
    """Inputs of :class:`Deployment`."""

    settings: Settings


class Deployment(pulumi.ComponentResource):
    """A chat assistant: vLLM, the chat application, its database, and what they stand on.

    Outputs: ``chat_url`` for people, ``vllm_url`` (OpenAI-compatible; on the host's loopback
    address, or where it runs elsewhere), ``model`` as clients name it. What is not deployed, or
    not reached from outside, is None.
    """

    chat_url: pulumi.Output[str | None]
    vllm_url: pulumi.Output[str | None]
    model: pulumi.Output[str]

    def __init__(
        self, name: str, args: DeploymentArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("archi:components:Deployment", name, None, opts)
        self.settings, self.names = args.settings, Names(args.settings.name)
        deployed = args.settings.deployed
        self.images = Images("images", ImagesArgs(args.settings), self._child())
        self.base = self._base()
        weights = self._weights() if "vllm-server" in deployed else None
        # Files come after these: where they fail, the running assistant keeps its own.
        before_files: list[pulumi.Resource] = []
        if weights is not None:
            before_files = [weights.downloaded, self._vllm_arguments()]
        self.files = Files(
            "files",
            FilesArgs(
                self.settings,
                self.names,
                self.images.base_tag,
                depends_on=before_files,
            ),
            self._child(self.images.base),
        )
        postgres = self._postgres() if "postgres" in deployed else None
        server: VllmServer | ExternalVllm | None = None
        if weights is not None:
            server = self._vllm_server(weights)
        elif "chatbot" in deployed:
            server = self._external_vllm()
        chatbot = self._chatbot(server, postgres) if "chatbot" in deployed else None
        self.chat_url = chatbot.url if chatbot else pulumi.Output.from_input(None)
        self.vllm_url = server.url if server else pulumi.Output.from_input(None)
        self.model = pulumi.Output.from_input(self.settings.served_model)
        self.register_outputs(
            {"chat_url": self.chat_url, "vllm_url": self.vllm_url, "model": self.model}
        )

    def _child(
        self, *depends_on: pulumi.Resource | None, formerly: str | None = None
    ) -> pulumi.ResourceOptions:
        """Options of a component; ``formerly`` is the name that states of before know it by.

        With it a component can be renamed and nothing of it is replaced: what is in the component
        inherits the alias.
        """
        return pulumi.ResourceOptions(
            parent=self,
            depends_on=present(*depends_on),
            aliases=[pulumi.Alias(name=formerly)] if formerly else None,
        )

    def _base(self) -> list[pulumi.Resource]:
        """What comes before every service: the checks of the host, and the network."""
        settings, images = self.settings, self.images
        preflight = Preflight(
            "preflight",
            deployment=settings.name,
            ports=render.host_ports(settings),
            gpu_ids=str(settings.gpu_ids) if images.vllm else "none",
            gpu_driver=settings.gpu_driver,
            image=images.vllm_tag or images.base_tag,
            postgres_image=images.postgres_tag,
            model=asdict(asked) if (asked := model_fit.question(settings)) else None,
            ulimits={
                name: [limit.soft, limit.hard]
                for name, limit in settings.services.vllm.ulimits.items()
            }
            if images.vllm
            else {},
            opts=self._child(images.base, images.vllm, images.postgres),
        )
        if settings.host_mode:
            return [preflight]
        network = Network("network", NetworkArgs(self.names), self._child(preflight))
        return [preflight, network.network]

    def _weights(self) -> Weights:
        images = self.images
        return Weights(
            "weights",
            WeightsArgs(self.settings, self.names, images.weights_tag),
            self._child(images.weights, *self.base),
        )

    def _vllm_arguments(self) -> VllmArguments:
        settings, images = self.settings, self.images
        return VllmArguments(
            "vllm-arguments",
            {
                "deployment": settings.name,
                "image": images.vllm_tag,
                "command": render.vllm_command(settings),
                "files": render.vllm_argument_files(settings),
            },
            self._child(images.vllm, *self.base),
        )

    def _postgres(self) -> Postgres:
        images = self.images
        return Postgres(
            "postgres",
            PostgresArgs(
                self.settings,
                self.names,
                images.postgres_tag,
                depends_on=present(images.postgres, self.files.written, *self.base),
            ),
            self._child(),
        )

    def _vllm_server(self, weights: Weights) -> VllmServer:
        images = self.images
        return VllmServer(
            "vllm-server",
            VllmServerArgs(
                self.settings,
                self.names,
                images.vllm_tag,
                depends_on=present(images.vllm, self.files.written, weights.downloaded, *self.base),
            ),
            self._child(),
        )

    def _external_vllm(self) -> ExternalVllm:
        images = self.images
        return ExternalVllm(
            "external-vllm",
            ExternalVllmArgs(
                self.settings,
                self.names,
                images.chat_tag,
                depends_on=present(images.chat, self.files.written, *self.base),
            ),
            self._child(),
        )

    def _chatbot(
        self, server: VllmServer | ExternalVllm | None, postgres: Postgres | None
    ) -> Chatbot:
        images = self.images
        gates = [gate.ready for gate in (server, postgres) if gate]
        return Chatbot(
            "chatbot",
            ChatbotArgs(
                self.settings,
                self.names,
                images.chat_tag,
                depends_on=present(images.chat, self.files.written, *gates, *self.base),
            ),
            self._child(),
        )


def present(*resources: pulumi.Resource | None) -> list[pulumi.Resource]:
    """Those that there are."""
    return [resource for resource in resources if resource is not None]
