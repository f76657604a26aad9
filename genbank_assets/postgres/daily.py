"""Applies a daily update to PostgreSQL, on top of each division's newest release.

Records are applied to the divisions that have their accession; new ones to the division given by division code and
lineage. Skipped are divisions that are not loaded, whose release is not older than the day, or for which the load of a
later release has begun. A later day wins over an earlier one, in whatever order they are applied, and a full release
supersedes all days up to its date; the merge itself compares dates. In the history a day is named by the release it is
based on and its date, such as ``273.0.20260902``. Merging one file belongs to ``one_file``.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from genbank_assets.errors import DatabaseError, NotFoundError
from genbank_assets.measure import Stopwatch, peak_memory_bytes
from genbank_assets.ncbi.catalog import COLLECTIONS, section_of_record
from genbank_assets.ncbi.daily import DAILY, day_of
from genbank_assets.postgres import leases
from genbank_assets.postgres.connection import Database, SqlTotals, open_database
from genbank_assets.postgres.daily_rows import check_year, day_rows
from genbank_assets.postgres.leases import Lease
from genbank_assets.postgres.load import lease_name
from genbank_assets.postgres.one_file import LoadTask, load_file
from genbank_assets.postgres.order import note_day
from genbank_assets.postgres.sql_files import query
from genbank_assets.postgres.staging import Copy
from genbank_assets.postgres.versions import ensure_schema
from genbank_assets.release_facts import release_sort_key
from genbank_assets.reports import LoadReport
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, publish_manifest

CODE_VERSION = "1"
_STATES = ("new", "sequence_changed", "annotation_changed", "unchanged", "returned", "kept")


@dataclasses.dataclass(frozen=True)
class _Base:
    """State of a division: its newest complete release, and the position of a release that is being loaded."""

    section: str
    release: str
    point: int


def apply_day(
    partition: PartitionRelease, *, settings: Settings, progress: Callable[[str], None], run_id: str
) -> Manifest:
    """Apply a day's records to PostgreSQL, with one transaction per division and file.

    Raises:
        NotFoundError: the day's tables are not published.
        ReleaseError: the records are from a different year than the day.
        DatabaseError: no division of the collection is loaded, or the server failed.
    """
    records, unique = partition.manifest("records"), partition.manifest("unique_records")
    if records is None or unique is None or unique.input_digest != records.digest:
        raise NotFoundError(f"{partition.key} {partition.release}: materialize records and unique_records first")
    day = day_of(partition)
    rows = day_rows(partition, records)
    check_year(rows, day)
    with Stopwatch() as watch, open_database(settings, create=True) as database:
        totals = ensure_schema(database, progress=progress)
        schema_statements = totals.statements
        job = _Job(database, partition, day=day, totals=totals, settings=settings, progress=progress, run_id=run_id)
        outcome = job.run(rows, records)
    manifest = Manifest(
        stage="postgres_table",
        code_version=CODE_VERSION,
        collection=partition.key.collection,
        release=partition.release,
        division=DAILY,
        input_digest=unique.digest,
        files=tuple({"name": e["name"], "rows": e["records"], "raw_sha256": e["raw_sha256"]} for e in records.files),
        extra={"label": job.label, **outcome},
        report=LoadReport(
            files=len(records.files),
            files_now=job.files_now,
            records=len(rows),
            rows_loaded=outcome["applied"],
            rows_copied=totals.rows_copied,
            rows_merged=totals.rows_merged,
            sql_statements=totals.statements,
            schema_statements=schema_statements,
            sql_seconds=totals.seconds,
            seconds=watch.seconds,
            cpu_seconds=watch.cpu_seconds,
            peak_memory_bytes=peak_memory_bytes(),
            **{f"records_{state}": outcome["states"][state] for state in _STATES if state != "kept"},
        ),
        run_id=run_id,
    )
    return publish_manifest(manifest, partition=partition)


class _Job:
    """The application of one day."""

    def __init__(
        self,
        database: Database,
        partition: PartitionRelease,
        *,
        day: dt.date,
        totals: SqlTotals,
        settings: Settings,
        progress: Callable[[str], None],
        run_id: str,
    ) -> None:
        self._database = database
        self._partition = partition
        self._collection = COLLECTIONS[partition.key.collection]
        self._day = day
        self._totals = totals
        self._settings = settings
        self._progress = progress
        self._run_id = run_id
        self.label = ""
        self.files_now = 0
        self._point = 0

    def run(self, rows: pl.DataFrame, records: Manifest) -> dict[str, Any]:
        """Apply the day to every affected division; return counts for the manifest."""
        bases = self._bases()
        base = max((b.release for b in bases), key=release_sort_key)
        self.label = f"{base}.{self._day:%Y%m%d}"
        with self._database.transaction() as session:
            self._point = note_day(session, collection=self._collection.name, base=base, day=self._day)
        self._totals.add(session.totals)
        placed = self._placed(rows)
        loaded = {b.section for b in bases}
        open_ = set[str]()
        applied = 0
        parts = placed.filter(pl.col("section").is_in(sorted(loaded))).partition_by("section", as_dict=True)
        for (section,), part in sorted(parts.items(), key=lambda i: str(i[0])):
            key = PartitionKey(self._collection.name, str(section))
            with leases.hold(
                self._database, lease_name(key), progress=self._progress, run_id=self._run_id, totals=self._totals
            ) as lease:
                # Read the ledger while holding the lease: another run may just have applied the day.
                if self._apply_to(str(section), part, records, lease):
                    open_.add(str(section))
                    applied += len(part)
                    self._progress(f"{section}: {len(part):,} records of {self._day}")
        counts = [found[3:] for found in self._ledger().values()]
        states = {state: sum(row[number] for row in counts) for number, state in enumerate(_STATES)}
        left = placed.filter(~pl.col("section").is_in(sorted(open_)) | pl.col("section").is_null())
        outcome = {
            "applied": applied,
            "states": states,
            "not_mirrored": len(
                left.filter(pl.col("section").is_not_null() & ~pl.col("section").is_in(sorted(loaded)))
            ),
            "superseded_by_release": len(left.filter(pl.col("section").is_in(sorted(loaded)))),
            "unplaced": len(left.filter(pl.col("section").is_null())),
        }
        shown = ", ".join(f"{number:,} {state}" for state, number in states.items() if number) or "no change"
        self._progress(
            f"{self.label}: {shown}; {outcome['not_mirrored']:,} of divisions that are not loaded, "
            f"{outcome['superseded_by_release']:,} of divisions whose release is not older, "
            f"{outcome['unplaced']:,} that belong to no known division"
        )
        return outcome

    def _bases(self) -> list[_Base]:
        """Return the loaded divisions, each with its newest full release.

        Raises:
            DatabaseError: there are none.
        """
        with self._database.transaction() as session:
            found = session.execute(
                query("daily.bases"),
                [self._collection.name],
            )
        self._totals.add(session.totals)
        if not found:
            raise DatabaseError(
                f"daily updates are applied on top of a full release, but no division of "
                f"{self._collection.title} is loaded yet"
            )
        return [_Base(*row) for row in found]

    def _placed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Assign rows to sections: every division that has the accession, or the one a new record belongs to."""
        with self._database.transaction() as session:
            session.execute(query("load.stage_accession"))
            copy = Copy(
                "stage_accession", ("accession",), lambda: iter(rows.select("accession").to_arrow().to_batches())
            )
            session.copy_in(copy.statement, copy.stream())
            found = session.execute(
                query("daily.sections_of_accessions"),
                [self._collection.name],
            )
        self._totals.add(session.totals)
        there = pl.DataFrame(found, schema={"accession": pl.String, "section": pl.String}, orient="row")
        known = rows.join(there, on="accession", how="inner")
        fresh = rows.join(there, on="accession", how="anti")
        sections = [
            section_of_record(self._collection, division=division, taxonomy=[*taxonomy, organism or ""])
            for division, taxonomy, organism in fresh.select("division", "taxonomy", "organism").iter_rows()
        ]
        placed = fresh.with_columns(section=pl.Series("section", sections, dtype=pl.String))
        return pl.concat([known, placed.select(known.columns)])

    def _apply_to(self, section: str, part: pl.DataFrame, records: Manifest, lease: Lease) -> bool:
        """Apply the day to one division; return False if its release is not older than the day."""
        with self._database.transaction() as session:
            open_ = session.execute(
                query("daily.is_open"), {"collection": self._collection.name, "section": section, "point": self._point}
            )[0][0]
        self._totals.add(session.totals)
        if not open_:
            return False
        before = {key: found[:3] for key, found in self._ledger().items()}
        folder = self._partition.folder_of(records)
        for entry in records.files:
            wanted = part.filter(pl.col("name") == entry["name"])
            if len(wanted) and not self._apply(section, folder, entry, wanted, before, lease):
                return False
        return True

    def _apply(
        self,
        section: str,
        folder: Path,
        entry: dict[str, Any],
        wanted: pl.DataFrame,
        before: dict[tuple[str, str], tuple[Any, ...]],
        lease: Lease,
    ) -> bool:
        """Apply one file's records to one division in one transaction, unless the ledger already has them.

        Returns:
            Whether the division's release is older than the day.
        """
        chosen = set(wanted["record_ordinal"].to_list())
        name = f"{DAILY}/{self._partition.release}/{entry['name']}"
        task = LoadTask(
            settings=self._settings,
            collection=self._collection.name,
            division=section,
            release=self.label,
            run_id=self._run_id,
            records_path=folder / entry["records_file"],
            name=name,
            raw_sha256=entry["raw_sha256"],
            code_version=entry["code_version"],
            records=len(chosen),
            quarantined=0,  # belong to no division; recorded in the day's manifests
            residues=0,
            point=self._point,
            lease=lease,
            ordinals=entry["locus_lines"],
            superseded=tuple(n for n in range(entry["locus_lines"]) if n not in chosen),
        )
        if before.get((section, name)) == (entry["raw_sha256"], entry["code_version"], len(chosen)):
            return True
        loaded = load_file(task)
        self._totals.add(loaded.totals)
        self.files_now += 0 if loaded.overtaken else 1
        return not loaded.overtaken

    def _ledger(self) -> dict[tuple[str, str], tuple[Any, ...]]:
        """Return (section, file) → digest, code version and counts of this day's applied files."""
        with self._database.transaction() as session:
            found = session.execute(query("daily.ledger"), [self._collection.name, self.label])
        self._totals.add(session.totals)
        return {row[:2]: row[2:] for row in found}
