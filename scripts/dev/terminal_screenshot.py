"""A screenshot of what a command says, in a terminal of 80 columns: for docs/images.

    .venv/bin/python scripts/dev/terminal_screenshot.py OUT.png [--plain] -- COMMAND…

The command runs on a pseudo-terminal, so that it says what a person would see. ``--plain`` sets
NO_COLOR.
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.text import Text

COLUMNS = 80
CHROMIUM = "/usr/bin/chromium"


def said(command: list[str], plain: bool) -> str:
    """What the command writes on a terminal of 80 columns, with its colours."""
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "TERM": "xterm-256color"}
    if plain:
        environment["NO_COLOR"] = "1"
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    ) as process:
        os.close(theirs)
        read = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # the terminal is closed: the command has ended
                break
            if not chunk:
                break
            read += chunk
        process.wait()
    os.close(ours)
    return _left(read.decode(errors="replace").replace("\r\n", "\n"))


def _left(output: str) -> str:
    """What is left on the screen: moving lines go up and are written over."""
    rows, row = [""], 0
    for part in re.split(r"(\n|\x1b\[1A|\x1b\[2K|\x1b\[\?25[lh])", output):
        if part == "\n":
            row += 1
            rows += [""] * (row + 1 - len(rows))
        elif part == "\x1b[1A":
            row = max(0, row - 1)
        elif part == "\x1b[2K":
            rows[row] = ""
        elif not part.startswith("\x1b[?25"):
            rows[row] += part.replace("\r", "")
    return "\n".join(rows)


def main() -> None:
    """Take the screenshot."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--plain", action="store_true")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    output = said(arguments.command, arguments.plain)
    shown = " ".join(["$", Path(arguments.command[0]).name, *arguments.command[1:]])
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        console.print(Text(shown, style="" if arguments.plain else "bold"))
        console.print(Text.from_ansi(output.rstrip()))
        page = console.export_html(inline_styles=True)
    style = "<style>body{margin:16px;background:#fff}pre{font-size:14px;line-height:1.35}</style>"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        view = browser.new_page(viewport={"width": 740, "height": 100})
        view.set_content(page.replace("</head>", f"{style}</head>"))
        view.screenshot(path=str(arguments.out), full_page=True)
        browser.close()
    sys.stdout.write(f"{arguments.out}\n")


if __name__ == "__main__":
    main()
