"""First lines of FASTA entries, from a template: ``{definition}``, ``{organism}`` and other columns between literals.

The first word is not the template's: it is what names the entry. Fields that are null are empty; line ends and other
control characters become spaces, so that a header is one line whatever a record says.
"""

from __future__ import annotations

import string
from collections.abc import Iterable
from typing import Any

import polars as pl

from genbank_assets.errors import SettingsError
from genbank_assets.tables.arrow_text import Ints, text_buffer

_CONTROL = r"[\x00-\x1f\x7f]+"


class Header:
    """A template of the words behind the first one.

    Raises:
        SettingsError: a field is none of those that are known, or braces do not match.
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
        #: The fields it needs.
        self.fields = tuple(dict.fromkeys(field for _, field in self._parts if field is not None))

    def lines(self, frame: pl.DataFrame, *, first_word: pl.Expr, last_words: pl.Expr | None = None) -> tuple[Any, Ints]:
        """The lines of a frame's rows, ``>`` and line end included, as a buffer, and where each begins, (n + 1,)."""
        words: list[pl.Expr] = []
        for literal, field in self._parts:
            if literal:
                words.append(pl.lit(literal))
            if field is not None:
                words.append(pl.col(field).cast(pl.String).fill_null(""))
        rest = pl.concat_str(words) if words else pl.lit("")
        line = pl.concat_str([first_word, rest], separator=" ") if words else first_word
        if last_words is not None:
            line = pl.concat_str([line, last_words], separator=" ", ignore_nulls=True)
        clean = line.str.replace_all(_CONTROL, " ").str.strip_chars_end()
        found = frame.select(line=pl.concat_str([pl.lit(">"), clean, pl.lit("\n")])).to_series()
        return text_buffer(found.to_arrow())


def fit_for_a_word(column: str) -> pl.Expr:
    """A column as the first word of a header: without white space."""
    return pl.col(column).str.replace_all(r"\s+", "_")
