"""One step of the scenario in a process of its own, as Dagster's assets do it: what the fault suite kills.

``python -m genbank_assets_tests.faults.steps STEP``: ``release``, ``prune``, or a day such as ``2026-09-02``. It prints
``begun`` when everything is imported. Ends with 3 and a sentence after an error of the package; anything else is a
traceback, which the suite counts as a failure.
"""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable
from typing import Any

from genbank_assets.errors import GenbankAssetsError
from genbank_assets.locks import exclusive
from genbank_assets.ncbi.catalog import GENBANK
from genbank_assets.ncbi.daily import daily_partition, fetch_daily
from genbank_assets.ncbi.fetch import fetch_division
from genbank_assets.objects.prune import prune_objects
from genbank_assets.objects.publish import publish_division
from genbank_assets.postgres.daily import apply_day
from genbank_assets.postgres.load import load_division
from genbank_assets.settings import Settings, settings_from_environment
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.records import build_records

SECTIONS = ("bct", "vrl")
FAILED = 3
Stage = Callable[..., Any]


def release(settings: Settings) -> None:
    """All five stages of both divisions, each under the division's lock."""
    for section in SECTIONS:
        key = PartitionKey("genbank", section)
        found: list[PartitionRelease] = []

        def fetch(key: PartitionKey = key, found: list[PartitionRelease] = found, **options: Any) -> None:
            manifest = fetch_division(key, **options)
            found.append(PartitionRelease(settings.store, key, manifest.release))

        _alone(settings, key, fetch)
        for stage in (build_records, build_unique_records, load_division, publish_division):
            _alone(settings, key, stage, found[0])


def day(settings: Settings, wanted: dt.date) -> None:
    """All five stages of a daily update."""
    partition = daily_partition(settings, collection=GENBANK, day=wanted)
    _alone(settings, partition.key, lambda **options: fetch_daily(GENBANK, day=wanted, **options))
    for stage in (build_records, build_unique_records, apply_day, publish_division):
        _alone(settings, partition.key, stage, partition)


def prune(settings: Settings) -> None:
    """What no manifest lists, however new."""
    prune_objects(settings, older_than=dt.timedelta(seconds=-900), progress=print)


def _alone(settings: Settings, key: PartitionKey, stage: Stage, *arguments: PartitionRelease) -> None:
    options: dict[str, Any] = {"progress": print, "run_id": "faults"}
    with exclusive(settings, str(key), **options):
        stage(*arguments, settings=settings, **options)


def main() -> int:
    """Run the step that the command line names."""
    settings = settings_from_environment()
    print("begun", flush=True)
    try:
        if sys.argv[1] == "release":
            release(settings)
        elif sys.argv[1] == "prune":
            prune(settings)
        else:
            day(settings, dt.date.fromisoformat(sys.argv[1]))
    except GenbankAssetsError as error:
        print(f"{type(error).__name__}: {error}", flush=True)
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
