"""An image of our own, built on the Engine and tagged by its content."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, ReadResult, Resource, UpdateResult

from components.dynamic import Provider, done, gone, say


class BuiltImageProvider(Provider):
    """Builds by the Engine's own builder; an image stays when its deployment goes."""

    keys = ("tag",)

    def create(self, props: dict[str, Any]) -> CreateResult:
        """Build the image unless its tag is there; raises ``ImageError``."""
        self._build(props)
        return CreateResult(props["kind"], done(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        """Build the image under its new tag; the old one stays for a way back."""
        self._build(_news)
        return UpdateResult(done(_news))

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Whether the tag is still there."""
        from docker.errors import ImageNotFound

        from archi.docker_engine import connect

        try:
            connect().images.get(props["tag"])
        except ImageNotFound:
            return gone()
        return ReadResult(id_, props)

    def _build(self, props: dict[str, Any]) -> None:
        from archi.docker_engine import connect
        from archi.image_builds import ensure
        from archi.images import ImageError, image

        wanted = image(props["kind"], props["source"])
        if wanted.tag != props["tag"]:
            raise ImageError(
                f"The files of {wanted.name} changed while `pulumi up` ran ({props['tag']} was "
                f"planned, they make {wanted.tag}). Mend: run it again."
            )
        client = connect()
        if not client.images.list(name=wanted.tag):
            say(f"building {wanted.tag}")
        ensure(client, wanted, lambda _line: None)


class BuiltImage(Resource, module="archi", name="BuiltImage"):
    """``kind`` and ``source`` as :func:`archi.images.image` takes them, ``tag`` as it gives it."""

    def __init__(
        self,
        name: str,
        *,
        kind: str,
        source: str,
        tag: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"kind": kind, "source": source, "tag": tag, "done": None}
        super().__init__(BuiltImageProvider(), name, props, opts)
