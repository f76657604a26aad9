"""A division's whole way through the five stages, twice: totals, states, re-runs, kills, guards."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from genbank_assets.errors import ReleaseFlippedError, ShrinkGuardError
from genbank_assets.lineage.trace import trace
from genbank_assets.lookup.fetch import fetch
from genbank_assets.lookup.records import find_record
from genbank_assets.lookup.text import original_text
from genbank_assets.ncbi.fetch import fetch_division
from genbank_assets.objects.publish import publish_division
from genbank_assets.postgres.connection import open_database
from genbank_assets.postgres.load import load_division
from genbank_assets.postgres.lookup import changes
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.records import build_records
from genbank_assets_tests.paths import MIRROR_273, MIRROR_274, SAMPLE, SHARED


def mirror(key: PartitionKey, settings: Settings, *, stages: int = 5) -> list[Manifest]:
    """Run the first stages of a partition; returns their manifests."""
    lines: list[str] = []
    found = [fetch_division(key, settings=settings, progress=lines.append, run_id="test")]
    partition = PartitionRelease(settings.store, key, found[0].release)
    for stage in (build_records, build_unique_records, load_division, publish_division)[: stages - 1]:
        found.append(stage(partition, settings=settings, progress=lines.append, run_id="test"))
    return found


def loaded_totals(settings: Settings, key: PartitionKey) -> tuple[int, int, int, str]:
    """Records, residues, distinct sequences and the XOR of their digests, as PostgreSQL has them."""
    where = "WHERE collection = %s AND section = %s AND is_current"
    with open_database(settings) as database, database.transaction() as session:
        records, residues = session.execute(
            f"SELECT count(*), coalesce(sum(length), 0)::bigint FROM genbank.record {where}",
            [key.collection, key.division],
        )[0]
        digests = session.execute(
            f"SELECT DISTINCT sequence_sha256 FROM genbank.record {where} AND sequence_sha256 IS NOT NULL",
            [key.collection, key.division],
        )
    xor = 0
    for (digest,) in digests:
        xor ^= int.from_bytes(digest, "big")
    return records, residues, len(digests), f"{xor:064x}"


def expected() -> dict:
    return json.loads((SHARED / "mirror" / "EXPECTED.json").read_text())


@pytest.mark.parametrize("division", ["bct", "con", "phg", "pln", "vrl"])
def test_totals_of_a_genbank_division_are_exact_everywhere(settings: Settings, mirror_274: str, division: str) -> None:
    settings = dataclasses.replace(settings, source=mirror_274)
    key = PartitionKey("genbank", division)
    _, records, unique, loaded, objects = mirror(key, settings)
    want = expected()["274"]["genbank"][division]
    assert (records.report.records, records.report.residues) == (want["records"], want["bases"])
    assert records.report.features == want["features"]
    assert unique.report.distinct_sequences == objects.report.objects == want["distinct_sequences"]
    assert loaded.report.rows_loaded == want["records"]
    assert loaded_totals(settings, key) == (
        want["records"], want["bases"], want["distinct_sequences"], want["sequence_sha256_xor"],
    )  # fmt: skip


def test_a_second_run_does_no_work(settings: Settings, mirror_274: str) -> None:
    settings = dataclasses.replace(settings, source=mirror_274)
    first = mirror(PartitionKey("genbank", "phg"), settings)
    second = mirror(PartitionKey("genbank", "phg"), settings)
    assert [m.digest for m in first] == [m.digest for m in second]
    assert [m.report.files_now for m in second] == [0, 0, 0, 0, 0]
    assert second[3].report.rows_copied == 0
    assert second[4].report.objects_put == 0


@pytest.mark.slow
def test_states_of_the_next_release_are_the_known_fates(settings: Settings, mirror_273: str, mirror_274: str) -> None:
    want = expected()
    keys = sorted(
        {PartitionKey(c, d) for r in ("273", "274") for c in ("genbank", "refseq") for d in want[r][c]}
        - {PartitionKey("refseq", "vertebrate_mammalian"), PartitionKey("refseq", "bacteria")}
    )
    for source in (mirror_273, mirror_274):
        for key in keys:
            mirror(key, dataclasses.replace(settings, source=source), stages=4)
    for state, accessions in want["274"]["fates"].items():
        found = {
            row["accession"]
            for release in ("274.0", "238")
            for row in changes(settings, release=release)
            if row["state"] == state
        }
        assert found <= set(accessions), state
        assert len(found) > 0 or state in {"same", "sequence_changed"}


def test_absent_records_beyond_the_limit_stop_the_load(settings: Settings, mirror_274: str, tmp_path: Path) -> None:
    key = PartitionKey("genbank", "vrl")
    mirror(key, dataclasses.replace(settings, source=mirror_274), stages=4)
    before = loaded_totals(settings, key)
    smaller = shrunken_mirror(tmp_path / "275", keep=20)
    settings = dataclasses.replace(settings, source=smaller.as_uri())
    with pytest.raises(ShrinkGuardError, match=r"lacks 29 of 49 loaded records .*--max-absent-fraction"):
        mirror(key, settings, stages=4)
    assert loaded_totals(settings, key) == before
    allowed = dataclasses.replace(settings, max_absent_fraction=0.7)
    loaded = mirror(key, allowed, stages=4)[3]
    assert (loaded.report.rows_loaded, loaded.report.records_absent) == (20, 29)


def shrunken_mirror(folder: Path, *, keep: int) -> Path:
    """Release 275 whose vrl division has only the first records of 274's."""
    shutil.copytree(MIRROR_274, folder, copy_function=shutil.copyfile)
    path = folder / "genbank" / "gbvrl1.seq.gz"
    text = gzip.decompress(path.read_bytes()).replace(b"Release 274.0", b"Release 275.0")
    head, *records = text.split(b"LOCUS   ")
    kept = b"LOCUS   ".join([head.replace(b"49 loci", f"{keep:2} loci".encode()), *records[:keep]])
    kept = kept.replace(b"432047 bases", b"     0 bases")
    path.write_bytes(gzip.compress(kept))
    (folder / "genbank" / "GB_Release_Number").write_text("275.0\n")
    notes = (folder / "genbank" / "gbrel.txt").read_text().replace("274.0", "275.0")
    notes = "\n".join(line for line in notes.splitlines() if not line.startswith("VRL1"))
    (folder / "genbank" / "gbrel.txt").write_text(notes)
    return folder


