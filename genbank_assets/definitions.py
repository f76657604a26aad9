"""The graph's table of contents: what Dagster loads.

``build_defs`` puts the parts together and lets tests replace any of them; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_aws.s3 import S3Resource

from genbank_assets.defs.alerts import build_alert_sensors
from genbank_assets.defs.checks import build_checks
from genbank_assets.defs.daily import build_daily, build_daily_jobs, build_daily_schedules
from genbank_assets.defs.jobs import build_jobs
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.defs.sensors import build_sensors
from genbank_assets.defs.stages import build_stages
from genbank_assets.defs.taxonomy import taxa_resolve, taxonomy, taxonomy_schedule, update_taxonomy
from genbank_assets.defs.upstream import build_releases
from genbank_assets.ncbi.catalog import COLLECTIONS


def build_defs(*, resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """A fresh set of definitions; ``resources`` replace those of the same name."""
    return dg.Definitions(
        assets=[
            *build_releases(),
            taxonomy,
            *(asset for c in COLLECTIONS.values() for asset in build_stages(c)),
            *build_daily(),
        ],
        asset_checks=[*(check for c in COLLECTIONS.values() for check in build_checks(c)), taxa_resolve],
        jobs=[*build_jobs(), *build_daily_jobs(), update_taxonomy],
        schedules=[*build_daily_schedules(), taxonomy_schedule],
        sensors=[*build_sensors(), *build_alert_sensors()],
        # A run is a process already; one more per step would cost seconds each and isolate nothing that matters.
        executor=dg.in_process_executor,
        resources={"mirror": MirrorResource(), "s3": S3Resource(), **(resources or {})},
    )


defs = build_defs()
