"""The chat application: a page and an OpenAI-compatible API in front of a vLLM server.

It stands alone: it imports nothing of the rest of the repository and is told everything by its
environment and by the files under ``$ARCHI_FILES`` (see README.md in this folder).
"""
