"""The database's volume: whose major version it is of, before a server is started on it."""

from __future__ import annotations

import io
import re
import tarfile
from typing import TYPE_CHECKING

from archi.names import Names
from archi.render.postgres import POSTGRES_DATA

if TYPE_CHECKING:
    import docker

_VERSION_FILE = f"{POSTGRES_DATA}/pgdata/PG_VERSION"


def volume_problem(client: docker.DockerClient, deployment: str, image: str) -> str | None:
    """Why the image can't serve the deployment's volume, None where it can or there is none.

    Args:
        client: of the Engine that has image and volume.
        deployment: its name.
        image: the Postgres image that is to run, present on the Engine.

    """
    names = Names(deployment)
    found = _major_of_volume(client, names.postgres_volume, image)
    if found is None:
        return None
    ours = _major_of_image(client, names, image)
    if found == ours:
        return None
    volume = names.postgres_volume
    return (
        f"The volume {volume} holds a database of Postgres {found}, and {image} is Postgres "
        f"{ours}, which can't read it. Mend: name an image of Postgres {found} in "
        f"archi:services.postgres.image; or migrate: with the Postgres {found} running, "
        f"`docker exec {names.postgres} pg_dump -U archi --clean --if-exists archi > archi.sql`, "
        f"then `pulumi destroy`, `docker volume rm {volume}`, `pulumi up` with the new image, "
        f"`docker stop {names.chatbot}`, `docker exec -i {names.postgres} psql -U archi archi < "
        f"archi.sql`, `docker start {names.chatbot}`."
    )


def _major_of_volume(client: docker.DockerClient, volume: str, image: str) -> str | None:
    """From the volume's own PG_VERSION, read without starting anything."""
    from docker.errors import NotFound

    try:
        client.volumes.get(volume)  # mounting one that is not there would make it
    except NotFound:
        return None
    container = client.containers.create(
        image, ["true"], volumes=[f"{volume}:{POSTGRES_DATA}:ro"], entrypoint=[]
    )
    try:
        chunks, _ = container.get_archive(_VERSION_FILE)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
            content = tar.extractfile(tar.getmembers()[0])
            return content.read().decode().strip() if content else None
    except NotFound:
        return None  # never used, or its first start was broken off
    finally:
        container.remove(force=True, v=False)


def _major_of_image(client: docker.DockerClient, names: Names, image: str) -> str:
    from archi.oneshot import OneShot, run

    result = run(
        client,
        OneShot(
            name=names.one_shot("postgres-version"),
            image=image,
            command=["postgres", "--version"],
            labels=names.labels("preflight"),
            options={"entrypoint": [], "network_mode": "none", "user": "999:999"},
        ),
    )
    match = re.search(r"PostgreSQL\) (\d+)", "\n".join(result.lines))
    return match[1] if match else "of an unknown version"
