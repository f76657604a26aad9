"""Writes the Parquet tables of one flat file: records, sequences and, if needed, quarantine, each in its own folder.

Each table is written under a temporary name, checked against the reader's totals, and renamed, so readers see complete
tables or none. Which files form a division belongs to ``records``, the meaning of columns to ``schema``.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from genbank_assets.durable import file_sha256
from genbank_assets.errors import FlatFileError, IntegrityError, NotFoundError, printable
from genbank_assets.flatfile.reader import FlatFileReader
from genbank_assets.measure import Stopwatch
from genbank_assets.schema.tables import QUARANTINE_SCHEMA, RECORD_SCHEMA, SEQUENCE_SCHEMA
from genbank_assets.store import temporary_beside
from genbank_assets.tables.table_file import TableFile


@dataclasses.dataclass(frozen=True, kw_only=True)
class ParsedFile:
    """Result of parsing one flat file.

    Attributes:
        file: name of the file.
        records_file: path of the record table in the output folder, ``records/NAME.parquet``.
        sequences_file: path of the sequence table, ``sequences/NAME.parquet``.
        quarantine_file: path of the quarantine table, ``quarantine/NAME.parquet``; None without quarantined blocks.
        locus_lines: number of LOCUS lines; equals ``records + quarantined``.
        locus_fragments: quarantined LOCUS lines that do not start a record.
        records: number of rows.
        quarantined: number of quarantined blocks.
        residues: sum of the LOCUS lengths of the rows, in bp or aa.
        with_sequence: number of rows with residues.
        features: number of features in all rows.
        noted: number of rows with ``notes`` about irregularities or guesses.
        bytes: uncompressed size of the file.
        stray_lines: non-blank lines outside of any record.
        seconds: wall time.
        header: fields of the division header, or None.
        stray_line: 1-based number of the first stray line, or None.
        sequence_sha256_xor: hex XOR of the residues' SHA-256 of all rows with residues.
        record_sha256_xor: hex XOR of the texts' SHA-256 of all rows.
        records_bytes: size of the record table in bytes.
        sequences_bytes: size of the sequence table in bytes.
        records_file_sha256: hex SHA-256 of the record table's file.
        sequences_file_sha256: hex SHA-256 of the sequence table's file.
        quarantine_bytes: size of the quarantine table in bytes; 0 if there is none.
        quarantine_file_sha256: hex SHA-256 of the quarantine table's file, or None.
    """

    file: str
    records_file: str
    sequences_file: str
    quarantine_file: str | None
    locus_lines: int
    locus_fragments: int
    records: int
    quarantined: int
    residues: int
    with_sequence: int
    features: int
    noted: int
    bytes: int
    stray_lines: int
    stray_line: int | None
    sequence_sha256_xor: str
    record_sha256_xor: str
    records_bytes: int
    sequences_bytes: int
    records_file_sha256: str
    sequences_file_sha256: str
    quarantine_bytes: int
    quarantine_file_sha256: str | None
    seconds: float
    header: dict[str, Any] | None


def table_stem(name: str) -> str:
    """Return ``gbphg1`` for ``gbphg1.seq.gz``; other names lose ``.gz`` and one flat-file suffix."""
    stem = name.removesuffix(".gz")
    for suffix in (".seq", ".gbff", ".gpff", ".gbk", ".gb", ".gp", ".genbank", ".flat", ".txt"):
        if stem.endswith(suffix) and stem != suffix:
            return stem.removesuffix(suffix)
    return stem


def table_stems(names: Iterable[str]) -> dict[str, str]:
    """Return the base name of each file's tables: :func:`table_stem`, or the full name if that is ambiguous."""
    distinct = list(dict.fromkeys(names))
    sharing = collections.Counter(table_stem(name) for name in distinct)
    return {name: table_stem(name) if sharing[table_stem(name)] == 1 else name for name in distinct}


