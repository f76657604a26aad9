"""A division's distinct proteins, from translations and protein records, as FASTA for ``makeblastdb`` and DIAMOND.

Proteins come from the format ``protein``; duplicates, which may be the majority, are found in buckets on disk. A name
identifies one sequence: if records give the same name to different ones, the first keeps it, and the others get some
digits of their digest appended. A protein found in several taxa gets the first one. Nucleotides belong to
``nucleotides``.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from genbank_assets.extract.engine import run_stretches
from genbank_assets.extract.formats import Block, FormatOptions
from genbank_assets.extract.formats.proteins import ProteinFasta
from genbank_assets.extract.inputs import Input
from genbank_assets.extract.plan import make_plan
from genbank_assets.extract.scan import stretches
from genbank_assets.extract.selection import Selection
from genbank_assets.tables.buckets import Buckets, bucket_count, digest_bucket

_ENTRIES_AT_A_TIME = 20_000
_PROTEINS_PER_RECORD_BYTES = 2_000  # estimated from the record table's size; the number of buckets only affects memory
_TAXON = b"|kraken:taxid|"
Entry = tuple[str, int, str, bytes]  # name, taxon or 0, title, residues


class Proteins:
    """The proteins of one division.

    Attributes:
        ids: number of protein names; available after the taxa were written.
        sequences: number of entries; available after all text was read.
        renamed: number of proteins renamed because another protein has their name.
    """

    def __init__(self, one: Input, *, scratch: Path, workers: int) -> None:
        self.ids = self.sequences = self.renamed = 0
        self._new_names: dict[tuple[str, bytes], str] = {}
        size = sum(file.records.stat().st_size for file in one.files)
        count = bucket_count(max(size // _PROTEINS_PER_RECORD_BYTES, sum(file.rows for file in one.files)))
        self._by_letters = Buckets(scratch / "letters", count=count)
        self._by_name = Buckets(scratch / "names", count=count)
        order = 0
        for entries in _several(_entries(one, workers=workers)):
            self._add(entries, order)
            order += len(entries)
        self._by_letters.close()
        self._by_name.close()

    def _add(self, entries: list[Entry], order: int) -> None:
        names = [name for name, *_ in entries]
        frame = pl.DataFrame(
            {
                "order": range(order, order + len(entries)),
                "name": names,
                "taxon": [taxon for _, taxon, *_ in entries],
                "title": [title for *_, title, _ in entries],
                "letters": [letters for *_, letters in entries],
                "digest": [hashlib.sha256(letters).digest() for *_, letters in entries],
                "key": [name.upper() for name in names],  # BLAST names are case-insensitive
            },
            schema_overrides={"letters": pl.Binary, "digest": pl.Binary},
        ).unique(("key", "digest"), keep="first", maintain_order=True)
        kept = frame.select("order", "name", "key", "title", "letters", "digest")
        self._by_letters.add(kept, digest_bucket(frame["digest"], count=self._by_letters.count))
        keys = pl.Series([hashlib.sha256(key.encode()).digest() for key in frame["key"]], dtype=pl.Binary)
        identity = frame.select("order", "name", "key", "taxon", "digest")
        self._by_name.add(identity, digest_bucket(keys, count=self._by_name.count))

    def write_taxa(self, path: Path) -> None:
        """Write a line ``NAME TAXON`` for each protein that has a taxon, and make names unique."""
        with path.open("w", encoding="utf-8") as file:
            for frame in self._by_name.frames():
                rows = frame.sort("order").unique(("key", "digest"), keep="first", maintain_order=True)
                rows = rows.with_columns(keeps=pl.col("key").is_first_distinct())
                self.ids += len(rows)
                for name, key, taxon, digest, keeps in rows.select(
                    "name", "key", "taxon", "digest", "keeps"
                ).iter_rows():
                    if not keeps:
                        self.renamed += 1
                        self._new_names[key, digest] = f"{name}_{digest.hex()[:12]}"
                    if taxon:
                        file.write(f"{self._new_names.get((key, digest), name)} {taxon}\n")

    def text(self) -> Iterator[bytes]:
        """Yield the FASTA text in pieces; call :meth:`write_taxa` first."""
        for frame in self._by_letters.frames():
            rows = frame.sort("order").unique(("key", "digest"), keep="first", maintain_order=True)
            groups = rows.group_by("digest", maintain_order=True).agg("name", "key", "title", pl.col("letters").first())
            for digest, names, keys, titles, letters in groups.select(
                "digest", "name", "key", "title", "letters"
            ).iter_rows():
                self.sequences += 1
                lines = (
                    f"{self._new_names.get((key, digest), name)} {title}".rstrip().encode()
                    for name, key, title in zip(names, keys, titles, strict=True)
                )
                yield b">" + b"\x01".join(lines) + b"\n" + letters + b"\n"


def _several(entries: Iterator[Entry]) -> Iterator[list[Entry]]:
    while some := list(itertools.islice(entries, _ENTRIES_AT_A_TIME)):
        yield some


def _entries(one: Input, *, workers: int) -> Iterator[Entry]:
    """Yield all proteins of the division in order, including duplicates."""
    selection = Selection(partitions=(str(one.partition.key),), release=one.partition.release)
    writer = ProteinFasta(selection, FormatOptions(width=0, kraken=True), None)
    every = stretches(make_plan([one], selection).files, whole_files=False)
    rest = b""
    for item in run_stretches(every, format_=writer, conditions=[], workers=workers):
        if not isinstance(item, Block):
            continue
        data = rest + bytes(item.data)
        end = data.rfind(b"\n>") + 1  # the last entry may be incomplete
        rest = data[end:]
        yield from _parsed(data[:end])
    yield from _parsed(rest)


def _parsed(text: bytes) -> Iterator[Entry]:
    for entry in text.removeprefix(b">").split(b"\n>"):
        head, _, letters = entry.partition(b"\n")
        word, _, title = head.partition(b" ")
        name, _, taxon = word.rpartition(_TAXON)
        if letters := letters.rstrip(b"\n"):
            yield name.decode().replace("|", "_"), int(taxon), title.decode(), letters
