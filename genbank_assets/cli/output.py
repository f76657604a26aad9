"""What is printed: answers on standard output, everything else on standard error, safe for any terminal and encoding.

Text of records and servers may hold what a terminal takes for commands: on a terminal it is shown and not obeyed. Into
a file or a pipe bytes go as they are.
"""

from __future__ import annotations

import io
import sys
from typing import Any, TextIO

from genbank_assets.redaction import redacted

_CONTROLS = {code: f"\\x{code:02x}" for code in [*range(32), *range(127, 160)] if chr(code) not in "\n\t"}


def prepare_streams() -> None:
    """Let every character be printed in every encoding, and nothing on a terminal be a command to it."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
            if stream.isatty():
                setattr(sys, name, TerminalText(stream))


class TerminalText:
    """A terminal's stream that shows control characters as hex where it would pass them on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text; returns its length as it was given."""
        self._stream.write(text.translate(_CONTROLS))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def write_bytes(piece: bytes) -> None:
    """A record's text or residues on standard output."""
    if isinstance(sys.stdout, TerminalText):
        sys.stdout.write(piece.decode("utf-8", errors="backslashreplace"))
    else:
        sys.stdout.buffer.write(piece)


def say(line: str, *, prefix: str = "genbank-assets: ") -> None:
    """A line for people on standard error; without secrets."""
    if sys.stderr is not None:
        sys.stderr.write(f"{prefix}{redacted(line)}\n")  # in one piece: other threads say things too
        sys.stderr.flush()
