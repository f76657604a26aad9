"""Output: results on standard output, messages on standard error, safe for every terminal and encoding.

Text from records and servers may contain control sequences; they are escaped on terminals, and written unchanged to
files and pipes.
"""

from __future__ import annotations

import io
import sys
from typing import Any, TextIO

from genbank_assets.redaction import redacted

_CONTROLS = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if chr(code) not in "\n\t"}


def prepare_streams() -> None:
    """Escape characters that the encoding lacks and, on terminals, control characters."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
            if stream.isatty():
                setattr(sys, name, TerminalText(stream))


class TerminalText:
    """A stream to a terminal that writes control characters as hexadecimal escapes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text and return its original length."""
        self._stream.write(text.translate(_CONTROLS))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def write_bytes(piece: bytes) -> None:
    """Write a record's text or residues to standard output."""
    if isinstance(sys.stdout, TerminalText):
        sys.stdout.write(piece.decode("utf-8", errors="backslashreplace"))
    else:
        sys.stdout.buffer.write(piece)


def say(line: str, *, prefix: str = "genbank-assets: ") -> None:
    """Print a message on standard error, with secrets redacted."""
    if sys.stderr is not None:
        sys.stderr.write(f"{prefix}{redacted(line)}\n")  # a single write, because other threads print as well
        sys.stderr.flush()
