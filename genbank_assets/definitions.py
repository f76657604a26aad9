"""The Dagster code location: assembles assets, checks, jobs, schedules, sensors and resources.

``build_defs`` combines the parts and lets callers replace resources; the parts themselves are defined in ``defs``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from genbank_assets.defs.alerts import build_alert_sensors
from genbank_assets.defs.automation import build_automation_sensors
from genbank_assets.defs.blast import build_blast_asset, build_blast_checks, build_blast_job
from genbank_assets.defs.bundle import bundle_is_whole, bundle_tables, table_bundle
from genbank_assets.defs.canary import canary, canary_schedule
from genbank_assets.defs.catalog import catalog, counts_of_the_manifests, update_catalog
from genbank_assets.defs.checks import build_checks, build_day_checks
from genbank_assets.defs.daily import build_daily, build_daily_jobs, build_daily_schedules
from genbank_assets.defs.derived import build_derived_assets, build_derived_checks, build_derived_job
from genbank_assets.defs.extraction import extract_job
from genbank_assets.defs.jobs import build_mirror_jobs, trace_record
from genbank_assets.defs.metadata import with_code_references
from genbank_assets.defs.resources import MirrorResource, QuietS3Resource
from genbank_assets.defs.sensors import build_sensors
from genbank_assets.defs.stages import build_stages
from genbank_assets.defs.table_set import build_table_set, build_table_set_check, build_table_set_job
from genbank_assets.defs.taxonomy import taxa_resolve, taxonomy, taxonomy_schedule, update_taxonomy
from genbank_assets.defs.upstream import build_releases
from genbank_assets.ncbi.catalog import COLLECTIONS, Collection


def build_defs(*, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Return a fresh set of definitions; the environment is read when a run or tick begins, not at import.

    Args:
        resources: replacements for the resources ``mirror`` and ``s3``.
    """
    both_collections = dg.Definitions(
        assets=with_code_references([catalog, table_bundle]),
        asset_checks=[counts_of_the_manifests, bundle_is_whole],
        jobs=[update_catalog, bundle_tables],
        # Each run already has its own process; a process per step would add seconds to every step for no isolation.
        executor=dg.in_process_executor,
        resources={"mirror": MirrorResource(), "s3": QuietS3Resource(), **(resources or {})},
    )
    collections = (build_collection_defs(collection) for collection in COLLECTIONS.values())
    return dg.Definitions.merge(both_collections, build_shared_defs(), *collections)


def build_shared_defs() -> dg.Definitions:
    """Return the definitions that a project needs once, whether it has one collection or both.

    These are the taxonomy, the alert sensors, and the jobs ``trace_record``, ``extract`` and ``canary``. The
    definitions they are merged with must provide the resource ``mirror``.
    """
    return dg.Definitions(
        assets=with_code_references([taxonomy]),
        asset_checks=[taxa_resolve],
        jobs=[trace_record, extract_job, update_taxonomy, canary],
        schedules=[taxonomy_schedule, canary_schedule],
        sensors=build_alert_sensors(),
    )


def build_collection_defs(collection: Collection, *, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Return the definitions of one collection.

    Args:
        collection: GenBank or RefSeq.
        resources: ``mirror`` and ``s3``; None if the definitions it is merged with provide them.
    """
    return dg.Definitions(
        assets=with_code_references(
            [
                *build_releases([collection]),
                *build_stages(collection),
                *build_derived_assets(collection),
                build_blast_asset(collection),
                build_table_set(collection),
                *build_daily([collection]),
            ]
        ),
        asset_checks=[
            *build_checks(collection),
            *build_derived_checks(collection),
            *build_blast_checks(collection),
            build_table_set_check(collection),
            *build_day_checks(collection),
        ],
        jobs=[
            *build_mirror_jobs([collection]),
            *build_daily_jobs([collection]),
            build_derived_job(collection),
            build_blast_job(collection),
            build_table_set_job(collection),
        ],
        schedules=build_daily_schedules([collection]),
        sensors=[*build_sensors([collection]), *build_automation_sensors([collection])],
        resources=resources,
    )


defs = build_defs()
