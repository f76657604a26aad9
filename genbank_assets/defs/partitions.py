"""Partition definitions: one static key per NCBI division, one daily key per day of updates.

The divisions are listed in ``ncbi.catalog``. The release is a data version, tag and metadata, but not a partition key
(docs/decisions/0001).
See https://docs.dagster.io/guides/build/partitions-and-backfills/partitioning-assets
"""

import dagster as dg

from genbank_assets.ncbi.catalog import COLLECTIONS

DIVISIONS: dict[str, dg.StaticPartitionsDefinition] = {
    name: dg.StaticPartitionsDefinition(list(collection.divisions)) for name, collection in COLLECTIONS.items()
}

# NCBI keeps GenBank's daily updates for about 180 days and RefSeq's for four weeks; older ones cannot be fetched.
FIRST_DAY = "2026-01-01"
# NCBI's files appear in the morning of its time zone.
TIMEZONE = "America/New_York"
DAYS = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, timezone=TIMEZONE, end_offset=1)
