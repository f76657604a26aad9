"""The demonstration: the bundled sample through all five assets, a table, one traced record.

Uses the same code as any other run; only the source differs. The sample's origin is told in ``sample/ORIGIN.tsv``.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from genbank_assets.lineage.render import as_text
from genbank_assets.lineage.status import PartitionStatus, status
from genbank_assets.lineage.trace import trace
from genbank_assets.ncbi.catalog import COLLECTIONS, division_of_file
from genbank_assets.settings import Settings
from genbank_assets.show import table
from genbank_assets.store import PartitionKey

SAMPLE = Path(__file__).parent / "sample"
TRACED = "NC_001422"  # bacteriophage phiX174, the first DNA genome ever sequenced
HEADINGS = (
    "division", "release", "files", "records", "bases", "distinct", "quarantined", "rows loaded", "objects", "seconds",
    "peak MB", "SQL",
)  # fmt: skip


def demo_settings(settings: Settings) -> Settings:
    """The same settings, reading from the bundled sample."""
    return dataclasses.replace(settings, source=SAMPLE.resolve().as_uri())


def sample_partitions() -> list[PartitionKey]:
    """The partitions the sample has files of."""
    found = []
    for collection in COLLECTIONS.values():
        names = [path.name for path in (SAMPLE / collection.path).rglob("*.gz")]
        present = {division_of_file(name, collection=collection) for name in names}
        found += [PartitionKey(collection.name, d) for d in collection.divisions if d in present]
    return found


def status_table(rows: list[PartitionStatus]) -> str:
    """The status of partitions for people."""
    return table(
        HEADINGS,
        [
            (
                f"{row.collection}/{row.division}",
                row.release,
                row.files,
                row.records,
                row.residues,
                row.distinct_sequences,
                row.quarantined,
                row.rows_loaded,
                row.objects,
                row.seconds,
                row.peak_memory_bytes // 1_000_000,
                row.sql_statements,
            )
            for row in rows
        ],
    )


def report(settings: Settings, keys: list[PartitionKey]) -> str:
    """What the demonstration shows at its end."""
    wanted = {(key.collection, key.division) for key in keys}
    rows = [row for row in status(settings) if (row.collection, row.division) in wanted]
    traced = "\n\n".join(as_text(found) for found in trace(settings, TRACED))
    return (
        f"{status_table(rows)}\n\nOne record, from the byte in the file to the row and the object "
        f"(genbank-assets trace {TRACED}):\n\n{traced}"
    )
