"""Partition definitions: one static key per NCBI division, one daily key per day of updates.

The lists of divisions are closed and reviewed in ``ncbi.catalog``; the release is data version, tag and metadata, not a
partition key (docs/decisions/0001). Anything that depends on a run belongs elsewhere.
See https://docs.dagster.io/guides/build/partitions-and-backfills/partitioning-assets
"""

import dagster as dg

from genbank_assets.ncbi.catalog import COLLECTIONS

DIVISIONS: dict[str, dg.StaticPartitionsDefinition] = {
    name: dg.StaticPartitionsDefinition(list(collection.divisions)) for name, collection in COLLECTIONS.items()
}

# NCBI keeps GenBank's days for about 180 days and RefSeq's for four weeks; older partitions were made in their time.
FIRST_DAY = "2026-01-01"
# NCBI's files appear in the morning of its own time zone.
TIMEZONE = "America/New_York"
DAYS = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, timezone=TIMEZONE, end_offset=1)
