"""Helpers shared by all assets that are partitioned by division: decorator, settings, lock, and choice of release.

An asset uses the newest release whose input is published, or the one in its run's tag, and holds its division's lock
while it runs. The assets themselves belong to ``stages`` and its siblings.
See https://docs.dagster.io/guides/build/partitions-and-backfills/partitioning-assets
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg

from genbank_assets.defs.failures import failures
from genbank_assets.defs.metadata import progress_of
from genbank_assets.defs.partitions import DIVISIONS
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.defs.upstream import RELEASE_TAG
from genbank_assets.errors import NotFoundError
from genbank_assets.locks import exclusive
from genbank_assets.ncbi.catalog import Collection
from genbank_assets.release_facts import same_number
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease, Stage, current_release, releases_in_store

OWNERS = ["team:genbank-assets"]


def division_asset(
    collection: Collection, name: str, *, group: str | None = None, **options: Any
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Return the decorator of the asset ``COLLECTION/NAME`` with one partition per division.

    Args:
        collection: the collection.
        name: name of a stage or of another asset.
        group: asset group; the collection's name by default.
        options: other arguments of ``dg.asset``.
    """
    decorator: Callable[[Callable[..., Any]], dg.AssetsDefinition] = dg.asset(
        key=dg.AssetKey([collection.name, name]),
        partitions_def=DIVISIONS[collection.name],
        group_name=group or collection.name,
        owners=OWNERS,
        **options,
    )
    return decorator


def latest(settings: Settings, key: PartitionKey, stage: Stage, *, release: str | None = None) -> PartitionRelease:
    """Return the newest release of a division whose ``stage`` is published, or the given one.

    Raises:
        NotFoundError: no such release has the stage.
    """
    if release is not None:
        for partition in releases_in_store(settings.store, key=key, stage=stage):
            if same_number(partition.release, release):
                return partition
        raise NotFoundError(f"{key}: release {release} has no {stage} yet; materialize it first")
    newest = current_release(settings.store, key=key, stage=stage)
    if newest is None:
        raise NotFoundError(f"{key}: no release has {stage} yet; materialize it first")
    return newest


def wanted_release(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> str | None:
    """Return the release in the run's tag; None means the current one."""
    return context.run.tags.get(RELEASE_TAG)


@contextlib.contextmanager
def locked_division(
    context: dg.AssetExecutionContext, collection: Collection, mirror: MirrorResource, **overrides: Any
) -> Iterator[tuple[PartitionKey, dict[str, Any]]]:
    """Lock a division, and give its key and the arguments of every stage; errors of the core become failures."""
    with failures(context):
        settings = mirror.settings(**overrides)
        key = PartitionKey(collection.name, context.partition_key)
        options: dict[str, Any] = {
            "settings": settings,
            "progress": progress_of(context),
            "run_id": context.run.run_id,
        }
        with exclusive(settings, str(key), progress=options["progress"], run_id=options["run_id"]):
            yield key, options
