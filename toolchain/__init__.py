"""Pulumi and its Docker plugin, put in place by `toolchain/install`."""
