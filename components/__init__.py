"""Pulumi components: what is deployed, a file each."""
