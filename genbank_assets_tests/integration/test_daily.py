"""Daily updates on top of releases: what they change, in whatever order, and what the next release makes of them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import re
import shutil
import threading
import time
from pathlib import Path

import dagster as dg
import pytest

from genbank_assets.definitions import build_defs
from genbank_assets.defs.checks import DAY_CHECKS
from genbank_assets.defs.findings import day_totals
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.errors import DatabaseError, NotFoundError, ReleaseError
from genbank_assets.file_lock import file_lock
from genbank_assets.lineage.trace import trace
from genbank_assets.lookup.fetch import fetch
from genbank_assets.ncbi.catalog import GENBANK, REFSEQ, Collection
from genbank_assets.ncbi.daily import daily_partition, fetch_daily
from genbank_assets.objects.publish import publish_division
from genbank_assets.postgres.connection import open_database
from genbank_assets.postgres.daily import apply_day
from genbank_assets.postgres.lookup import changes
from genbank_assets.settings import Settings
from genbank_assets.store import STAGES, Manifest, PartitionKey
from genbank_assets.tables.dedup import build_unique_records
from genbank_assets.tables.records import build_records
from genbank_assets_tests.defs.test_runs import QUIET
from genbank_assets_tests.fix_ncbi import FtpMirror, HttpMirror
from genbank_assets_tests.fix_postgres import Divisions
from genbank_assets_tests.integration.test_mirror import mirror
from genbank_assets_tests.paths import SAMPLE

VRL = PartitionKey("genbank", "vrl")
PHG = PartitionKey("genbank", "phg")


def records_of(path: Path) -> list[str]:
    text = gzip.decompress(path.read_bytes()).decode("latin-1")
    return [block + "//\n" for block in text[text.index("LOCUS") :].split("\n//\n")[:-1] for block in [block + "\n"]]


VIRAL = records_of(SAMPLE / "genbank" / "gbvrl1.seq.gz")
PHAGE = records_of(SAMPLE / "genbank" / "gbphg1.seq.gz")


def accession(record: str) -> str:
    found = re.search(r"^ACCESSION +(\S+)", record, re.MULTILINE)
    assert found is not None
    return found[1]


def annotated(record: str, word: str) -> str:
    return re.sub(r"^DEFINITION  ", f"DEFINITION  {word} ", record, count=1, flags=re.MULTILINE)


def with_new_sequence(record: str) -> str:
    """The next version of a record: its first residue is another."""
    version = re.search(r"^VERSION +\S+\.(\d+)", record, re.MULTILINE)
    assert version is not None
    record = re.sub(r"^(VERSION +\S+\.)\d+", rf"\g<1>{int(version[1]) + 1}", record, count=1, flags=re.MULTILINE)
    head, origin = record.split("\nORIGIN", 1)
    first = re.search(r"\n +1 +([a-zA-Z])", origin)
    assert first is not None
    at = first.start(1)
    return f"{head}\nORIGIN{origin[:at]}{'t' if origin[at] != 't' else 'a'}{origin[at + 1 :]}"


def renamed(record: str, name: str) -> str:
    return record.replace(accession(record), name)


class Ncbi:
    """A source made of records, release by release and day by day."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "genbank" / "daily-nc").mkdir(parents=True)

    def release(self, number: str, date: str, **divisions: list[str]) -> None:
        genbank = self.folder / "genbank"
        for old in genbank.glob("*.seq.gz"):
            old.unlink()
        (genbank / "GB_Release_Number").write_text(f"{number}\n")
        lines = [f"{'':25}{date}", "", f"                NCBI-GenBank Flat File Release {number}", ""]
        for place, (division, records) in enumerate(divisions.items(), start=1):
            lines.append(f"{place}. gb{division}1.seq - sequences, part 1.")
            (genbank / f"gb{division}1.seq.gz").write_bytes(gzip.compress("".join(records).encode("latin-1")))
        (genbank / "gbrel.txt").write_text("\n".join(lines) + "\n")

    def day(self, day: dt.date, *records: str) -> None:
        path = self.folder / "genbank" / "daily-nc" / f"nc{day:%m%d}.flat.gz"
        path.write_bytes(gzip.compress("".join(records).encode("latin-1")))


