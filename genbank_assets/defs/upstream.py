"""External assets: the releases as NCBI publishes them.

Nothing here materializes them; the release sensors report what they saw. Fetching belongs to ``raw_files``.
See https://docs.dagster.io/guides/build/assets/external-assets
"""

import dagster as dg

from genbank_assets.ncbi.catalog import COLLECTIONS, Collection


def release_key(collection: Collection) -> dg.AssetKey:
    """``ncbi/genbank_release``, ``ncbi/refseq_release``."""
    return dg.AssetKey(["ncbi", f"{collection.name}_release"])


def build_releases() -> list[dg.AssetSpec]:
    """One external asset per collection."""
    return [
        dg.AssetSpec(
            release_key(collection),
            group_name="ncbi",
            kinds={"ncbi"},
            owners=["team:genbank-assets"],
            description=(
                f"{collection.title}'s current release on NCBI's server: its number, date, file count and bytes, "
                "as the release sensor last saw it."
            ),
        )
        for collection in COLLECTIONS.values()
    ]
