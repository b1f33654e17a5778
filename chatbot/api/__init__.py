"""The HTTP API: the page's own under ``/api``, and the OpenAI-compatible one under ``/v1``."""
