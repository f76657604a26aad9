"""Rewrites tables of version 0.1.0 to the current format, row by row and without parsing.

Values of records are unchanged; provenance columns are added and files renamed. Memory holds one row group per table.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from genbank_assets.durable import file_sha256
from genbank_assets.errors import IntegrityError
from genbank_assets.generations import link_or_copy
from genbank_assets.schema.tables import CHUNK_SCHEMA, RECORD_SCHEMA, SEQUENCE_SCHEMA
from genbank_assets.store import temporary_beside
from genbank_assets.tables.table_file import TableFile

_KEYS = ["record_ordinal", "accession_version", "sequence_sha256", "collection", "section", "release"]


def upgraded_tables(folder: Path, entry: dict[str, Any], *, out: Path, stem: str, section: str) -> dict[str, Any]:
    """Rewrite a file's tables into ``out``; return the changed part of its manifest entry.

    Raises:
        IntegrityError: an old table has a different number of rows than its entry says.
    """
    names = {table: f"{table}/{stem}.parquet" for table in ("records", "sequences", "quarantine")}
    with temporary_beside(out / names["records"]) as path, TableFile(path, RECORD_SCHEMA) as records:
        rows = 0
        with pq.ParquetFile(folder / entry["records_file"]) as source:
            for group in range(source.num_row_groups):
                for batch in source.read_row_group(group).to_batches():
                    rows += batch.num_rows
                    records.write(_with_section(batch, section))
    if rows != entry["records"]:
        raise IntegrityError(f"{entry['name']}: {entry['records']:,} records, but the old table has {rows:,} rows")
    with temporary_beside(out / names["sequences"]) as path:
        sequences = _with_keys(folder / entry["sequences_file"], out / names["records"], path=path)
    if sequences.without_keys:
        first = min(sequences.without_keys)
        raise IntegrityError(f"{entry['name']}: the residues of record {first:,} have no row in the old table")
    changed: dict[str, Any] = {
        "records_file": names["records"],
        "sequences_file": names["sequences"],
        "records_bytes": records.bytes,
        "sequences_bytes": sequences.bytes,
        "records_file_sha256": records.sha256,
        "sequences_file_sha256": sequences.sha256,
        "quarantine_bytes": 0,
        "quarantine_file_sha256": None,
    }
    if entry["quarantine_file"] is not None:
        link_or_copy(folder / entry["quarantine_file"], out / names["quarantine"])
        changed |= {
            "quarantine_file": names["quarantine"],
            "quarantine_bytes": (out / names["quarantine"]).stat().st_size,
            "quarantine_file_sha256": file_sha256(out / names["quarantine"]),
        }
    return changed


def _with_section(batch: pa.RecordBatch, section: str) -> pa.RecordBatch:
    columns = [
        pa.repeat(pa.scalar(section, field.type), batch.num_rows)
        if field.name == "section"
        else batch[field.name].cast(field.type)
        if field.name in batch.schema.names
        else pa.nulls(batch.num_rows, field.type)  # not recorded by version 0.1.0
        for field in RECORD_SCHEMA
    ]
    return pa.RecordBatch.from_arrays(columns, schema=RECORD_SCHEMA)


def _with_keys(old: Path, records: Path, *, path: Path) -> TableFile:
    """Write the sequence table with each record's accession and digest; keys are added before the chunks."""
    with pq.ParquetFile(records) as rows, pq.ParquetFile(old) as source, TableFile(path, SEQUENCE_SCHEMA) as table:
        groups, known = iter(range(rows.num_row_groups)), -1
        for number in range(source.num_row_groups):
            for batch in source.read_row_group(number).to_batches():
                last = batch["record_ordinal"][batch.num_rows - 1].as_py() if batch.num_rows else -1
                while known < last and (group := next(groups, None)) is not None:
                    for keys in rows.read_row_group(group, columns=_KEYS).to_batches():
                        table.write_keys(keys)
                        known = keys["record_ordinal"][keys.num_rows - 1].as_py() if keys.num_rows else known
                columns = [batch[field.name].cast(field.type) for field in CHUNK_SCHEMA]
                table.write(pa.RecordBatch.from_arrays(columns, schema=CHUNK_SCHEMA))
    return table
