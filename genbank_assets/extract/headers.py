"""Header lines of FASTA entries from a template, with columns such as ``{organism}`` between literals.

The first word identifies the entry and is not part of the template. Null fields are empty; control characters become
spaces, so that a header is always a single line.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from genbank_assets.errors import SettingsError
from genbank_assets.tables.arrow_text import Ints, text_buffer
from genbank_assets.tables.header_text import header_lines

if TYPE_CHECKING:
    import polars as pl

Piece = Any  # bytes for every line, or a pa.Array with a value per line
Lines = tuple[Any, Ints]


class Header:
    """A template of the header after its first word.

    Raises:
        SettingsError: unknown field, or unbalanced braces.
    """

    def __init__(self, template: str, *, fields: Iterable[str]) -> None:
        known = set(fields)
        try:
            parts = list(string.Formatter().parse(template))
        except ValueError as error:
            raise SettingsError(f"the header {template!r} cannot be read: {error}") from None
        self._parts: list[tuple[str, str | None]] = []
        for literal, field, spec, conversion in parts:
            if field is not None and (field not in known or spec or conversion):
                raise SettingsError(f"a header has no field {{{field}}}: there are {', '.join(sorted(known))}")
            self._parts.append((literal, field))
        #: Fields used by the template.
        self.fields = tuple(dict.fromkeys(field for _, field in self._parts if field is not None))

    def join(self, column: Callable[[str], pa.Array], *, word: Sequence[Piece], last: pa.Array | None = None) -> Lines:
        """Format the header lines of some rows, including ``>`` and line end.

        Args:
            column: returns the values of a field, (n,).
            word: parts of the first word: arrays of values, or literals between them; the first part is an array, (n,).
            last: text appended to each header; null for none, (n,).

        Returns:
            A buffer of the lines, and their offsets in it, (n + 1,).
        """
        rows = len(word[0])
        parts = [_part(piece) for piece in word]
        words = len(parts)
        if self._parts:
            parts.append((b" ", None))
        for literal, field in self._parts:
            if literal:
                parts.append(_part(literal.encode()))
            if field is not None:
                parts.append(_part(column(field)))
        if last is not None:
            parts.append(_part(pc.binary_join_element_wise("", last.cast(pa.string()), " ")))
        return header_lines(parts, rows=rows, words=words)

    def lines(self, frame: pl.DataFrame, *, first_word: pl.Expr) -> Lines:
        """Format the header lines of a frame's rows."""
        word = frame.select(word=first_word).to_series().to_arrow()
        return self.join(lambda name: frame[name].to_arrow(), word=[word])


def _part(piece: Piece) -> tuple[Any, Ints | None]:
    """Convert a piece for native code: null becomes empty, numbers and dates become text."""
    if isinstance(piece, bytes):
        return piece, None
    if not (pa.types.is_string(piece.type) or pa.types.is_large_string(piece.type)):
        piece = piece.cast(pa.string())
    return text_buffer(pc.fill_null(piece, "") if piece.null_count else piece)
