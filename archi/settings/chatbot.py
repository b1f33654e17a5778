"""``services.chatbot``: the chat application, who gets in, and what its agents may use."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from archi.settings.addresses import IpAddress, ProviderUrl, PublicUrl, ServerUrl
from archi.settings.base import Section
from archi.settings.path_types import AbsoluteFolder, AgentsFolder, CertificateFile
from archi.settings.types import (
    DomainName,
    Duration,
    GroupName,
    HeaderName,
    HeaderValue,
    Memory,
    Port,
    ProviderName,
    ScopeName,
    ServerName,
    ToolName,
    VariableName,
    Word,
)

LOOPBACK = "127.0.0.1"


class OidcSettings(Section):
    """``services.chatbot.auth.oidc``: the provider that people log in at."""

    issuer: ServerUrl = Field(
        description="The provider's address, below which is `/.well-known/openid-configuration`.",
        examples=["https://login.example.org/realms/staff"],
    )
    client_id: Word = Field(
        description="What the provider calls this application; its secret is "
        "`archi:oidc_client_secret`.",
        examples=["archi"],
    )
    admin_group: GroupName | None = Field(
        None, description="The group whose members are admins.", examples=["archi-admins"]
    )
    allowed_groups: tuple[GroupName, ...] = Field(
        (),
        description="The groups whose members get in; unset: whoever the provider lets log in.",
        examples=[["staff"]],
    )
    allowed_domains: tuple[DomainName, ...] = Field(
        (),
        description="Domains of verified mail addresses that get in; unset: any.",
        examples=[["example.org"]],
    )
    groups_claim: Word = Field(
        "groups", description="The claim that names a person's groups.", examples=["roles"]
    )
    scopes: tuple[ScopeName, ...] = Field(
        ("openid", "profile", "email"),
        description="What is asked for; some providers tell groups only for a scope of theirs.",
        examples=[["openid", "profile", "email", "groups"]],
    )


class AuthSettings(Section):
    """``services.chatbot.auth``: how people log in."""

    mode: Literal["none", "local", "oidc"] = Field(
        "none",
        description="`none`: nobody logs in, and only this machine reaches the chat; `local`: "
        "accounts of its own; `oidc`: accounts of an OpenID Connect provider.",
        examples=["local"],
    )
    oidc: OidcSettings | None = Field(None, description="The provider, with `mode: oidc`.")


class McpServer(Section):
    """One server of ``services.chatbot.mcp_servers``, whose tools agents may call."""

    transport: Literal["streamable_http", "sse", "stdio"] = Field(
        "streamable_http",
        description="How it is spoken to; `stdio`: a program in the chat container.",
        examples=["sse"],
    )
    url: ServerUrl | None = Field(
        None, description="Where it is.", examples=["https://tools.example.org/mcp"]
    )
    command: Word | None = Field(
        None, description="The program, with `transport: stdio`.", examples=["python3"]
    )
    args: tuple[Word, ...] = Field(
        (), description="The program's arguments, a list element each.", examples=[["-m", "tools"]]
    )
    headers: dict[HeaderName, HeaderValue] = Field(
        default_factory=dict,
        description="Sent with each request; `${NAME}` in one stands for that secret of "
        "`archi:env_secrets`.",
        examples=[{"Authorization": "Bearer ${TOOLS_TOKEN}"}],
    )
    tools: tuple[ToolName, ...] | None = Field(
        None, description="The tools that agents may use; unset: all.", examples=[["search"]]
    )


class ModelProvider(Section):
    """One entry of ``services.chatbot.providers``: an OpenAI-compatible server elsewhere."""

    base_url: ProviderUrl = Field(
        description="Its address.", examples=["https://api.example.org/v1"]
    )
    api_key: VariableName | None = Field(
        None,
        description="Name of the secret in `archi:env_secrets` that holds its key; unset: none is "
        "sent.",
        examples=["EXAMPLE_API_KEY"],
    )
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = Field(
        "max_tokens",
        description="How its requests name the limit of an answer.",
        examples=["max_completion_tokens"],
    )


class ChatbotSettings(Section):
    """``services.chatbot``: the chat application."""

    port: Port = Field(7861, description="Port on the host.", examples=[7862])
    bind: IpAddress = Field(
        LOOPBACK,
        description="Address of the host on which the port is reached. One that other machines "
        "reach (`0.0.0.0`: all) needs a login: `auth.mode`.",
        examples=["127.0.0.1"],
    )
    public_url: PublicUrl | None = Field(
        None,
        description="The address by which people open the chat, where that is not this machine's "
        "`localhost`.",
        examples=["https://chat.example.org"],
    )
    trusted_proxies: Annotated[int, Field(ge=0, le=10)] = Field(
        0,
        description="Reverse proxies in front of the chat, whose word on address and scheme of a "
        "request is taken (`X-Forwarded-For`, `X-Forwarded-Proto`).",
        examples=[1],
    )
    tls_certificate: CertificateFile | None = Field(
        None,
        description="PEM file with the certificate of `public_url` and its chain, relative to the "
        "project; the chat then speaks TLS itself. The key is the secret `archi:tls_key`.",
        examples=["certificates/chat.pem"],
    )
    auth: AuthSettings = Field(AuthSettings(), description="How people log in.")
    database: Literal["postgres", "sqlite"] = Field(
        "postgres",
        description="Where conversations are kept: `postgres`, a server of their own; `sqlite`, a "
        "file on a volume.",
        examples=["sqlite"],
    )
    workers: Annotated[int, Field(ge=1, le=8)] = Field(
        2, description="Processes that answer; each takes memory.", examples=[4]
    )
    max_streams: Annotated[int, Field(ge=1, le=512)] = Field(
        32, description="Answers that may be in progress at once.", examples=[64]
    )
    questions_per_minute: Annotated[int, Field(ge=0, le=100_000)] | None = Field(
        None,
        description="Questions that an account may ask on the page in a minute, 0 for any number; "
        "unset: 30 where people log in, else any number.",
        examples=[60],
    )
    completions_per_minute: Annotated[int, Field(ge=0, le=100_000)] | None = Field(
        None,
        description="The same for requests of an API key; unset: 120 where people log in.",
        examples=[600],
    )
    leave_grace: Duration = Field(
        5,
        description="How long an answer goes on when the last page that shows it is gone; a reload "
        "takes it up again.",
        examples=["30s"],
    )
    model_titles: bool = Field(
        True,
        description="The model writes a conversation's title after its first answer, by a short "
        "request of its own; without it the title is the beginning of the question.",
        examples=[False],
    )
    model_probe: bool = Field(
        True,
        description="While the model has nothing to do, one token is asked of it every 30 seconds: "
        "one that hangs behind an API that answers is told to the page, `/readyz` and `/metrics`.",
        examples=[False],
    )
    max_upload: Memory = Field(
        20, description="The largest file that may be uploaded.", examples=["50m"]
    )
    documents: AbsoluteFolder | None = Field(
        None,
        description="Folder on the Docker host whose files agents may search, mounted read-only.",
        examples=["/data/handbook"],
    )
    agents: AgentsFolder | None = Field(
        None,
        description="Folder of agents, a `.md` file each, relative to the project; unset: its "
        "`agents`, where there is one.",
        examples=["agents-of-my-team"],
    )
    mcp_servers: dict[ServerName, McpServer] = Field(
        default_factory=dict,
        description="Servers whose tools agents may call (Model Context Protocol).",
        examples=[{"search": {"url": "https://tools.example.org/mcp"}}],
    )
    providers: dict[ProviderName, ModelProvider] = Field(
        default_factory=dict,
        description="OpenAI-compatible servers elsewhere that `pipeline_map` may name, as "
        "`<name>/<model>`; `openai` is known already.",
        examples=[{"example": {"base_url": "https://api.example.org/v1"}}],
    )
    metrics: Literal["none", "loopback", "token"] = Field(
        "loopback",
        description="Who may read `/metrics`: nobody; whoever asks from inside the container (in "
        "host mode from this machine); or who sends the token `archi:metrics_token`.",
        examples=["token"],
    )
    memory: Memory = Field(1024, description="Memory limit of the container.", examples=["2g"])
