"""Where a record came from and where it went: one hop per stage, each checked as far as that is cheap.

Source and raw file → place in the text → row of the record table → digests and duplicates → database row and history
→ object. ``verify`` reads everything again and recomputes every digest from the raw file on. Showing a trace belongs
to ``render``.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import obstore
import polars as pl

from genbank_assets.errors import GenbankAssetsError
from genbank_assets.ncbi.daily import DAILY
from genbank_assets.objects.fetch import Found, find_record, object_row, original_text, residues
from genbank_assets.objects.store import open_objects, reason_of
from genbank_assets.postgres.lookup import record_row
from genbank_assets.settings import Settings
from genbank_assets.tables.writer import file_sha256

Status = Literal["ok", "missing", "mismatch", "none"]
SHOWN_DUPLICATES = 20


@dataclasses.dataclass(frozen=True)
class Hop:
    """One stage's part in a record's way.

    Attributes:
        stage: which stage.
        status: ``ok``, ``missing`` (not there, or not reachable), ``mismatch`` (there, but not what it should be) or
            ``none`` (the record has no such thing, as a record without residues has no object).
        facts: what is known, JSON values only.
        problem: what is wrong, in words; "" when nothing is.
    """

    stage: str
    status: Status
    facts: dict[str, Any]
    problem: str = ""


@dataclasses.dataclass(frozen=True)
class Trace:
    """A record's way through the stages of one division's current release."""

    accession_version: str
    collection: str
    division: str
    release: str
    verified: bool
    hops: tuple[Hop, ...]

    @property
    def ok(self) -> bool:
        """Whether no hop is missing or wrong."""
        return all(hop.status in {"ok", "none"} for hop in self.hops)

    def as_dict(self) -> dict[str, Any]:
        """The trace as JSON values."""
        return dataclasses.asdict(self) | {"ok": self.ok}


def trace(settings: Settings, accession: str, *, verify: bool = False) -> list[Trace]:
    """Trace ``ACCESSION`` or ``ACCESSION.VERSION`` in every division that has it.

    Raises:
        NotFoundError: no division in the store has it.
    """
    return [_traced(settings, found, verify=verify) for found in find_record(settings, accession)]


def _traced(settings: Settings, found: Found, *, verify: bool) -> Trace:
    hops = (
        _raw_hop(found, verify=verify),
        _text_hop(found, verify=verify),
        _table_hop(found, verify=verify),
        _sequence_hop(found),
        _database_hop(settings, found),
        _object_hop(settings, found, verify=verify),
    )
    return Trace(
        accession_version=found.row["accession_version"],
        collection=found.partition.key.collection,
        division=found.partition.key.division,
        release=found.partition.release,
        verified=verify,
        hops=hops,
    )


def _raw_hop(found: Found, *, verify: bool) -> Hop:
    manifest = found.partition.manifest("raw_files")
    name = found.row["source_file"]
    entry = next((e for e in manifest.files if e["name"] == name), None) if manifest else None
    if manifest is None or entry is None:
        return Hop("raw file", "missing", {"file": name}, f"no manifest of release {found.partition.release} lists it")
    path = found.partition.stage_folder("raw_files") / name
    facts = {
        "file": name,
        "url": entry["url"],
        "bytes": entry["bytes"],
        "sha256": entry["sha256"],
        "md5": entry["md5"],
        "path": str(path),
        "run_id": manifest.run_id,
    }
    if not path.is_file():
        return Hop("raw file", "missing", facts, "it is no longer in the store")
    if path.stat().st_size != entry["bytes"]:
        return Hop("raw file", "mismatch", facts, f"it has {path.stat().st_size:,} bytes now")
    if verify and file_sha256(path) != entry["sha256"]:
        return Hop("raw file", "mismatch", facts, "its SHA-256 is another now")
    return Hop("raw file", "ok", facts)


def _text_hop(found: Found, *, verify: bool) -> Hop:
    facts = {
        "offset": found.row["record_offset"],
        "bytes": found.row["record_bytes"],
        "record_sha256": found.row["record_sha256"].hex(),
    }
    if verify:
        try:
            for _ in original_text(found):
                pass
        except GenbankAssetsError as error:
            return Hop("record text", "mismatch", facts, str(error))
    return Hop("record text", "ok", facts)


def _table_hop(found: Found, *, verify: bool) -> Hop:
    manifest = found.partition.manifest("records")
    name = found.row["source_file"]
    entry = next((e for e in manifest.files if e["name"] == name), None) if manifest else None
    if entry is None:
        return Hop("table row", "missing", {}, f"no record table of {name}")
    path = found.partition.stage_folder("records") / entry["records_file"]
    ordinal = found.row["record_ordinal"]
    facts = {"file": str(path), "row": ordinal, "run_id": entry["run_id"], "code_version": entry["code_version"]}
    if not path.is_file():
        return Hop("table row", "missing", facts, "the record table is no longer in the store")
    row = (
        pl.scan_parquet(path)
        .filter(pl.col("record_ordinal") == ordinal)
        .select("accession_version", "record_sha256", "organism", "definition", "taxon_id", "update_date")
        .collect()
    )
    if len(row) != 1 or row["record_sha256"][0] != found.row["record_sha256"]:
        return Hop("table row", "mismatch", facts, "the row is not the record the membership table names")
    facts |= {
        "organism": row["organism"][0],
        "definition": row["definition"][0],
        "taxon_id": row["taxon_id"][0],
        "update_date": str(row["update_date"][0]),
    }
    if verify and file_sha256(path) != entry["records_file_sha256"]:
        return Hop("table row", "mismatch", facts, "the table's SHA-256 is another now")
    return Hop("table row", "ok", facts)


def _sequence_hop(found: Found) -> Hop:
    digest = found.row["sequence_sha256"]
    if digest is None:
        return Hop("sequence", "none", {"length": found.row["length"]}, "the record has no residues of its own")
    folder = found.partition.stage_folder("unique_records")
    same = (pl.col("sequence_sha256") == digest) & (pl.col("molecule_class") == found.row["molecule_class"])
    (sequence,) = pl.scan_parquet(folder / "sequences.parquet").filter(same).collect().to_dicts()
    others: list[str] = []
    if sequence["member_count"] > 1:  # only then is the table that is sorted by accession read by digest
        members = pl.scan_parquet(folder / "memberships.parquet").filter(same).select("accession_version").collect()
        others = [name for name in members["accession_version"] if name != found.row["accession_version"]]
    return Hop(
        "sequence",
        "ok",
        {
            "sequence_sha256": digest.hex(),
            "molecule_class": found.row["molecule_class"],
            "length": found.row["length"],
            "members": sequence["member_count"],
            "duplicates": others[:SHOWN_DUPLICATES],
            "representative": sequence["representative_accession_version"],
        },
    )


def _database_hop(settings: Settings, found: Found) -> Hop:
    key, release = found.partition.key, found.partition.release
    if found.partition.manifest("postgres_table") is None:
        return Hop("database row", "missing", {}, "the division is not loaded in this release")
    try:
        division = None if key.division == DAILY else key.division
        row = record_row(settings, collection=key.collection, division=division, accession=found.row["accession"])
    except GenbankAssetsError as error:
        return Hop("database row", "missing", {}, str(error))
    if row is None:
        return Hop("database row", "missing", {}, "the database has no such record")
    if row["record_sha256"] != found.row["record_sha256"].hex():
        return Hop("database row", "mismatch", row, "the loaded state is another than the table's")
    if release not in {row["last_release"], row["last_release"].rpartition(".")[2]}:  # a release, or a day on top
        return Hop("database row", "mismatch", row, f"the database last saw it in release {row['last_release']}")
    return Hop("database row", "ok", row)


def _object_hop(settings: Settings, found: Found, *, verify: bool) -> Hop:
    digest = found.row["sequence_sha256"]
    if digest is None:
        return Hop("object", "none", {}, "no residues, no object")
    manifest = found.partition.manifest("object_set")
    if manifest is None:
        return Hop("object", "missing", {}, "the division's object set is not published in this release")
    row = object_row(settings, found)
    facts: dict[str, Any] = {"url": manifest.extra["url"], "run_id": manifest.run_id}
    if row is None:
        return Hop("object", "missing", facts, "no object table lists the sequence")
    facts["key"] = row["key"]
    if row["encoding"] != "identity":
        facts |= {"offset": row["offset"], "frame_bytes": row["bytes"], "encoding": row["encoding"]}
    if row["refget"]:
        facts["refget"] = row["refget"]
    try:
        meta = obstore.head(open_objects(settings), row["key"])
    except FileNotFoundError:
        return Hop("object", "missing", facts, "the object set has no such object")
    except Exception as error:  # any store failure is a finding here, not a crash
        return Hop("object", "missing", facts, f"the object store failed: {reason_of(error)[:200]}")
    facts |= {
        "bytes": meta["size"],
        "etag": meta["e_tag"],
        "last_modified": meta["last_modified"].isoformat(timespec="seconds"),
        "checksum_sha256": row["object_sha256"].hex(),
    }
    if meta["size"] != row["object_bytes"]:
        return Hop("object", "mismatch", facts, f"the object has {meta['size']:,} bytes")
    problem = _reread_object(settings, row) if verify else ""
    return Hop("object", "mismatch" if problem else "ok", facts, problem)


def _reread_object(settings: Settings, row: dict[str, Any]) -> str:
    """Read a sequence from the object set against its digest; what is wrong, or ""."""
    try:
        for _ in residues(settings, row):
            pass
    except GenbankAssetsError as error:
        return str(error)
    return ""
