"""Format drift: finds values in a record table that have never been seen in NCBI's files.

The reader accepts any value; this reports when NCBI's format changes. Known values are listed in ``flatfile.known``.
"""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from genbank_assets.flatfile import known

# Prefix of notes about the header (docs/reader.md).
_HEADER_FORMS = (
    "LOCUS line: ", "REFERENCE has no number", "VERSION is not", "a keyword is indented", "a keyword stands twice",
    "a sub-keyword begins", "the lineage ", "lines below ORGANISM", "line not understood", "a line of the header",
)  # fmt: skip
_LOCATION = "location not understood: "
_COLUMNS = ["accession", "division", "molecule_type", "topology", "features", "other_lines", "notes"]


def unseen_forms(records_file: Path) -> dict[str, dict[str, int]]:
    """Count unknown values in a record table, by kind.

    Args:
        records_file: a record table; row groups are read one at a time.

    Returns:
        Counts by value, for ``feature keys``, ``qualifiers``, ``keywords``, ``accessions``, ``molecules``,
        ``divisions``, ``topologies``, ``header forms`` and ``locations``; empty kinds are omitted.
    """
    found: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    with pq.ParquetFile(records_file) as table:
        for batch in table.iter_batches(columns=_COLUMNS, batch_size=1000):
            for kind, value, count in _unseen_in(batch):
                found[kind][value] += count
    return {kind: dict(values.most_common()) for kind, values in sorted(found.items())}


def _unseen_in(batch: pa.RecordBatch) -> Iterator[tuple[str, str, int]]:
    features = pc.list_flatten(batch["features"])
    qualifiers = pc.list_flatten(pc.struct_field(features, "qualifiers"))
    others = pc.list_flatten(batch["other_lines"])
    yield from _not_among("feature keys", pc.struct_field(features, "key"), known.FEATURE_KEYS)
    yield from _not_among("qualifiers", pc.struct_field(qualifiers, "key"), known.QUALIFIERS)
    yield from _not_among("keywords", pc.struct_field(others, "keyword"), known.OTHER_KEYWORDS)
    yield from _not_among("molecules", batch["molecule_type"], known.MOLECULES)
    yield from _not_among("divisions", batch["division"], known.DIVISIONS)
    yield from _not_among("topologies", batch["topology"], frozenset(["linear", "circular"]))
    for accession, count in _counts(batch["accession"]):
        if not known.ACCESSION.fullmatch(accession):
            yield "accessions", accession, count
    for note, count in _counts(pc.list_flatten(batch["notes"])):
        if note.startswith(_HEADER_FORMS):
            yield "header forms", note, count
        elif note.startswith(_LOCATION):
            yield "locations", note.removeprefix(_LOCATION), count


def _not_among(kind: str, values: pa.Array, seen: Iterable[str]) -> Iterator[tuple[str, str, int]]:
    for value, count in _counts(values):
        if value not in seen:
            yield kind, value, count


def _counts(values: pa.Array) -> Iterator[tuple[str, int]]:
    for pair in pc.value_counts(values.drop_null()).to_pylist():
        yield pair["values"], pair["counts"]
