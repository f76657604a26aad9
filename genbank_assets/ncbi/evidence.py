"""NCBI's own lists of new, changed and removed records, kept as evidence for computed changes.

GenBank (release notes §5.4): ``gbdel.txt``, ``gbnew.txt``, ``gbchg.txt``, with a line ``GBVRL|AB000050`` per accession
and no header. RefSeq: ``release-catalog/releaseN.removed-records`` with the catalogue's columns (taxon, name,
accession.version, until 2018 also GI, directories, status, length) and the kind of removal. Both may be gzipped. A
list covers only the difference from the previous release, and may be missing.
Changes are computed by ``postgres``; these lists explain them but never decide.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gzip
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from genbank_assets.ncbi.catalog import GENBANK, Collection
from genbank_assets.ncbi.download import fetch_file
from genbank_assets.ncbi.sources import RemoteFile, Source
from genbank_assets.schema.tables import EVIDENCE_SCHEMA
from genbank_assets.store import temporary_beside, write_atomically

EVIDENCE_FILE = "evidence.parquet"
MAX_LINE_BYTES = 4096
BATCH_ROWS = 50_000
SHOWN_WARNINGS = 5
_GENBANK_LINE = re.compile(r"(?:GB)?([A-Z]{3})\d*(?:\.SEQ(?:\.GZ)?)?\s*\|\s*([A-Z0-9_]+)(?:\.\d+)?", re.IGNORECASE)
_ACCESSION = re.compile(r"([A-Z]{2,3}_?[A-Z0-9]+)(?:\.\d+)?", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Evidence:
    """Summary of a division's evidence table.

    Attributes:
        evidence_rows: number of rows.
        evidence_sha256: hex digest of the rows, independent of the file format.
    """

    evidence_rows: int
    evidence_sha256: str


def fetch_evidence(
    source: Source,
    *,
    collection: Collection,
    number: str,
    division: str,
    lists: Path,
    out: Path,
    progress: Callable[[str], None],
) -> Evidence | None:
    """Fetch the release's lists and write the rows of one division to ``out``, atomically.

    Args:
        source: the source of the release.
        collection: the collection.
        number: the release number.
        division: the division whose rows to write.
        lists: folder for the lists, shared by all divisions of a release.
        out: Parquet file to write, with columns accession, list, source_file.
        progress: called with warnings about unreadable lines.

    Returns:
        A summary of the table; None, and no file, if no list mentions the division.

    Raises:
        SourceError: a list exists but cannot be fetched.
        IntegrityError: a list is damaged.
    """
    rows = 0
    hasher = hashlib.sha256()
    paths = _paths(source, collection=collection, number=number)
    with contextlib.ExitStack() as stack:
        writer: pq.ParquetWriter | None = None
        for path in paths:
            name = path.rsplit("/", 1)[-1]
            local = lists / name
            if not _is_same(local, source.look_up(path)):
                fetched = fetch_file(source, path, folder=lists, checksum=None, progress=progress)
                write_atomically(_note(local), json.dumps(_version(fetched.remote)).encode())
            for batch in _batches(local, collection=collection, division=division, progress=progress):
                if writer is None:
                    temporary = stack.enter_context(temporary_beside(out))
                    writer = stack.enter_context(pq.ParquetWriter(temporary, EVIDENCE_SCHEMA, compression="zstd"))
                rows += batch.num_rows
                hasher.update(json.dumps(batch.to_pydict(), sort_keys=True).encode())
                writer.write_batch(batch)
    if not rows:
        out.unlink(missing_ok=True)
        return None
    return Evidence(rows, hasher.hexdigest())


def _is_same(local: Path, remote: RemoteFile) -> bool:
    """Return whether a list that was fetched before is the remote file's current version."""
    try:
        same = json.loads(_note(local).read_text(encoding="utf-8")) == _version(remote)
    except (OSError, ValueError):
        return False
    return same and local.is_file()


def _note(local: Path) -> Path:
    return local.with_name(f"{local.name}.json")


def _version(remote: RemoteFile) -> list[int | str | None]:
    return [remote.bytes, remote.modified, remote.etag]


def _paths(source: Source, *, collection: Collection, number: str) -> list[str]:
    """Return the paths of the available lists, preferring gzipped ones."""
    if collection is GENBANK:
        folder, names = collection.path, ["gbdel.txt", "gbnew.txt", "gbchg.txt"]
    else:
        folder, names = f"{collection.path}/release-catalog", [f"release{number}.removed-records"]
    shown = {remote.name for remote in source.listing(folder)}

    def is_there(name: str) -> bool:
        return name in shown if shown else source.exists(f"{folder}/{name}")  # some sources have no listings

    kinds = ([f"{name}.gz", name] for name in names)
    return [f"{folder}/{found}" for kind in kinds if (found := next(filter(is_there, kind), None)) is not None]


def _batches(
    path: Path, *, collection: Collection, division: str, progress: Callable[[str], None]
) -> Iterator[pa.RecordBatch]:
    name = path.name
    rows: list[tuple[str, str]] = []
    unreadable = 0

    def batch() -> pa.RecordBatch:
        columns = [[accession for accession, _ in rows], [list_ for _, list_ in rows], [name] * len(rows)]
        return pa.RecordBatch.from_arrays([pa.array(c, pa.string()) for c in columns], schema=EVIDENCE_SCHEMA)

    for number, line in enumerate(_lines(path), start=1):
        found = _genbank_row(line, name) if collection is GENBANK else _refseq_row(line)
        if found is None:
            unreadable += 1
            if unreadable <= SHOWN_WARNINGS:
                progress(f"{name}, line {number:,} cannot be read and is left out: {line[:80]!r}")
            continue
        divisions, accession, list_ = found
        if division in divisions:
            rows.append((accession, list_))
            if len(rows) >= BATCH_ROWS:
                yield batch()
                rows.clear()
    if unreadable > SHOWN_WARNINGS:
        progress(f"{name}: {unreadable:,} lines in all cannot be read and are left out")
    if rows:
        yield batch()


def _lines(path: Path) -> Iterator[str]:
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        while line := file.readline(MAX_LINE_BYTES):
            text = line.decode("latin-1").strip()
            if text and not text.startswith("#"):
                yield text


def _genbank_row(line: str, name: str) -> tuple[set[str], str, str] | None:
    match = _GENBANK_LINE.fullmatch(line)
    return None if match is None else ({match[1].lower()}, match[2].upper(), name.split(".")[0])


def _refseq_row(line: str) -> tuple[set[str], str, str] | None:
    fields = [field.strip() for field in line.split("\t")]
    match = _ACCESSION.fullmatch(fields[2]) if len(fields) > 3 else None
    if match is None:
        return None
    if fields[3].isdigit():
        del fields[3]  # the GI
    if len(fields) < 4:
        return None
    kind = f" ({fields[6]})" if len(fields) > 6 and fields[6] else ""
    return set(fields[3].lower().split("|")), match[1].upper(), f"removed-records{kind}"
