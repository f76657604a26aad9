"""A store that was moved, or is mounted elsewhere: its object set, which lies within it, is the same."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pyarrow.parquet as pq

from genbank_assets.lineage.trace import trace
from genbank_assets.lookup.fetch import fetch
from genbank_assets.ncbi.fetch import fetch_division
from genbank_assets.objects.publish import publish_division
from genbank_assets.objects.verify import verify_objects
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease, Stage
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.records import build_records
from genbank_assets.tables.unique_tables import memberships_table
from genbank_assets_tests.integration.test_mirror import mirror
from genbank_assets_tests.paths import SAMPLE

PHG = PartitionKey("genbank", "phg")


def test_objects_of_a_store_that_was_moved_are_found_where_they_are_now(settings: Settings, tmp_path: Path) -> None:
    before = dataclasses.replace(settings, source=SAMPLE.as_uri())
    release = mirror(PHG, before)[-1].release
    moved = dataclasses.replace(before, store=tmp_path / "elsewhere" / "mirror")
    moved.store.parent.mkdir()
    shutil.move(before.store, moved.store)
    partition = PartitionRelease(moved.store, PHG, release)

    found = verify_objects(moved)
    assert (found.partitions, found.problems) == (1, ())
    lines: list[str] = []
    publish_division(partition, settings=moved, progress=lines.append, run_id="again")
    assert lines == ["nothing changed: every object and the manifest are in place"]
    accession = str(pq.read_table(memberships_table(partition))["accession"][0])
    (found_again,) = trace(moved, accession, verify=True)
    hop = next(hop for hop in found_again.hops if hop.stage == "object")
    assert (hop.status, hop.facts["url"]) == ("ok", moved.objects_url)
    assert b">" in b"".join(fetch(moved, accession))


def test_another_set_is_not_taken_for_the_one_within_the_store(settings: Settings, tmp_path: Path) -> None:
    elsewhere = dataclasses.replace(settings, source=SAMPLE.as_uri(), objects=(tmp_path / "set").as_uri())
    mirror(PHG, elsewhere)
    assert verify_objects(elsewhere).partitions == 1
    assert verify_objects(dataclasses.replace(elsewhere, objects=f"{elsewhere.objects}/")).partitions == 1
    assert verify_objects(dataclasses.replace(elsewhere, objects=(tmp_path / "other").as_uri())).partitions == 0


def test_two_stores_of_one_release_have_the_same_digests_and_may_share_a_set(
    settings: Settings, tmp_path: Path
) -> None:
    ours = dataclasses.replace(settings, source=SAMPLE.as_uri(), objects=(tmp_path / "set").as_uri())
    theirs = dataclasses.replace(ours, store=tmp_path / "theirs")
    found = []
    for one in (ours, theirs):
        release = fetch_division(PHG, settings=one, progress=print, run_id=str(one.store)).release
        partition = PartitionRelease(one.store, PHG, release)
        for stage in (build_records, build_unique_records, publish_division):
            stage(partition, settings=one, progress=print, run_id=str(one.store))
        stages: tuple[Stage, ...] = ("raw_files", "records", "unique_records", "object_set")
        found.append(
            {stage: manifest.digest for stage in stages if (manifest := partition.manifest(stage)) is not None}
        )
        assert len(found[-1]) == 4
    assert found[0] == found[1]
    assert [verify_objects(one).problems for one in (ours, theirs)] == [(), ()]
