"""An image of our own, built on the Engine and tagged by its content."""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi.dynamic import ReadResult, Resource

from components.dynamic import Provider, gone, say


class BuiltImageProvider(Provider):
    """Builds by the Engine's own builder; images stay, of before and after their deployment."""

    keys = ("tag",)
    names = "kind"

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        """Whether the tag is still there."""
        from docker.errors import ImageNotFound

        from archi.docker_engine import connect

        try:
            connect().images.get(props["tag"])
        except ImageNotFound:
            return gone()
        return ReadResult(id_, props)

    def work(self, props: dict[str, Any]) -> None:
        """Build the image unless its tag is there; raises ``ImageError``."""
        from archi.docker_engine import connect
        from archi.image_builds import ensure
        from archi.images import ImageError, image

        wanted = image(props["kind"], props["source"], debian=props["debian"])
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
    """``kind``, ``source`` and ``debian`` as :func:`archi.images.image` takes them, and its tag."""

    def __init__(
        self,
        name: str,
        *,
        kind: str,
        source: str,
        debian: str,
        tag: str,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        props = {"kind": kind, "source": source, "debian": debian, "tag": tag, "done": None}
        super().__init__(BuiltImageProvider(), name, props, opts)
