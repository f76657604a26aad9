"""External assets for NCBI's releases, and observations of them.

They are never materialized; release sensors and ``raw_files`` report observations. Fetching belongs to ``stages``.
See https://docs.dagster.io/guides/build/assets/external-assets
"""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from genbank_assets.ncbi.catalog import COLLECTIONS, Collection
from genbank_assets.ncbi.poll import ReleaseState
from genbank_assets.release_facts import date_of
from genbank_assets.store import PartitionRelease

RELEASE_TAG = "ncbi/release"  # run tag: the run uses exactly this release


def release_key(collection: Collection) -> dg.AssetKey:
    """Return ``ncbi/genbank_release`` or ``ncbi/refseq_release``."""
    return dg.AssetKey(["ncbi", f"{collection.name}_release"])


def build_releases(collections: Iterable[Collection] = COLLECTIONS.values()) -> list[dg.AssetSpec]:
    """Return one external asset per collection."""
    return [
        dg.AssetSpec(
            release_key(collection),
            group_name="ncbi",
            kinds={"ncbi"},
            owners=["team:genbank-assets"],
            description=(
                f"The current release of {collection.title} on NCBI's server. The release sensor reports number, "
                "date, file count and size; a fetch reports number and date."
            ),
        )
        for collection in collections
    ]


def observed_release(state: ReleaseState, *, collection: Collection) -> dg.AssetObservation:
    """Return the observation of a complete release that was polled."""
    metadata: dict[str, Any] = {"files": state.files}
    metadata |= {"bytes": state.bytes} if state.bytes is not None else {}
    metadata |= {"unknown": "; ".join(state.unknown)} if state.unknown else {}
    return _observation(collection, number=state.number, date=state.date, metadata=metadata)


def fetched_release(partition: PartitionRelease, *, collection: Collection) -> dg.AssetObservation:
    """Return the observation of a release that was fetched."""
    raw = partition.manifest("raw_files")
    date = str(raw.extra.get("release_date") or "") if raw is not None else ""
    return _observation(collection, number=partition.release, date=date, metadata={})


def _observation(collection: Collection, *, number: str, date: str, metadata: dict[str, Any]) -> dg.AssetObservation:
    day = date_of(date)
    return dg.AssetObservation(
        asset_key=release_key(collection),
        metadata={"release": number, **({"release_date": day.isoformat()} if day else {}), **metadata},
        tags={"dagster/data_version": number},
    )
