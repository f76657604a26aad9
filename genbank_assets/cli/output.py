"""Output: results on standard output, messages on standard error, safe for every terminal and encoding.

Text from records and servers may contain control sequences; they are escaped on terminals, and written unchanged to
files and pipes.
"""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from genbank_assets.errors import UsageError
from genbank_assets.redaction import redacted

_CONTROLS = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if chr(code) not in "\n\t"}


def prepare_streams() -> None:
    """Escape characters that the encoding lacks and, on terminals, control characters.

    Closed standard streams are opened on the null device, so that no file gets their descriptors, to which libraries
    write messages.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free descriptor
    if sys.stdin is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 -- for the life of the process
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


def binary_stdout() -> BinaryIO:
    """Return standard output for bytes.

    Raises:
        UsageError: it is closed.
    """
    if sys.stdout is None:
        raise UsageError("standard output is closed: redirect it, or name a file")
    return sys.stdout.buffer


def write_bytes(piece: bytes) -> None:
    """Write a record's text or residues to standard output."""
    if isinstance(sys.stdout, TerminalText):
        sys.stdout.write(piece.decode("utf-8", errors="backslashreplace"))
    else:
        binary_stdout().write(piece)


def say(line: str, *, prefix: str = "genbank-assets: ") -> None:
    """Print a message on standard error, with secrets redacted."""
    if sys.stderr is not None:
        sys.stderr.write(f"{prefix}{redacted(line)}\n")  # a single write, because other threads print as well
        sys.stderr.flush()