def parse_file(
    path: Path, *, out: Path, collection: str = "", section: str = "", release: str = "", stem: str | None = None
) -> ParsedFile:
    """Parse one flat file (plain or gzip) into Parquet tables.

    Args:
        path: the flat file.
        out: output folder.
        collection: value of the rows' ``collection``.
        section: value of the rows' ``section``.
        release: value of the rows' ``release``.
        stem: base name of the tables; by default :func:`table_stem` of the file.

    Returns:
        The tables, and the totals of the file.

    Raises:
        NotFoundError: the file does not exist, or is a folder.
        FlatFileError: the file has no LOCUS line, or its gzip stream is damaged; nothing is published.
        IntegrityError: the written tables do not match the totals; nothing is published.
        StoreError: the tables cannot be written.
    """
    if not path.is_file():
        raise NotFoundError(f"{'not a file' if path.exists() else 'no such file'}: {path}")
    stem = printable(stem or table_stem(path.name))
    names = {table: f"{table}/{stem}.parquet" for table in ("records", "sequences", "quarantine")}
    with Stopwatch() as watch:
        with contextlib.ExitStack() as renames:
            quarantine = _Quarantine(renames, path=out / names["quarantine"])
            reader = FlatFileReader(
                path, collection=collection, section=section, release=release, quarantined=quarantine.write
            )
            records_path = renames.enter_context(temporary_beside(out / names["records"]))
            sequences_path = renames.enter_context(temporary_beside(out / names["sequences"]))
            written = _write_tables(reader, records_path=records_path, sequences_path=sequences_path)
            totals = reader.totals
            _check_totals(reader, records_path=records_path)
            if totals["quarantined"]:
                quarantine.write(reader.quarantine())
        if not totals["quarantined"]:
            (out / names["quarantine"]).unlink(missing_ok=True)
    return ParsedFile(
        file=printable(path.name),
        records_file=names["records"],
        sequences_file=names["sequences"],
        quarantine_file=names["quarantine"] if totals["quarantined"] else None,
        quarantine_bytes=(out / names["quarantine"]).stat().st_size if totals["quarantined"] else 0,
        quarantine_file_sha256=file_sha256(out / names["quarantine"]) if totals["quarantined"] else None,
        bytes=totals["text_bytes"],
        seconds=watch.seconds,
        header=dataclasses.asdict(reader.header) if reader.header else None,
        **{name: totals[name] for name in _FROM_TOTALS},
        **written,
    )


_FROM_TOTALS = (
    "locus_lines", "locus_fragments", "records", "quarantined", "residues", "with_sequence", "features",
    "stray_lines", "stray_line", "sequence_sha256_xor", "record_sha256_xor",
)  # fmt: skip


class _Quarantine:
    """The quarantine table, created with the first blocks, and closed and renamed with the other tables."""

    def __init__(self, renames: contextlib.ExitStack, *, path: Path) -> None:
        self._renames = renames
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def write(self, blocks: pa.Table) -> None:
        if self._writer is None:
            temporary = self._renames.enter_context(temporary_beside(self._path))
            self._writer = self._renames.enter_context(
                pq.ParquetWriter(temporary, QUARANTINE_SCHEMA, compression="zstd")
            )
        self._writer.write_table(blocks)


def _write_tables(reader: FlatFileReader, *, records_path: Path, sequences_path: Path) -> dict[str, Any]:
    """Scan in this thread while background threads encode each table; return sizes and digests."""
    with TableFile(records_path, RECORD_SCHEMA) as records, TableFile(sequences_path, SEQUENCE_SCHEMA) as sequences:
        noted = 0
        for table, batch in reader:
            if table == "records":
                noted += pc.sum(pc.greater(pc.list_value_length(batch["notes"]), 0)).as_py()
                sequences.write_keys(batch)
                records.write(batch)
            else:
                sequences.write(batch)
    if lost := sequences.without_keys - set(reader.orphans):
        raise IntegrityError(f"{reader.path.name}: the residues of record {min(lost):,} have no row")
    if reader.orphans:
        sequences = _without_records(sequences_path, reader.orphans)
    return {
        "noted": noted,
        "records_bytes": records.bytes,
        "sequences_bytes": sequences.bytes,
        "records_file_sha256": records.sha256,
        "sequences_file_sha256": sequences.sha256,
    }


def _without_records(path: Path, ordinals: list[int]) -> TableFile:
    """Rewrite a sequence table without the chunks of records that were quarantined after some were written."""
    dropped = pa.array(ordinals, pa.int64())
    with temporary_beside(path) as kept, TableFile(kept, SEQUENCE_SCHEMA) as table, pq.ParquetFile(path) as source:
        for group in range(source.num_row_groups):  # one at a time, to bound memory
            for batch in source.read_row_group(group).to_batches():
                table.write(batch.filter(pc.invert(pc.is_in(batch["record_ordinal"], value_set=dropped))))
    return table


def _check_totals(reader: FlatFileReader, *, records_path: Path) -> None:
    """Check the written tables against the reader's totals before they get their final names."""
    totals = reader.totals
    if totals["locus_lines"] == 0 and reader.header is None:
        raise FlatFileError("no LOCUS line: this is not a GenBank flat file", file=reader.path.name)
    if totals["records"] + totals["quarantined"] != totals["locus_lines"]:
        raise IntegrityError(
            f"{reader.path.name}: {totals['locus_lines']} LOCUS lines, but {totals['records']} rows "
            f"and {totals['quarantined']} quarantined blocks"
        )
    rows = pq.read_metadata(records_path).num_rows
    if rows != totals["records"]:
        raise IntegrityError(f"{reader.path.name}: {totals['records']} records, but {rows} rows were written")


__all__ = ["QUARANTINE_SCHEMA", "ParsedFile", "file_sha256", "parse_file", "table_stem", "table_stems"]
