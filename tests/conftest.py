"""What browser and end-to-end tests share."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings
from playwright.sync_api import Browser, expect, sync_playwright

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what runs in the background so; what tests start would then ignore Ctrl-C too.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No example has a deadline: a busy machine may pause in the middle of any.
settings.register_profile("archi", deadline=None)
settings.load_profile("archi")

CHROMIUM = "/usr/bin/chromium"

# Without these Chromium looks for its makers' servers at every start.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

expect.set_options(timeout=60_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS, headless=True
        )
        yield chromium
        chromium.close()
