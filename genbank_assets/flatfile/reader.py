"""Reads a flat file as a stream of Arrow batches: decompression followed by the native scanner.

This is the entry point to the format, both for the package and for users. Writing tables belongs to ``tables``; the
grammar is in the scanner (``scanner.pyx`` and its parts).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from genbank_assets.errors import CorruptGzipError, printable
from genbank_assets.flatfile.inflate import BUFFER_BYTES, inflated
from genbank_assets.flatfile.scanner import Scanner
from genbank_assets.schema.tables import QUARANTINE_SCHEMA

Table = Literal["records", "sequences"]
QUARANTINE_BYTES = 16 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class DivisionHeader:
    """The lines before the first LOCUS of a division file (gbrel §3.1); None for missing lines.

    Attributes:
        name: the file name in the header, such as ``GBPHG1.SEQ``.
        date: as written, such as ``August 15 2026``.
        release: such as ``273.0``.
        title: such as ``Phage Sequences (Part 1)``.
        loci: number of entries in the file.
        bases: number of bases in the file.
    """

    name: str | None = None
    date: str | None = None
    release: str | None = None
    title: str | None = None
    loci: int | None = None
    bases: int | None = None


_LOCI = re.compile(r"\s*([\d,]+)\s+loci,\s*([\d,]+)\s+bases")
_RELEASE = re.compile(r"NCBI-GenBank Flat File Release\s+(\d+(?:\.\d+)?)")
_NAME = re.compile(r"(\S+)\s+Genetic Sequence Data Bank")
_DATE = re.compile(
    r"\s*((?:January|February|March|April|May|June|July|August|September|October|November|December)\s+\d{1,2},?\s+\d{4})\s*"
)


def parse_division_header(lines: list[str]) -> DivisionHeader | None:
    """Parse the lines before the first LOCUS; None if they are not a division header."""
    found: dict[str, Any] = {}
    for line in lines:
        if match := _NAME.match(line):
            found["name"] = match[1]
        elif match := _RELEASE.search(line):
            found["release"] = match[1]
        elif match := _LOCI.match(line):
            found["loci"] = int(match[1].replace(",", ""))
            found["bases"] = int(match[2].replace(",", ""))
        elif match := _DATE.fullmatch(line):
            found["date"] = match[1]
        elif "release" in found and "title" not in found and line.strip():
            found["title"] = line.strip()
    if "release" not in found:
        return None
    return DivisionHeader(**found)


class FlatFileReader:
    """One pass over one flat file.

    Iterating yields ``("records" | "sequences", RecordBatch)`` in file order. The chunks of a sequence may come before
    or after the row of its record; both have ``record_ordinal``. Totals, header, quarantine and orphans are complete
    once the iteration has ended.

    Args:
        path: the file, plain or gzip.
        collection: value of the rows' ``collection``.
        section: value of the rows' ``section``.
        release: value of the rows' ``release``.
        buffer_bytes: size of the read buffer.
        quarantined: called with quarantined blocks whenever they reach 16 MiB, to bound memory; :meth:`quarantine`
            returns the remaining ones.
        limits: limits of the scanner, see :class:`Scanner`.

    Raises:
        CorruptGzipError: while iterating, after all complete records were yielded.
    """

    def __init__(
        self,
        path: Path,
        *,
        collection: str = "",
        section: str = "",
        release: str = "",
        buffer_bytes: int = BUFFER_BYTES,
        quarantined: Callable[[pa.Table], None] | None = None,
        **limits: int,
    ) -> None:
        self.path = path
        self._quarantined = quarantined
        self._buffer_bytes = buffer_bytes
        self._scanner = Scanner(
            source_file=printable(path.name), collection=collection, section=section, release=release, **limits
        )

    def __iter__(self) -> Iterator[tuple[Table, pa.RecordBatch]]:
        feed = self._scanner.feed
        try:
            for buffer in inflated(self.path, buffer_bytes=self._buffer_bytes):
                yield from feed(buffer)
                self._hand_over_quarantine()
        except CorruptGzipError as error:
            yield from self._scanner.abandon(f"the gzip stream breaks off in this record: {error}")
            raise
        yield from self._scanner.finish()

    @property
    def totals(self) -> dict[str, Any]:
        """Figures of the file: ``locus_lines``, ``records``, ``quarantined``, ``residues``, ``text_bytes`` ..."""
        totals = self._scanner.totals
        if self.header is None:
            totals["stray_lines"] += len(self._scanner.preamble)
        return totals

    @property
    def header(self) -> DivisionHeader | None:
        """The division file's header; None for RefSeq, daily and plain files."""
        return parse_division_header(self._scanner.preamble)

    @property
    def orphans(self) -> list[int]:
        """Ordinals of quarantined records whose first sequence chunks were already yielded."""
        return self._scanner.orphans

    def _hand_over_quarantine(self) -> None:
        blocks = self._scanner.quarantine
        # Each block has an overhead of a few hundred bytes.
        if self._quarantined and sum(len(block[-1]) + 500 for block in blocks) > QUARANTINE_BYTES:
            self._quarantined(self.quarantine())
            blocks.clear()

    def quarantine(self) -> pa.Table:
        """Return the quarantined blocks not yet passed to ``quarantined``, with QUARANTINE_SCHEMA."""
        rows = [
            {
                "source_file": printable(self.path.name),
                "record_offset": offset,
                "record_bytes": size,
                "record_ordinal": ordinal,
                "line": line,
                "accession": accession,
                "reason": reason,
                "raw_text": raw,
            }
            for offset, size, ordinal, line, accession, reason, raw in self._scanner.quarantine
        ]
        return pa.Table.from_pylist(rows, schema=QUARANTINE_SCHEMA)
