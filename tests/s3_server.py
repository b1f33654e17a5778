"""An S3 server on loopback, for Pulumi's state."""

from __future__ import annotations

from typing import Self

import requests
from moto.server import ThreadedMotoServer

BUCKET = "archi-state"
REGION = "eu-central-1"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "of-the-tests", "AWS_SECRET_ACCESS_KEY": "secret"}


class S3Server:
    """moto's server with one bucket. Use it as a context manager."""

    def __enter__(self) -> Self:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        host, port = self._server.get_host_and_port()
        self.endpoint = f"http://{host}:{port}"
        session = requests.Session()
        session.trust_env = False
        session.post(f"{self.endpoint}/moto-api/reset", timeout=60).raise_for_status()
        session.put(f"{self.endpoint}/{BUCKET}", timeout=60).raise_for_status()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def variables(self) -> dict[str, str]:
        """What whoever keeps a stack's state there has in the environment."""
        query = f"region={REGION}&endpoint={self.endpoint}&s3ForcePathStyle=true"
        return {
            "PULUMI_BACKEND_URL": f"s3://{BUCKET}?{query}",
            "NO_PROXY": "127.0.0.1",
            **CREDENTIALS,
        }
