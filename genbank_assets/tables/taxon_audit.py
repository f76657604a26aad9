"""Checks whether the taxa of records exist in the taxonomy, for the newest tables of each division.

Reads one narrow column. Looking up taxa belongs to ``clades``.
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
    """A taxon in records that the taxonomy lacks or has merged or deleted.

    Attributes:
        taxon_id: id in the records.
        records: number of records with this taxon.
        example: ``accession.version`` of one of them.
        now: the taxon it was merged into, or None.
    """

    taxon_id: int
    records: int
    example: str
    now: int | None = None


@dataclasses.dataclass(frozen=True)
class TaxonAudit:
    """Result of an audit; its lists are complete and ordered by taxon.

    Attributes:
        records: number of records examined.
        without_taxon: number of records without a taxon.
        taxa: number of distinct taxa in the records.
        unknown: taxa that are not in the taxonomy, nor merged or deleted.
        merged: taxa merged into others.
        deleted: taxa deleted by NCBI.
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