def test_a_release_that_flips_is_discarded(settings: Settings, mirror_274: str, tmp_path: Path) -> None:
    folder = tmp_path / "source"
    shutil.copytree(MIRROR_273, folder, copy_function=shutil.copyfile)
    settings = dataclasses.replace(settings, source=folder.as_uri())

    def flip(line: str) -> None:
        if "verified" in line:
            (folder / "genbank" / "GB_Release_Number").write_text("274.0\n")

    key = PartitionKey("genbank", "phg")
    with pytest.raises(ReleaseFlippedError, match="replaced by 274"):
        fetch_division(key, settings=settings, progress=flip, run_id="test")
    assert PartitionRelease(settings.store, key, "273.0").manifest("raw_files") is None


@pytest.mark.slow
@pytest.mark.parametrize("delay_seconds", [0.7, 1.0, 1.3, 1.6, 2.0])
def test_a_kill_at_any_moment_changes_nothing_in_the_end(
    settings: Settings, mirror_274: str, delay_seconds: float
) -> None:
    key = PartitionKey("genbank", "bct")
    environment = os.environ | {
        "GENBANK_ASSETS_SOURCE": mirror_274,
        "GENBANK_ASSETS_STORE": str(settings.store),
        "GENBANK_ASSETS_POSTGRES_URL": settings.postgres_url or "",
    }
    script = (
        "from genbank_assets.settings import settings_from_environment as s\n"
        "from genbank_assets.store import PartitionKey\n"
        "from genbank_assets_tests.integration.test_mirror import mirror\n"
        "if __name__ == '__main__': mirror(PartitionKey('genbank', 'bct'), s())\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], env=environment, start_new_session=True)
    time.sleep(delay_seconds)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    settings = dataclasses.replace(settings, source=mirror_274)
    manifests = mirror(key, settings)
    want = expected()["274"]["genbank"]["bct"]
    assert loaded_totals(settings, key)[0] == manifests[1].report.records == want["records"]
    assert loaded_totals(settings, key)[3] == want["sequence_sha256_xor"]
    assert manifests[4].report.objects == want["distinct_sequences"]


def test_a_record_can_be_traced_and_read_back(settings: Settings) -> None:
    settings = dataclasses.replace(settings, source=SAMPLE.as_uri())
    mirror(PartitionKey("refseq", "viral"), settings)
    (found,) = trace(settings, "NC_001422", verify=True)
    assert found.ok
    assert [hop.stage for hop in found.hops] == [
        "raw file", "record text", "table row", "sequence", "database row", "object",
    ]  # fmt: skip
    text = b"".join(original_text(find_record(settings, "NC_001422.1")[0]))
    assert text.startswith(b"LOCUS       NC_001422")
    assert text.endswith(b"//\n")
    whole = b"".join(fetch(settings, "NC_001422", format_="raw"))
    assert len(whole) == 5386
    assert b"".join(fetch(settings, "NC_001422", format_="raw", start=11, end=20)) == whole[10:20]


def test_a_changed_object_is_a_mismatch(settings: Settings) -> None:
    settings = dataclasses.replace(settings, source=SAMPLE.as_uri())
    mirror(PartitionKey("refseq", "viral"), settings)
    (found,) = trace(settings, "NC_001422")
    (settings.store / "objects" / found.hops[-1].facts["key"]).write_bytes(b"ACGT")
    (found,) = trace(settings, "NC_001422")
    assert (found.hops[-1].status, found.ok) == ("mismatch", False)


def test_the_record_table_reads_back_through_polars(settings: Settings) -> None:
    settings = dataclasses.replace(settings, source=SAMPLE.as_uri())
    _, records = mirror(PartitionKey("refseq", "plastid"), settings, stages=2)
    folder = PartitionRelease(settings.store, PartitionKey("refseq", "plastid"), "1").files_folder("records")
    frame = pl.read_parquet(folder / records.files[0]["records_file"])
    assert frame["organism"].to_list() == ["Arabidopsis thaliana"]
    assert frame["features"].list.len().to_list() == [records.report.features]