@pytest.fixture
def ncbi(tmp_path: Path) -> Ncbi:
    made = Ncbi(tmp_path / "ncbi")
    made.release("1.0", "August 15 2026", vrl=VIRAL[:5], phg=PHAGE)
    return made


@pytest.fixture
def mirrored(settings: Settings, ncbi: Ncbi) -> Settings:
    settings = dataclasses.replace(settings, source=ncbi.folder.as_uri())
    mirror(VRL, settings)
    mirror(PHG, settings)
    return settings


def apply(settings: Settings, day: dt.date, collection: Collection = GENBANK) -> Manifest:
    partition = daily_partition(settings, collection=collection, day=day)
    lines: list[str] = []
    options = {"settings": settings, "progress": lines.append, "run_id": "daily"}
    fetch_daily(collection, day=day, **options)
    build_records(partition, **options)
    build_unique_records(partition, **options)
    found = apply_day(partition, **options)
    publish_division(partition, **options)
    return found


def loaded(settings: Settings, collection: str = "genbank") -> dict[tuple[str, str], tuple[str, str, bool]]:
    """(division, accession) → definition, last release, and whether it is current."""
    with open_database(settings) as database, database.transaction() as session:
        rows = session.execute(
            "SELECT section, accession, definition, last_release, is_current FROM genbank.record_lineage "
            "WHERE collection = %s",
            [collection],
        )
    return {(row[0], row[1]): (row[2], row[3], row[4]) for row in rows}


DAY = dt.date(2026, 9, 2)
NEXT = dt.date(2026, 9, 3)


def test_a_day_brings_new_and_changed_records(mirrored: Settings, ncbi: Ncbi) -> None:
    new, other = renamed(VIRAL[5], "ZZ000001"), PHAGE[0].replace(" PHG ", " PLN ", 1)
    ncbi.day(DAY, annotated(VIRAL[0], "DAILY"), with_new_sequence(VIRAL[1]), VIRAL[2], new, renamed(other, "ZZ000002"))
    found = apply(mirrored, DAY)
    assert found.extra["states"] == {
        "new": 1, "sequence_changed": 1, "annotation_changed": 1, "unchanged": 1, "returned": 0, "kept": 0,
    }  # fmt: skip
    assert (found.extra["applied"], found.extra["not_mirrored"]) == (4, 1)
    rows = loaded(mirrored)
    definition, last, current = rows["vrl", accession(VIRAL[0])]
    assert definition.startswith("DAILY ")
    assert (last, current) == ("1.0.20260902", True)
    assert ("vrl", "ZZ000001") in rows
    assert not any(name == "ZZ000002" for _, name in rows)
    told = {(c["accession"], c["state"]) for c in changes(mirrored, release="1.0.20260902")}
    assert told == {
        (accession(VIRAL[0]), "annotation_changed"), (accession(VIRAL[1]), "sequence_changed"), ("ZZ000001", "new"),
    }  # fmt: skip
    for name in (accession(VIRAL[0]), accession(VIRAL[1]), "ZZ000001", accession(VIRAL[3]), accession(PHAGE[0])):
        (followed,) = trace(mirrored, name, verify=True)
        assert followed.ok, followed
    assert b"".join(fetch(mirrored, accession(VIRAL[1]), format_="raw")) != b"".join(
        fetch(mirrored, f"{accession(VIRAL[2])}", format_="raw")
    )
    assert trace(mirrored, "ZZ000001")[0].division == "daily"


def test_as_of_a_release_the_days_after_it_are_left_out(mirrored: Settings, ncbi: Ncbi) -> None:
    ncbi.day(DAY, renamed(VIRAL[5], "ZZ000001"))
    apply(mirrored, DAY)
    with open_database(mirrored) as database, database.transaction() as session:
        counts = [
            session.execute("SELECT count(*) FROM genbank.records_as_of('genbank', %s)", [release])[0][0]
            for release in ("1.0", "1.0.20260901", "1.0.20260902")
        ]
    before = len(VIRAL[:5]) + len(PHAGE)
    assert counts == [before, before, before + 1]


