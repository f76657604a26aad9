"""Whether the taxa that records name are in the taxonomy: counted per taxon over everything the store has now.

Reads one narrow column of the newest tables of each division. What a taxon is belongs to ``clades``.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.store import PartitionKey, current_release
from genbank_assets.tables.clades import Taxonomy

MAX_LISTED = 100


@dataclasses.dataclass(frozen=True)
class NamedTaxon:
    """A taxon that records name and the taxonomy does not have as it is.

    Attributes:
        taxon_id: as the records name it.
        records: how many records name it.
        example: ``accession.version`` of one of them.
        now: the taxon it was merged into; None for others.
    """

    taxon_id: int
    records: int
    example: str
    now: int | None = None


@dataclasses.dataclass(frozen=True)
class TaxonAudit:
    """What a look at all records found; lists are in order of taxon and have all of their kind.

    Attributes:
        records: records looked at.
        without_taxon: records that name none.
        taxa: different taxa that are named.
        unknown: neither in the taxonomy, nor merged, nor deleted.
        merged: merged into others.
        deleted: deleted by NCBI.
    """

    records: int
    without_taxon: int
    taxa: int
    unknown: tuple[NamedTaxon, ...]
    merged: tuple[NamedTaxon, ...]
    deleted: tuple[NamedTaxon, ...]


def audit_taxa(store: Path, taxonomy: Taxonomy) -> TaxonAudit:
    """Look up the taxa of all source features of all records in the newest tables."""
    named: Counter[int] = Counter()
    example: dict[int, str] = {}
    records = without = 0
    for names, taxa in _batches(store):
        records += len(names)
        lengths = taxa.value_lengths().to_numpy(zero_copy_only=False)
        without += int((lengths == 0).sum())
        values = taxa.flatten().to_numpy()
        rows = np.repeat(np.arange(len(names)), lengths)
        ids, first, counts = np.unique(values, return_index=True, return_counts=True)
        for taxon, at, count in zip(ids.tolist(), first.tolist(), counts.tolist(), strict=True):
            named[taxon] += count
            example.setdefault(taxon, names[int(rows[at])].as_py())
    ids = np.array(sorted(named), np.int64)
    found = taxonomy.resolve(ids)

    def listed(flags: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> tuple[NamedTaxon, ...]:
        return tuple(
            NamedTaxon(taxon, named[taxon], example[taxon], int(now) if now != taxon else None)
            for taxon, now in zip(ids[flags].tolist(), found.taxon_ids[flags].tolist(), strict=True)
        )

    return TaxonAudit(
        records=records,
        without_taxon=without,
        taxa=len(ids),
        unknown=listed(found.unknown),
        merged=listed(found.merged),
        deleted=listed(found.deleted),
    )


def _batches(store: Path) -> Iterator[tuple[pa.Array, pa.ListArray]]:
    for collection in COLLECTIONS.values():
        for division in collection.divisions:
            partition = current_release(store, key=PartitionKey(collection.name, division), stage="records")
            manifest = partition.manifest("records") if partition else None
            if partition is None or manifest is None:
                continue
            for entry in manifest.files:
                with pq.ParquetFile(partition.folder_of(manifest) / entry["records_file"]) as file:
                    for batch in file.iter_batches(columns=["accession_version", "taxon_ids"]):
                        yield batch["accession_version"], batch["taxon_ids"]
