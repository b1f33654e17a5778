"""The text of a PDF's pages, read by a process of its own.

A PDF can be made so that whoever reads it takes all memory or never ends. So it is read by a child
that the kernel limits, and that is killed when its time is over.

``python -m chatbot.documents.pdf_pages < FILE`` prints a JSON string for each page.
"""

from __future__ import annotations

import io
import json
import resource
import subprocess
import sys
import threading

MAX_PAGES = 2_000
MAX_CHARS = 5_000_000
_SECONDS = 60
_MEMORY = 768 * 2**20
# Children at the same time in a worker: each may take that much memory.
_places = threading.BoundedSemaphore(1)


class Unreadable(Exception):
    """A document's text cannot be had; the text says why."""


def pages_of(content: bytes, seconds: float = _SECONDS) -> list[str]:
    """Return the text of each page, at most ``MAX_PAGES`` and ``MAX_CHARS``.

    Raises:
        Unreadable: it is broken, encrypted, or takes too long or too much memory.
    """
    if not _places.acquire(timeout=seconds):
        raise Unreadable("Other PDFs are being read. Upload it again in a minute.")
    try:
        done = subprocess.run(
            [sys.executable, "-m", __name__],
            input=content,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Unreadable(f"Its text could not be read within {seconds:g} seconds.") from None
    finally:
        _places.release()
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        reason = lines[-1] if lines else "it takes too much memory or time"
        raise Unreadable(f"Its text could not be read: {reason[:300]}.")
    return [json.loads(line) for line in done.stdout.splitlines()]


def _main() -> int:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_SECONDS, _SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import logging

    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    # Its warnings are not what is wrong.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = PdfReader(io.BytesIO(sys.stdin.buffer.read()))
        if reader.is_encrypted and not reader.decrypt(""):
            print("it is protected by a password", file=sys.stderr)
            return 1
        chars = 0
        for number, page in enumerate(reader.pages):
            if number >= MAX_PAGES or chars >= MAX_CHARS:
                break
            text = page.extract_text()[: MAX_CHARS - chars]
            chars += len(text)
            print(json.dumps(text))
    except MemoryError:
        print("it takes too much memory", file=sys.stderr)
        return 1
    except RecursionError:
        print("it is nested too deep", file=sys.stderr)
        return 1
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        # pypdf lets errors of its own parts through where a file is broken.
        print(f"it is broken ({type(error).__name__}: {error})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(_main())
