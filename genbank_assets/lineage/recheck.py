"""Verification steps of ``trace --verify``; each function returns a sentence describing a problem, or "".

The record's text is parsed again and compared with its row, the row with the database, files with the digests in their
manifests, and manifests with their input's. The hops are in ``trace``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from genbank_assets.errors import GenbankAssetsError
from genbank_assets.flatfile.reader import FlatFileReader
from genbank_assets.lookup.records import Found
from genbank_assets.lookup.text import original_text
from genbank_assets.objects.object_index import is_published
from genbank_assets.objects.read import residues
from genbank_assets.objects.store import open_objects
from genbank_assets.postgres.connection import open_database
from genbank_assets.postgres.record_table import RecordTable, Wanted
from genbank_assets.postgres.sql_files import query
from genbank_assets.postgres.staging import Origin, row_copies
from genbank_assets.settings import Settings
from genbank_assets.store import INPUT_STAGES, Manifest, PartitionRelease, Stage
from genbank_assets.tables.writer import file_sha256

# Columns describing the location of a row rather than the record.
_POSITION = {"section", "source_file", "record_offset", "record_ordinal", "release"}
# Columns set by the load, and those of the release with the last change.
_OF_THE_LOAD = [
    "section", "is_current", "code_version", "release", "source_file", "point", "source_file_id", "record_offset",
    "record_bytes", "record_ordinal", "last_release",
]  # fmt: skip


def broken_chain(partition: PartitionRelease, stage: Stage) -> str:
    """Compare a stage's recorded input with the current manifest of its input; return the problem or ""."""
    manifest, source = partition.manifest(stage), partition.manifest(INPUT_STAGES[stage])
    if source is None:
        return f"the manifest of {INPUT_STAGES[stage]}, from which it was made, is gone"
    if manifest is not None and manifest.input_digest != source.digest:
        return f"it was made from other {INPUT_STAGES[stage]} than are here now: materialize {stage}"
    return ""


def changed_file(path: Path, sha256: str) -> str:
    """Compare a file with its digest; return the problem or ""."""
    if not path.is_file():
        return f"{path.name} is no longer in the store"
    return "" if file_sha256(path) == sha256 else f"the SHA-256 of {path.name} has changed"


def changed_text(found: Found) -> str:
    """Compare the text at the record's location in the raw file with its digest; return the problem or ""."""
    try:
        for _ in original_text(found):
            pass
    except GenbankAssetsError as error:
        return str(error)
    return ""


def changed_row(found: Found, table: Path) -> str:
    """Parse the text again and compare it with the row and the residues' digest; return the problem or ""."""
    with tempfile.NamedTemporaryFile(suffix=".seq") as text:
        try:
            text.writelines(original_text(found))
        except GenbankAssetsError as error:
            return f"the text cannot be parsed again: {error}"
        text.flush()
        row, digest = _parsed(Path(text.name), found)
    stored = _row(table, int(found.row["record_ordinal"]))
    if row is None or stored is None:
        return "the text and the table do not both have the record"
    wrong = [name for name in stored if name not in _POSITION and stored[name] != row[name]]
    if wrong:
        return f"the text parsed again differs in {', '.join(wrong)}"
    if found.row["sequence_sha256"] is not None and digest != found.row["sequence_sha256"]:
        return "the residues in the text do not have the row's digest"
    return ""


def _parsed(path: Path, found: Found) -> tuple[dict[str, Any] | None, bytes]:
    """Return the row of the only record in a file, and the digest of its residues."""
    reader = FlatFileReader(path, collection=found.partition.key.collection, release=found.partition.release)
    row, hasher = None, hashlib.sha256()
    for kind, batch in reader:
        if kind == "records":
            (row,) = batch.to_pylist()
        else:
            for residues_of_chunk in batch["residues"].to_pylist():
                hasher.update(residues_of_chunk.encode())
    return row, hasher.digest()


def _row(table: Path, ordinal: int) -> dict[str, Any] | None:
    """Return a row of a record table with all columns, reading only its row group."""
    with pq.ParquetFile(table) as file:
        for group in range(file.num_row_groups):
            ordinals = file.read_row_group(group, columns=["record_ordinal"])["record_ordinal"].to_numpy()
            (at,) = np.nonzero(ordinals == ordinal)
            if len(at):
                rows: pa.Table = file.read_row_group(group).slice(int(at[0]), 1)
                return dict(rows.to_pylist()[0])
    return None


def changed_database_row(settings: Settings, found: Found, *, table: Path, record_id: int, ordinals: int) -> str:
    """Compare a record, its features and references in PostgreSQL with the record table; return the problem or "".

    The table's row is loaded into temporary tables and compared there.

    Args:
        settings: name the database.
        found: the record.
        table: its record table.
        record_id: its id in the database.
        ordinals: number of LOCUS blocks in the record table's file.
    """
    wanted = Wanted(np.zeros(ordinals, np.int64))
    wanted.ids[int(found.row["record_ordinal"])] = record_id
    origin = Origin(collection=found.partition.key.collection, section="", code_version="")
    with RecordTable(table) as rows, open_database(settings) as database, database.transaction() as session:
        session.execute(query("recheck.tables"))
        for copy in row_copies(rows, wanted, origin=origin):
            again = dataclasses.replace(copy, table=copy.table.replace("genbank.", "again_"))
            session.copy_in(again.statement, again.stream())
        parameters = {"record_id": record_id, "left_out": _OF_THE_LOAD}
        wrong = [str(name) for (name,) in session.execute(query("recheck.columns"), parameters)]
        for name, statement in (("feature", query("recheck.features")), ("reference", query("recheck.references"))):
            count = session.execute(statement, parameters)[0][0]
            wrong += [f"{count:,} {name}(s)"] if count else []
    return f"the database differs from the table in {', '.join(wrong)}" if wrong else ""


def changed_object(settings: Settings, row: dict[str, Any], found: Found, manifest: Manifest | None) -> str:
    """Compare the division's object list and the sequence's object with their digests; return the problem or ""."""
    try:
        if manifest is not None and not is_published(open_objects(settings), found.partition, manifest):
            return (
                f"the object set no longer has the division's list {manifest.extra['manifest_key']} as it was published"
            )
        for _ in residues(settings, row):
            pass
    except GenbankAssetsError as error:
        return str(error)
    return ""
