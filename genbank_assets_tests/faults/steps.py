"""One step of the scenario in its own process, run like Dagster's assets; this is what the fault suite kills.

``python -m genbank_assets_tests.faults.steps STEP``: ``release``, ``prune``, ``refused`` (the source offers an older
release), ``tables`` (derived tables, and their publication), ``verify``, or a day such as ``2026-09-02``. Prints
``begun`` after all imports and ``stage NAME`` before each stage. Exits with 3 and a message after an error of the
package; any other error is a traceback, which the suite counts as a failure.
"""

from __future__ import annotations

import datetime as dt
import functools
import sys
from collections.abc import Callable
from typing import Any

from genbank_assets.errors import GenbankAssetsError, ReleaseError
from genbank_assets.lineage.store_check import verify_store
from genbank_assets.locks import exclusive
from genbank_assets.ncbi.catalog import GENBANK
from genbank_assets.ncbi.daily import daily_partition, fetch_daily
from genbank_assets.ncbi.fetch import fetch_division
from genbank_assets.objects.prune import prune_objects
from genbank_assets.objects.publish import publish_division
from genbank_assets.postgres.connection import open_database
from genbank_assets.postgres.daily import apply_day
from genbank_assets.postgres.load import load_division
from genbank_assets.postgres.preflight import compared_totals
from genbank_assets.settings import Settings, settings_from_environment
from genbank_assets.store import PartitionKey, PartitionRelease, current_release
from genbank_assets.table_set.prune import prune_tables
from genbank_assets.table_set.publish import publish_tables
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.derived import build_derived
from genbank_assets.tables.records import build_records

SECTIONS = ("bct", "vrl")
FAILED = 3
# The stages of a step, in the order in which it prints them.
_NAMES = ("raw_files", "records", "unique_records", "postgres_table", "object_set")
STAGES = {
    "release": tuple(f"{section} {name}" for section in SECTIONS for name in _NAMES),
    "refused": tuple(f"{section} raw_files" for section in SECTIONS),
    "prune": ("prune",),
    "tables": tuple(f"{section} {name}" for section in SECTIONS for name in ("samples", "cds", "table_set")),
}
DAY_STAGES = tuple(f"daily {name}" for name in _NAMES)
Stage = Callable[..., Any]
say = functools.partial(print, flush=True)


def release(settings: Settings) -> None:
    """Run all five stages of both divisions, each under the division's lock."""
    for section in SECTIONS:
        key = PartitionKey("genbank", section)
        found: list[PartitionRelease] = []

        def fetch(key: PartitionKey = key, found: list[PartitionRelease] = found, **options: Any) -> None:
            manifest = fetch_division(key, **options)
            found.append(PartitionRelease(settings.store, key, manifest.release))

        _alone(settings, key, "raw_files", fetch)
        stages = (build_records, build_unique_records, load_division, publish_division)
        for name, stage in zip(_NAMES[1:], stages, strict=True):
            _alone(settings, key, name, stage, found[0])


def day(settings: Settings, wanted: dt.date) -> None:
    """Run all five stages of a daily update."""
    partition = daily_partition(settings, collection=GENBANK, day=wanted)
    _alone(settings, partition.key, "raw_files", lambda **options: fetch_daily(GENBANK, day=wanted, **options))
    stages = (build_records, build_unique_records, apply_day, publish_division)
    for name, stage in zip(_NAMES[1:], stages, strict=True):
        _alone(settings, partition.key, name, stage, partition)


def refused(settings: Settings) -> None:
    """Check that a source with an older release does not change the store."""
    for section in SECTIONS:
        key = PartitionKey("genbank", section)
        try:
            _alone(settings, key, "raw_files", functools.partial(fetch_division, key))
        except ReleaseError as error:
            if "is here already: nothing was fetched" not in str(error):
                raise
        else:
            raise AssertionError(f"{key}: an older release was taken")


def tables(settings: Settings) -> None:
    """Build the derived tables of both divisions, publish all tables to the bucket, and prune it."""
    for section in SECTIONS:
        key = PartitionKey("genbank", section)
        partition = current_release(settings.store, key=key, stage="unique_records")
        assert partition is not None
        for name in ("samples", "cds"):
            _alone(settings, key, name, functools.partial(build_derived, partition, stage=name))
        _alone(settings, key, "table_set", functools.partial(publish_tables, key=key))
    prune_tables(settings, older_than=dt.timedelta(seconds=-900), progress=say)


def verify(settings: Settings) -> None:
    """Verify everything: bytes against manifests, the database and the set against the tables."""
    problems = [str(problem) for problem in verify_store(settings, sample=20).problems]
    with open_database(settings) as database, database.transaction() as session:
        for section in SECTIONS:
            partition = current_release(settings.store, key=PartitionKey("genbank", section), stage="postgres_table")
            if partition is None or not compared_totals(session, partition).agree:
                problems.append(f"{section}: the database does not hold what the tables hold")
    if problems:
        raise AssertionError(problems)


def prune(settings: Settings) -> None:
    """Delete what no manifest lists, regardless of age."""
    say("stage prune")
    prune_objects(settings, older_than=dt.timedelta(seconds=-900), progress=say)


def _alone(settings: Settings, key: PartitionKey, name: str, stage: Stage, *arguments: PartitionRelease) -> None:
    say(f"stage {key.division} {name}")
    options: dict[str, Any] = {"progress": say, "run_id": "faults"}
    with exclusive(settings, str(key), **options):
        stage(*arguments, settings=settings, **options)


def main() -> int:
    """Run the step named on the command line."""
    settings = settings_from_environment()
    steps = {"release": release, "prune": prune, "refused": refused, "tables": tables, "verify": verify}
    say("begun")
    try:
        if sys.argv[1] in steps:
            steps[sys.argv[1]](settings)
        else:
            day(settings, dt.date.fromisoformat(sys.argv[1]))
    except GenbankAssetsError as error:
        say(f"{type(error).__name__}: {error}")
        return FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