def test_a_day_again_changes_nothing(mirrored: Settings, ncbi: Ncbi) -> None:
    ncbi.day(DAY, annotated(VIRAL[0], "DAILY"), renamed(VIRAL[5], "ZZ000001"))
    first = apply(mirrored, DAY)
    before, told = loaded(mirrored), list(changes(mirrored))
    again = apply(mirrored, DAY)
    assert (again.report.files_now, again.extra["states"]) == (0, first.extra["states"])
    assert again.report.rows_copied == len([0, 1])  # the accessions that are looked up
    assert (loaded(mirrored), list(changes(mirrored))) == (before, told)


@pytest.mark.parametrize("order", [(DAY, NEXT), (NEXT, DAY)])
def test_the_later_day_wins_in_any_order(mirrored: Settings, ncbi: Ncbi, order: tuple[dt.date, ...]) -> None:
    ncbi.day(DAY, annotated(VIRAL[0], "FIRST"), renamed(VIRAL[5], "ZZ000001"), annotated(VIRAL[1], "FIRST"))
    ncbi.day(NEXT, annotated(VIRAL[0], "SECOND"))
    for day in order:
        apply(mirrored, day)
    rows = loaded(mirrored)
    assert rows["vrl", accession(VIRAL[0])][:2][0].startswith("SECOND ")
    assert rows["vrl", accession(VIRAL[0])][1] == "1.0.20260903"
    assert rows["vrl", accession(VIRAL[1])][0].startswith("FIRST ")
    assert rows["vrl", "ZZ000001"][2]
    assert trace(mirrored, accession(VIRAL[0]), verify=True)[0].ok


def test_the_next_release_supersedes_the_days_before_it_and_keeps_later_ones(mirrored: Settings, ncbi: Ncbi) -> None:
    ncbi.day(DAY, annotated(VIRAL[0], "FIRST"), renamed(VIRAL[5], "ZZ000001"), renamed(VIRAL[5], "ZZ000003"))
    later = dt.date(2026, 10, 20)
    ncbi.day(later, annotated(VIRAL[1], "LATER"), renamed(VIRAL[5], "ZZ000002"))
    apply(mirrored, DAY)
    apply(mirrored, later)
    # ZZ000003 was withdrawn before the release; the release knows nothing of the later day.
    ncbi.release("2.0", "October 15 2026", vrl=[*VIRAL[:5], renamed(VIRAL[5], "ZZ000001")], phg=PHAGE)
    manifest = mirror(VRL, mirrored)[3]
    rows = loaded(mirrored)
    assert rows["vrl", accession(VIRAL[0])][1] == "2.0"
    assert not rows["vrl", accession(VIRAL[0])][0].startswith("FIRST")
    assert rows["vrl", "ZZ000001"][1:] == ("2.0", True)
    assert rows["vrl", "ZZ000003"][2] is False
    assert rows["vrl", accession(VIRAL[1])][0].startswith("LATER")
    assert rows["vrl", "ZZ000002"][2]
    assert manifest.report.records_absent == 1
    assert manifest.report.rows_loaded == 6
    # Once more, on top of the new release: nothing is left to do but to say so.
    assert apply(mirrored, later).extra["states"]["unchanged"] == 2
    assert apply(mirrored, DAY).extra == {
        "label": "2.0.20260902", "applied": 0, "states": dict.fromkeys(
            ("new", "sequence_changed", "annotation_changed", "unchanged", "returned", "kept"), 0
        ), "not_mirrored": 0, "superseded_by_release": 3, "unplaced": 0,
    }  # fmt: skip
    for name in (accession(VIRAL[0]), accession(VIRAL[1]), "ZZ000001", "ZZ000002"):
        assert trace(mirrored, name, verify=True)[0].ok
    assert mirror(VRL, mirrored)[3].report.files_now == 0


