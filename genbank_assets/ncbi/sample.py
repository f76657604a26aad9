"""The bundled sample: a small mirror of genuine records, used as the source in demonstrations and tests.

``sample/ORIGIN.tsv`` documents the origin of the records.
"""

from __future__ import annotations

from pathlib import Path

import genbank_assets
from genbank_assets.ncbi.catalog import COLLECTIONS, division_of_file
from genbank_assets.store import PartitionKey

SAMPLE = Path(genbank_assets.__file__).parent / "sample"


def sample_source() -> str:
    """Return the sample's URL, for the setting ``source``."""
    return SAMPLE.resolve().as_uri()


def sample_partitions() -> list[PartitionKey]:
    """Return the partitions for which the sample has files."""
    found = []
    for collection in COLLECTIONS.values():
        names = [path.name for path in (SAMPLE / collection.path).rglob("*.gz")]
        present = {division_of_file(name, collection=collection) for name in names}
        found += [PartitionKey(collection.name, d) for d in collection.divisions if d in present]
    return found
