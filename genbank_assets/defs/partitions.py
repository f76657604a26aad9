"""Partition definitions: one static key per NCBI division.

The lists are closed and reviewed in ``ncbi.catalog``; the release is data version, tag and metadata, not a partition
key (docs/decisions/0001). Anything that depends on a run belongs elsewhere.
See https://docs.dagster.io/guides/build/partitions-and-backfills/partitioning-assets
"""

import dagster as dg

from genbank_assets.ncbi.catalog import COLLECTIONS

DIVISIONS: dict[str, dg.StaticPartitionsDefinition] = {
    name: dg.StaticPartitionsDefinition(list(collection.divisions)) for name, collection in COLLECTIONS.items()
}