def test_the_shrink_guard_does_not_count_what_only_days_have(mirrored: Settings, ncbi: Ncbi) -> None:
    ncbi.day(dt.date(2026, 10, 20), *(renamed(VIRAL[5], f"ZZ{number:06}") for number in range(40)))
    apply(mirrored, dt.date(2026, 10, 20))
    ncbi.release("2.0", "October 15 2026", vrl=VIRAL[:5], phg=PHAGE)
    assert mirror(VRL, mirrored)[3].report.records_absent == 0


def test_a_day_of_another_year_is_refused(mirrored: Settings, ncbi: Ncbi) -> None:
    ncbi.day(DAY, re.sub(r"\d\d-[A-Z]{3}-\d{4}", "02-SEP-2026", VIRAL[0], count=1))
    with pytest.raises(ReleaseError, match="another year"):
        apply(mirrored, DAY.replace(year=2025))


def test_a_missing_day_is_reported(mirrored: Settings, ncbi: Ncbi) -> None:
    with pytest.raises(NotFoundError, match="no daily update of 2026-09-02"):
        apply(mirrored, DAY)
    ncbi.day(NEXT, VIRAL[0])
    assert apply(mirrored, DAY).extra["applied"] == 0  # NCBI made none that day
    with pytest.raises(NotFoundError, match="may come later"):
        apply(mirrored, dt.date(2026, 9, 4))


def test_days_need_a_release_below_them(settings: Settings, ncbi: Ncbi) -> None:
    ncbi.day(DAY, VIRAL[0])
    with pytest.raises(DatabaseError, match="on top of a full release"):
        apply(dataclasses.replace(settings, source=ncbi.folder.as_uri()), DAY)


def test_a_damaged_block_of_a_day_is_quarantined_and_the_rest_applied(mirrored: Settings, ncbi: Ncbi) -> None:
    broken = VIRAL[3].replace("ORIGIN", "ORIGIN\n        1 acgtacgtac", 1)
    ncbi.day(DAY, annotated(VIRAL[0], "DAILY"), broken)
    assert apply(mirrored, DAY).extra["applied"] == 1
    partition = daily_partition(mirrored, collection=GENBANK, day=DAY)
    records = partition.manifest("records")
    assert records is not None
    assert (records.report.records, records.report.quarantined) == (1, 1)


@pytest.mark.parametrize("kind", ["http_mirror", "ftp_mirror"])
def test_days_come_over_the_network(mirrored: Settings, ncbi: Ncbi, kind: str, request: pytest.FixtureRequest) -> None:
    ncbi.day(DAY, annotated(VIRAL[0], "DAILY"))
    running: HttpMirror | FtpMirror = request.getfixturevalue(kind)
    shutil.copytree(ncbi.folder, running.folder, dirs_exist_ok=True)
    assert apply(dataclasses.replace(mirrored, source=running.url), DAY).extra["applied"] == 1


def test_refseq_days_find_the_sections_that_have_the_record(settings: Settings, tmp_path: Path) -> None:
    dated = tmp_path / "dated"
    shutil.copytree(SAMPLE, dated)
    (dated / "refseq/release/release-notes").mkdir()
    notes = "          August 15, 2026\n\nRefSeq Release 1\n"
    (dated / "refseq/release/release-notes/RefSeq-release1.txt").write_text(notes)
    settings = dataclasses.replace(settings, source=dated.as_uri())
    for section in ("viral", "mitochondrion", "vertebrate_mammalian"):
        mirror(PartitionKey("refseq", section), settings)
    viral = records_of(SAMPLE / "refseq" / "release" / "viral" / "viral.1.genomic.gbff.gz")
    folder = tmp_path / "days" / "refseq" / "daily"
    folder.mkdir(parents=True)
    content = "".join([annotated(viral[0], "DAILY"), renamed(viral[0], "NC_999999")])
    (folder / "rsnc.0902.2026.gbff.gz").write_bytes(gzip.compress(content.encode("latin-1")))
    (folder / "rsnc.0901.2025.gbff.gz").write_bytes(b"another year's")
    found = apply(dataclasses.replace(settings, source=(tmp_path / "days").as_uri()), DAY, REFSEQ)
    assert (found.extra["applied"], found.extra["unplaced"]) == (2, 0)
    rows = loaded(settings, "refseq")
    assert rows["viral", accession(viral[0])][0].startswith("DAILY")
    assert rows["viral", "NC_999999"][1] == "1.20260902"


