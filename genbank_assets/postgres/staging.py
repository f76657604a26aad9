"""Record tables as the rows PostgreSQL wants: Arrow in, the binary stream of COPY out.

Four kinds of rows come from one record table: keys (all records, narrow), and for the records that are wanted their
columns, features and references. PostgreSQL's limits are wide: 1 GB a field, 255 MB the qualifiers of one feature. How
the table is read belongs to ``record_table``, when rows are sent to ``one_file``; what the columns are is derived from
``ddl``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pgpq
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pgpq.encoders import LargeStringEncoderBuilder, StringEncoderBuilder
from pgpq.schema import Jsonb

from genbank_assets.postgres.ddl import record_columns, sql_type
from genbank_assets.postgres.jsonpairs import pairs_json
from genbank_assets.postgres.record_table import RecordTable, Wanted
from genbank_assets.store import PartitionRelease
from genbank_assets.tables.schema import FEATURE

_KEY_COLUMNS = [
    "record_ordinal", "accession", "version", "accession_version", "record_sha256", "sequence_sha256",
    "molecule_class", "length", "record_offset", "record_bytes",
]  # fmt: skip
LONGEST_INDEXED_BYTES = 1_000  # a GIN index refuses values over 2.7 kB; longer ones are in the qualifiers only
# Spans stay in Parquet: reading them would take as long as all the rest of a feature.
_FEATURE_COLUMNS = [f"features.list.element.{field.name}" for field in FEATURE if field.name != "spans"]


@dataclasses.dataclass(frozen=True)
class Copy:
    """One COPY: its table, columns, and a source of Arrow batches."""

    table: str
    columns: tuple[str, ...]
    batches: Callable[[], Iterator[pa.RecordBatch]]
    json_columns: frozenset[str] = frozenset()

    @property
    def statement(self) -> str:
        """``COPY … FROM STDIN (FORMAT binary)``; all names are our own."""
        return f"COPY {self.table} ({', '.join(self.columns)}) FROM STDIN (FORMAT binary)"

    def stream(self) -> Iterator[bytes]:
        """The binary stream, batch by batch."""
        encoder = None
        for batch in self.batches():
            if encoder is None:
                encoder = self._encoder(batch.schema)
                yield encoder.write_header()
            yield encoder.write_batch(batch)
        if encoder is not None:
            yield encoder.finish()

    def _encoder(self, schema: pa.Schema) -> Any:
        encoders: dict[str, Any] = {}
        for field in schema:
            if field.name in self.json_columns:
                builder = LargeStringEncoderBuilder if pa.types.is_large_string(field.type) else StringEncoderBuilder
                encoders[field.name] = builder.new_with_output(field, Jsonb())
            else:
                encoders[field.name] = pgpq.ArrowToPostgresBinaryEncoder.infer_encoder(field)
        return pgpq.ArrowToPostgresBinaryEncoder.new_with_encoders(schema, encoders)


def key_copy(table: RecordTable, *, superseded: tuple[int, ...] = ()) -> Copy:
    """Every record of the table but the superseded ones: identity, digests, place in the file."""
    left_out = pa.array(superseded, pa.int64())

    def batches() -> Iterator[pa.RecordBatch]:
        columns = [*(name for name in _KEY_COLUMNS if name != "molecule_class"), "length_unit"]
        for batch in table.batches(columns):
            if superseded:
                batch = batch.filter(pc.invert(pc.is_in(batch["record_ordinal"], value_set=left_out)))
            if batch.num_rows:
                yield _batch({name: _key_column(batch, name) for name in _KEY_COLUMNS})

    return Copy("stage_key", tuple(_KEY_COLUMNS), batches)


_Rows = Iterator[tuple[pa.RecordBatch, pa.Array]]  # columns of some records, and the record_id of each


def row_copies(table: RecordTable, wanted: Wanted, *, section: str, code_version: str) -> tuple[Copy, Copy, Copy]:
    """The wanted records, their features and their references, each to be streamed once and in this order."""
    columns = [column.name for _, column in record_columns()]
    records, features, references = table.wanted([columns, _FEATURE_COLUMNS, ["references"]], wanted)
    return (
        _record_copy(records, section=section, code_version=code_version),
        _feature_copy(features),
        _reference_copy(references),
    )


def _record_copy(rows: _Rows, *, section: str, code_version: str) -> Copy:
    columns = record_columns()
    names = ("record_id", "section", "is_current", "molecule_class", "code_version", *(name for name, _ in columns))
    json_columns = frozenset(name for name, column in columns if sql_type(column) == "jsonb")

    def batches() -> Iterator[pa.RecordBatch]:
        for batch, ids in rows:
            found = {
                "record_id": ids,
                "section": pa.repeat(section, len(ids)),
                "is_current": pa.repeat(True, len(ids)),  # noqa: FBT003 -- a value
                "molecule_class": _key_column(batch, "molecule_class"),
                "code_version": pa.repeat(code_version, len(ids)),
            }
            for name, column in columns:
                found[name] = _as_json(batch[column.name]) if name in json_columns else batch[column.name]
            yield _batch(found)

    return Copy("genbank.record", names, batches, json_columns)


def _feature_copy(rows: _Rows) -> Copy:
    """With the qualifiers people search by lifted out."""
    names = (
        "record_id", "ordinal", "key", "location", "operator", "start_position", "end_position", "strand",
        "partial_start", "partial_end", "spans_origin", "qualifiers", "gene", "locus_tag", "product", "db_xrefs",
        "further_names",
    )  # fmt: skip

    def batches() -> Iterator[pa.RecordBatch]:
        for batch, ids in rows:
            record_ids, ordinal, features = _flattened(batch["features"], ids)
            qualifiers = features.field("qualifiers")
            found = {
                "record_id": record_ids,
                "ordinal": ordinal,
                "start_position": features.field("start"),
                "end_position": features.field("end"),
                "strand": features.field("strand").cast(pa.int16()),
                "qualifiers": pairs_json(qualifiers),
                "db_xrefs": _all_values(qualifiers, "db_xref"),
            }
            for name in ("key", "location", "operator", "partial_start", "partial_end", "spans_origin"):
                found[name] = features.field(name)
            found |= _names(qualifiers)
            yield _batch({name: found[name] for name in names})

    return Copy("genbank.feature", names, batches, frozenset({"qualifiers"}))


def _reference_copy(rows: _Rows) -> Copy:
    fields = ("number", "location", "authors", "consortium", "title", "journal", "medline", "pubmed", "remark")

    def batches() -> Iterator[pa.RecordBatch]:
        for batch, ids in rows:
            record_ids, ordinal, references = _flattened(batch["references"], ids)
            found = {"record_id": record_ids, "ordinal": ordinal}
            yield _batch(found | {name: references.field(name) for name in fields})

    return Copy("genbank.reference", ("record_id", "ordinal", *fields), batches)


def _batch(columns: dict[str, pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _key_column(batch: pa.RecordBatch, name: str) -> pa.Array:
    if name != "molecule_class":
        return batch[name]
    return pc.if_else(pc.equal(batch["length_unit"], "aa"), "protein", "nucleotide")


def _flattened(lists: pa.Array, ids: pa.Array) -> tuple[pa.Array, pa.Array, pa.StructArray]:
    """A list column as rows: the record_id each belongs to, its place in the list, and itself."""
    lengths = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    starts = np.repeat(np.cumsum(lengths) - lengths, lengths)
    ordinal = pa.array((np.arange(len(starts)) - starts).astype(np.int32))
    return pa.array(np.repeat(ids.to_numpy(), lengths)), ordinal, lists.flatten()


def _with_key(qualifiers: pa.ListArray, key: str) -> tuple[np.ndarray[Any, Any], pa.Array]:
    """Feature index and value of every qualifier of that name that has a value."""
    flat = qualifiers.flatten()
    mask = pc.and_(pc.equal(flat.field("key"), key), pc.is_valid(flat.field("value")))
    parents = pc.list_parent_indices(qualifiers).filter(mask).to_numpy(zero_copy_only=False)
    return parents, flat.field("value").filter(mask)


def _names(qualifiers: pa.ListArray) -> dict[str, pa.Array]:
    """What features are searched by: the first value of each kind of name, and as ``gene=dnaA`` those after it."""
    columns: dict[str, pa.Array] = {}
    further = []
    for key in ("gene", "locus_tag", "product"):
        parents, values = _with_key(qualifiers, key)
        features, first = np.unique(parents, return_index=True)
        at = np.full(len(qualifiers), -1, dtype=np.int64)
        at[features] = first
        columns[key] = values.take(pa.array(at, mask=at < 0))
        if len(first) < len(parents):
            later = np.ones(len(parents), bool)
            later[first] = False
            short = pc.less_equal(pc.binary_length(values), LONGEST_INDEXED_BYTES).to_numpy(zero_copy_only=False)
            later &= short
            named = pc.binary_join_element_wise(key, values.filter(pa.array(later)), "=")
            further.append((parents[later], named))
    columns["further_names"] = _lists(further, rows=len(qualifiers))
    return columns


def _all_values(qualifiers: pa.ListArray, key: str) -> pa.Array:
    """Lists of all values of a qualifier that an index can take; null for a feature without any."""
    parents, values = _with_key(qualifiers, key)
    short = pc.less_equal(pc.binary_length(values), LONGEST_INDEXED_BYTES)
    return _lists([(parents[short.to_numpy(zero_copy_only=False)], values.filter(short))], rows=len(qualifiers))


def _lists(parts: list[tuple[np.ndarray[Any, Any], pa.Array]], *, rows: int) -> pa.ListArray:
    """A list for each row of the values that name it as their parent; null for a row without any."""
    if not parts:
        return pa.nulls(rows, pa.list_(pa.string()))
    parents = np.concatenate([part for part, _ in parts])
    values = pa.concat_arrays([part for _, part in parts])
    if len(parts) > 1:
        order = np.argsort(parents, kind="stable")
        parents, values = parents[order], values.take(pa.array(order))
    counts = np.bincount(parents, minlength=rows) if len(parents) else np.zeros(rows, np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), values, mask=pa.array(counts == 0))


def _as_json(column: pa.Array) -> pa.Array:
    """``[[key, value], ...]``; structured comments nest one list deeper."""
    fields = [column.type.value_type.field(i).name for i in range(column.type.value_type.num_fields)]
    if fields == ["key", "value"]:
        return pairs_json(column)
    return pa.array(
        [
            json.dumps([[block["name"], [[i["key"], i["value"]] for i in block["items"]]] for block in blocks])
            for blocks in column.to_pylist()
        ],
        pa.large_string(),
    )


def evidence_copy(partition: PartitionRelease) -> Copy | None:
    """NCBI's own lists of removed records, where they came with the raw files."""
    raw = partition.manifest("raw_files")
    if raw is None or raw.extra.get("evidence_file") is None:
        return None
    path = partition.folder_of(raw) / str(raw.extra["evidence_file"])
    columns = ("accession", "list", "source_file")

    def batches() -> Any:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(columns=list(columns))

    return Copy("stage_evidence", columns, batches)
