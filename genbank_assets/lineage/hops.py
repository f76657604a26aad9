"""The hops of a trace: what each stage knows about a record, with cheap checks or complete verification.

One method per hop, in stage order. Facts are JSON values. Verification belongs to ``recheck``.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, Literal

import obstore
import polars as pl

from genbank_assets.errors import GenbankAssetsError, IntegrityError
from genbank_assets.lineage import recheck
from genbank_assets.lineage.search import Match
from genbank_assets.lookup.records import rows_where
from genbank_assets.lookup.sequences import object_row
from genbank_assets.ncbi.daily import DAILY
from genbank_assets.ncbi.verify import checksum_algorithm, checksum_of
from genbank_assets.objects.contact import TIMEOUT
from genbank_assets.objects.store import open_objects, reason_of
from genbank_assets.postgres.lookup import record_row
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest
from genbank_assets.tables.unique_tables import memberships_table, unique_sequences_table
from genbank_assets.waits import announced

Status = Literal["ok", "missing", "mismatch", "none"]
SHOWN_DUPLICATES = 20
_SHOWN = ("organism", "definition", "taxon_id", "update_date")


@dataclasses.dataclass(frozen=True)
class Hop:
    """One stage of a trace.

    Attributes:
        stage: the stage.
        status: ``ok``, ``missing`` (does not exist or is unreachable), ``mismatch`` (exists, but differs) or ``none``
            (not applicable, such as the object of a record without residues).
        facts: known facts, as JSON values.
        problem: a sentence describing the problem; "" if there is none.
    """

    stage: str
    status: Status
    facts: dict[str, Any]
    problem: str = ""


class Hops:
    """The hops of one match, one method each."""

    def __init__(self, settings: Settings, match: Match, *, verify: bool) -> None:
        self._settings = settings
        self._match = match
        self._found = match.found
        self._partition = match.found.partition
        self._row = match.found.row
        self._verify = verify
        self._table: Path | None = None  # the record table, once it was verified
        self._ordinals = 0

    def all(self) -> tuple[Hop, ...]:
        """Return the hops in order; for a quarantined block, those up to its rejection."""
        if self._match.refusal is not None:
            return (self._raw_file(), self._text(), self._refused())
        return (
            self._raw_file(),
            self._text(),
            self._table_row(),
            self._sequence(),
            self._database_row(),
            self._object(),
        )

    def _run(self, run_id: str) -> dict[str, str]:
        return {"run_id": run_id, "run_url": self._settings.run_url(run_id)}

    def _raw_file(self) -> Hop:
        manifest = self._partition.manifest("raw_files")
        name = self._row["source_file"]
        entry = next((e for e in manifest.files if e["name"] == name), None) if manifest else None
        if manifest is None or entry is None:
            problem = f"no manifest of release {self._partition.release} lists it"
            return Hop("raw file", "missing", {"file": name}, problem)
        path = self._partition.folder_of(manifest) / name
        facts = {
            "file": name,
            "url": entry["url"],
            "release_date": manifest.extra.get("release_date"),
            "bytes": entry["bytes"],
            "sha256": entry["sha256"],
            "checksum": checksum_of(entry),
            "checksum_algorithm": checksum_algorithm(checksum_of(entry)),
            "path": str(path),
            **self._run(manifest.run_id),
        }
        if not path.is_file():
            return Hop("raw file", "missing", facts, "it is no longer in the store")
        if path.stat().st_size != entry["bytes"]:
            return Hop("raw file", "mismatch", facts, f"it has {path.stat().st_size:,} bytes now")
        return self._verified("raw file", facts, recheck.changed_file(path, entry["sha256"]) if self._verify else "")

    def _text(self) -> Hop:
        digest = self._row["record_sha256"]
        facts = {
            "offset": self._row["record_offset"],
            "bytes": self._row["record_bytes"],
            "record_sha256": digest.hex() if digest else None,
        }
        return self._verified("record text", facts, recheck.changed_text(self._found) if self._verify else "")

    def _table_row(self) -> Hop:
        manifest = self._partition.manifest("records")
        name = self._row["source_file"]
        entry = next((e for e in manifest.files if e["name"] == name), None) if manifest else None
        if manifest is None or entry is None:
            return Hop("table row", "missing", {}, f"no record table of {name}")
        folder = self._partition.folder_of(manifest)
        path = folder / entry["records_file"]
        ordinal = self._row["record_ordinal"]
        facts = {"file": str(path), "row": ordinal, **self._run(manifest.run_of(entry))}
        facts["code_version"] = entry["code_version"]
        if not path.is_file():
            return Hop("table row", "missing", facts, "the record table is no longer in the store")
        try:
            rows = rows_where(path, pl.col("record_ordinal") == ordinal, columns=("record_sha256", *_SHOWN)).to_dicts()
        except IntegrityError as error:
            return Hop("table row", "mismatch", facts, str(error))
        if len(rows) != 1 or rows[0]["record_sha256"] != self._row["record_sha256"]:
            return Hop("table row", "mismatch", facts, "the row is not the record the membership table names")
        facts |= {name: rows[0][name] for name in _SHOWN} | {"update_date": str(rows[0]["update_date"])}
        if not self._verify:
            return Hop("table row", "ok", facts)
        problems = (
            recheck.broken_chain(self._partition, "records"),
            recheck.changed_file(path, entry["records_file_sha256"]),
            recheck.changed_file(folder / entry["sequences_file"], entry["sequences_file_sha256"]),
            recheck.changed_row(self._found, path),
        )
        if not any(problems):
            self._table, self._ordinals = path, entry["locus_lines"]
        return self._verified("table row", facts, *problems)

    def _refused(self) -> Hop:
        """Return the hop of a quarantined block: its row of the quarantine table. No further hops follow."""
        assert self._match.refusal is not None
        facts = {name: self._match.refusal[name] for name in ("path", "record_ordinal", "line", "accession", "reason")}
        return Hop("table row", "missing", facts, f"quarantined at line {facts['line']:,}: {facts['reason']}")

    def _sequence(self) -> Hop:
        digest, molecule_class = self._row["sequence_sha256"], self._row["molecule_class"]
        if digest is None:
            return Hop("sequence", "none", {"length": self._row["length"]}, "the record has no residues of its own")
        facts = {
            "sequence_sha256": digest.hex(),
            "molecule_class": molecule_class,
            "length": self._row["length"],
        }
        manifest = self._partition.manifest("unique_records")
        missing = Hop("sequence", "missing", facts, "the table of distinct sequences is not in the store")
        if manifest is None:
            return missing
        folder, table = self._partition.folder_of(manifest), unique_sequences_table(self._partition, manifest)
        if not table.is_file():
            return missing
        same = (pl.col("sequence_sha256") == digest) & (pl.col("molecule_class") == molecule_class)
        others: list[str] = []
        try:
            rows = rows_where(table, same).to_dicts()
            if len(rows) != 1:
                return Hop("sequence", "mismatch", facts, f"the table of distinct sequences has it {len(rows)} times")
            if rows[0]["member_count"] > 1:  # only then is the table searched by digest, which is not its sort key
                members = rows_where(
                    memberships_table(self._partition, manifest),
                    same,
                    columns=("accession_version",),
                    limit=SHOWN_DUPLICATES + 1,
                )
                others = [name for (name,) in members.iter_rows() if name != self._row["accession_version"]]
        except IntegrityError as error:
            return Hop("sequence", "mismatch", facts, str(error))
        facts |= {
            "members": rows[0]["member_count"],
            "duplicates": others[:SHOWN_DUPLICATES],
            "representative": rows[0]["representative_accession_version"],
            **self._run(manifest.run_id),
        }
        if not self._verify:
            return Hop("sequence", "ok", facts)
        files = (recheck.changed_file(folder / entry["name"], entry["sha256"]) for entry in manifest.files)
        return self._verified("sequence", facts, recheck.broken_chain(self._partition, "unique_records"), *files)

    def _database_row(self) -> Hop:
        stage, key = "database row", self._partition.key
        if self._match.is_newest and self._partition.manifest("postgres_table") is None:
            return Hop(stage, "missing", {}, "the division is not loaded in this release")
        try:
            division = None if key.division == DAILY else key.division
            row = record_row(
                self._settings, collection=key.collection, division=division, accession=self._row["accession"]
            )
        except GenbankAssetsError as error:
            return Hop(stage, "missing", {}, str(error))
        if row is None:
            return Hop(stage, "missing", {}, "the database has no such record")
        row |= self._run(row["run_id"] or "")
        row["events"] = [event | self._run(event["run_id"]) for event in row["events"]]
        later = _what_came_later(row, self._row["record_sha256"].hex())
        if not self._match.is_newest and later:
            return Hop(stage, "ok", row, later)
        problem = self._wrong_state(row)
        if problem or not self._verify:
            return self._verified(stage, row, problem)
        if self._table is None:
            return Hop(stage, "ok", row, "not compared: the table row has changed")
        return self._verified(stage, row, *self._reread_database(self._table, row["record_id"]))

    def _wrong_state(self, row: dict[str, Any]) -> str:
        release = self._partition.release
        if row["record_sha256"] != self._row["record_sha256"].hex():
            return "the loaded state differs from the table's"
        if not row["is_current"]:
            return "the database says that it is absent"
        if release not in {row["last_release"], row["last_release"].rpartition(".")[2]}:  # or a day
            return f"the database last saw it in release {row['last_release']}"
        return ""

    def _reread_database(self, table: Path, record_id: int) -> list[str]:
        return [
            recheck.broken_chain(self._partition, "postgres_table"),
            recheck.changed_database_row(
                self._settings, self._found, table=table, record_id=record_id, ordinals=self._ordinals
            ),
        ]

    def _object(self) -> Hop:
        if self._row["sequence_sha256"] is None:
            return Hop("object", "none", {}, "no residues, no object")
        manifest = self._partition.manifest("object_set")
        if manifest is None and self._match.is_newest:
            return Hop("object", "missing", {}, "the division's object set is not published in this release")
        row = object_row(self._settings, self._found)
        facts: dict[str, Any] = {"url": self._settings.objects_url}
        if manifest is not None:
            if not self._settings.has_objects_of(str(manifest.extra["url"])):
                facts["url"] = manifest.extra["url"]
            facts["manifest_key"] = manifest.extra["manifest_key"]
            facts |= self._run(manifest.run_id)
        if row is None:
            return Hop("object", "missing", facts, "no object table lists the sequence")
        facts["key"] = row["key"]
        if row["encoding"] != "identity":
            facts |= {"offset": row["offset"], "frame_bytes": row["bytes"], "encoding": row["encoding"]}
        facts |= {"refget": row["refget"]} if row["refget"] else {}
        try:
            with announced(f"the object store {self._settings.objects_url}"):
                meta = obstore.head(open_objects(self._settings, retries=1, timeout=TIMEOUT), row["key"])
        except FileNotFoundError:
            return Hop("object", "missing", facts, "the object set has no such object")
        except Exception as error:  # any failure of the store is reported as a problem of this hop
            return Hop("object", "missing", facts, f"the object store failed: {reason_of(error)[:200]}")
        facts |= {
            "bytes": meta["size"],
            "etag": meta["e_tag"],
            "last_modified": meta["last_modified"].isoformat(timespec="seconds"),
            "checksum_sha256": row["object_sha256"].hex(),
        }
        if meta["size"] != row["object_bytes"]:
            return Hop("object", "mismatch", facts, f"the object has {meta['size']:,} bytes")
        return self._verified("object", facts, *self._reread_object(row, manifest))

    def _reread_object(self, row: dict[str, Any], manifest: Manifest | None) -> list[str]:
        if not self._verify:
            return []
        chain = recheck.broken_chain(self._partition, "object_set") if manifest is not None else ""
        return [chain, recheck.changed_object(self._settings, row, self._found, manifest)]

    def _verified(self, stage: str, facts: dict[str, Any], *problems: str) -> Hop:
        """Return a hop that is a mismatch if verification finds a problem."""
        problem = "; ".join(problem for problem in problems if problem)
        return Hop(stage, "mismatch" if problem else "ok", facts, problem)


def _what_came_later(row: dict[str, Any], record_sha256: str) -> str:
    """Describe from the history when a loaded state was replaced or became absent; "" if it did not."""
    found, later = False, ""
    for event in row["events"]:
        if event["record_sha256"] == record_sha256 and event["state"] != "absent":
            found, later = True, ""
        elif found and not later:
            how = f"in release {event['release']} ({event['state']})"
            later = f"replaced by {event['accession_version']} {how}" if event["state"] != "absent" else ""
    last = row["events"][-1] if row["events"] else None
    if not later and last is not None and last["state"] == "absent" and not row["is_current"]:
        return f"absent since release {last['release']}"
    return later