def test_the_command_applies_days_as_dagster_runs(
    ncbi: Ncbi, tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from genbank_assets.cli import main

    for name, value in (("STORE", str(tmp_path / "store")), ("SOURCE", ncbi.folder.as_uri())):
        monkeypatch.setenv(f"GENBANK_ASSETS_{name}", value)
    monkeypatch.setenv("GENBANK_ASSETS_POSTGRES_URL", postgres_url)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    ncbi.day(DAY, annotated(VIRAL[0], "DAILY"))
    assert main(["update", "genbank", "2026-09-02"]) == 1
    assert "no division of GenBank is loaded yet" in capsys.readouterr().err
    assert main(["materialize", "genbank/vrl"]) == 0
    assert main(["update", "genbank", "2026-09-02"]) == 0
    with dg.DagsterInstance.get() as instance:
        events = {
            stage: instance.get_latest_materialization_event(dg.AssetKey(["genbank_daily", stage])) for stage in STAGES
        }
        changed = instance.fetch_observations(dg.AssetKey(["genbank", "postgres_table"]), limit=9).records
        evaluated = {
            e.check_name: e
            for record in instance.get_records_for_run(
                instance.get_runs(limit=1)[0].run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
            ).records
            if (e := record.event_log_entry.dagster_event.asset_check_evaluation_data) is not None
        }
    assert all(event is not None for event in events.values())
    metadata = events["postgres_table"].asset_materialization.metadata
    assert metadata["release"].value == "1.0.20260902"
    assert metadata["records_annotation_changed"].value == 1
    assert set(evaluated) == {check.name for check in DAY_CHECKS}
    assert [name for name, found in evaluated.items() if not found.passed] == []
    assert evaluated["day_totals"].description == "1 records of the day were applied, 1 are in the ledger"
    assert evaluated["day_totals"].partition == "2026-09-02"
    (observed,) = [record.asset_observation for record in changed]
    assert (observed.metadata["day"].value, observed.metadata["applied"].value) == ("2026-09-02", 1)


def test_a_day_that_the_ledger_lost_fails_its_check(mirrored: Settings, ncbi: Ncbi) -> None:
    ncbi.day(DAY, annotated(VIRAL[0], "DAILY"))
    manifest = apply(mirrored, DAY)
    partition = daily_partition(mirrored, collection=GENBANK, day=DAY)
    assert day_totals(partition, manifest, mirrored).passed
    Divisions(mirrored).query("UPDATE genbank.source_file SET records = 0 WHERE name LIKE 'daily/%%'")
    found = day_totals(partition, manifest, mirrored)
    assert (found.passed, found.figures) == (False, {"applied": 1, "ledger": 0})


def test_a_day_waits_while_another_of_its_collection_is_at_work(
    mirrored: Settings, ncbi: Ncbi, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ncbi.day(DAY, annotated(VIRAL[0], "DAILY"))
    resource = MirrorResource.of(mirrored)
    job = build_defs(resources={"mirror": resource}).resolve_job_def("update_genbank")
    ended: list[bool] = []
    with dg.DagsterInstance.ephemeral() as instance:

        def work() -> None:
            options = {"instance": instance, "run_config": QUIET, "raise_on_error": False}
            ended.append(job.execute_in_process(partition_key="2026-09-02", **options).success)

        thread = threading.Thread(target=work)
        with file_lock(mirrored.store, "genbank/daily", progress=pytest.fail):
            thread.start()
            time.sleep(3)
            partition = daily_partition(mirrored, collection=GENBANK, day=DAY)
            assert partition.manifest("raw_files") is None, "it works without the lock of the collection's days"
        thread.join(120)
    assert ended == [True]
