"""The taxonomy's archive -> Parquet: nodes with nested-set values, names, merged and deleted taxa, per date.

``STORE/taxonomy/<date>/manifest.json`` names the folder that readers follow; it is replaced at once. The archive lies
beside its tables, so that they can be made again. Fetching belongs to ``ncbi.taxonomy``; questions to ``clades``.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from genbank_assets.durable import file_sha256
from genbank_assets.errors import IntegrityError
from genbank_assets.ncbi.tar_stream import Member, members
from genbank_assets.ncbi.taxonomy_files import ARCHIVE, FetchedTaxonomy, taxonomy_folder
from genbank_assets.schema.taxonomy import SCHEMAS
from genbank_assets.store import MANIFEST, write_atomically
from genbank_assets.tables.nested_set import nested_set

# Bump when the bytes of the tables change.
CODE_VERSION = "1"
MAX_MEMBER_BYTES = 8 * 1024**3
MAX_LINE_BYTES = 1024 * 1024
ROW_GROUP_ROWS = 50_000
_SEPARATOR = "\x1f"  # stands for the archive's own, of three characters, while lines are parsed
_REQUIRED = ("taxon_id", "parent_id", "old_taxon_id", "rank", "name", "name_class", "is_hidden")
_FILES = {"nodes.dmp": (13, 18), "names.dmp": (4, 4), "merged.dmp": (2, 2), "delnodes.dmp": (1, 1)}  # columns


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaxonomyManifest:
    """What a date's taxonomy consists of.

    Attributes:
        date: day of the archive, ISO 8601.
        generation: folder of the files beside the manifest.
        code_version: version of the code that decides the tables' bytes.
        archive: ``url``, ``md5``, ``sha256`` and ``bytes`` of the archive.
        files: ``name``, ``rows``, ``bytes`` and ``sha256`` of each table.
    """

    date: str
    generation: str
    code_version: str
    archive: dict[str, Any]
    files: tuple[dict[str, Any], ...]

    @property
    def digest(self) -> str:
        """SHA-256 of the content: equal tables, equal digest."""
        content = dataclasses.asdict(self)
        del content["archive"]["url"]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def rows(self, table: str) -> int:
        """Rows of a table."""
        return next(int(entry["rows"]) for entry in self.files if entry["name"] == f"{table}.parquet")


def build_taxonomy(
    fetched: FetchedTaxonomy, *, store: Path, progress: Callable[[str], None]
) -> tuple[TaxonomyManifest, bool]:
    """Make a date's tables and publish them; an archive of a day that is already there replaces it at once.

    Returns:
        The manifest, and whether anything was made.

    Raises:
        IntegrityError: the archive lacks a file, or what it holds is no taxonomy; nothing is published.
    """
    generation = hashlib.sha256(f"{fetched.sha256} {CODE_VERSION}".encode()).hexdigest()[:16]
    folder = taxonomy_folder(store) / fetched.date
    previous = read_manifest(folder)
    if previous is not None and previous.generation == generation and _whole(folder, previous):
        progress(f"nothing changed: the taxonomy of {fetched.date} is in place")
        return previous, False
    out = folder / generation
    shutil.rmtree(out, ignore_errors=True)  # of a run that was killed: no manifest names it
    out.mkdir(parents=True)
    _link(fetched.path, out / ARCHIVE)
    entries = tuple(_write_tables(fetched.path, out))
    manifest = TaxonomyManifest(
        date=fetched.date,
        generation=generation,
        code_version=CODE_VERSION,
        archive={"url": fetched.url, "md5": fetched.md5, "sha256": fetched.sha256, "bytes": fetched.bytes},
        files=entries,
    )
    progress(", ".join(f"{entry['rows']:,} {entry['name'].removesuffix('.parquet')}" for entry in entries))
    write_atomically(folder / MANIFEST, (json.dumps(dataclasses.asdict(manifest), indent=1) + "\n").encode())
    for old in folder.iterdir():  # who reads at this moment reads the one before
        if old.is_dir() and old.name not in {generation, previous.generation if previous else ""}:
            shutil.rmtree(old, ignore_errors=True)
    return manifest, True


def read_manifest(folder: Path) -> TaxonomyManifest | None:
    """The manifest of a date's folder, or None.

    Raises:
        IntegrityError: it is there and cannot be read.
    """
    try:
        content = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        return TaxonomyManifest(**(content | {"files": tuple(content["files"])}))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise IntegrityError(f"{folder / MANIFEST} cannot be read: {error}") from error


def _whole(folder: Path, manifest: TaxonomyManifest) -> bool:
    """Whether every table is there in its size."""
    paths = [(folder / manifest.generation / entry["name"], entry["bytes"]) for entry in manifest.files]
    return all(path.is_file() and path.stat().st_size == size for path, size in paths)


def _link(archive: Path, target: Path) -> None:
    try:
        os.link(archive, target)
    except OSError:
        shutil.copyfile(archive, target)


def _write_tables(archive: Path, out: Path) -> Iterator[dict[str, Any]]:
    """All tables; an entry of the manifest for each."""
    found: dict[str, pl.DataFrame] = {}
    for member in members(archive):
        if member.name in _FILES:
            if member.name in found:
                raise IntegrityError(f"{archive.name} holds {member.name} twice")
            found[member.name] = pl.concat(list(_frames(member)))
    if missing := sorted(set(_FILES) - set(found)):
        raise IntegrityError(f"{archive.name} holds no {', '.join(missing)}: this is not NCBI's taxonomy")
    names = _names(found.pop("names.dmp"))
    tables = {
        "nodes": _nodes(found.pop("nodes.dmp"), names),
        "names": names.sort("name_key", "taxon_id", "name_class", "name"),
        "merged": _converted(found["merged.dmp"], old_taxon_id=_id("c0"), taxon_id=_id("c1")).unique("old_taxon_id"),
        "deleted": _converted(found["delnodes.dmp"], taxon_id=_id("c0")).unique(),
    }
    for name, frame in tables.items():
        path = out / f"{name}.parquet"
        by = {"nodes": "left_value", "names": "name_key", "merged": "old_taxon_id"}.get(name, "taxon_id")
        rows = frame.sort(by, maintain_order=True).select(SCHEMAS[name].names).to_arrow().cast(SCHEMAS[name])
        order = [pq.SortingColumn(SCHEMAS[name].get_field_index(by))]
        pq.write_table(rows, path, compression="zstd", row_group_size=ROW_GROUP_ROWS, sorting_columns=order)
        yield {"name": path.name, "rows": len(frame), "bytes": path.stat().st_size, "sha256": file_sha256(path)}


def _frames(member: Member) -> Iterator[pl.DataFrame]:
    """A ``.dmp`` file as text columns ``c0``, ``c1`` …, a piece of it at a time."""
    if member.size_bytes > MAX_MEMBER_BYTES:
        raise IntegrityError(f"{member.name} has {member.size_bytes:,} bytes: refused")
    least, most = _FILES[member.name]
    yield pl.DataFrame(schema={f"c{number}": pl.String for number in range(most)})
    rest = b""
    for piece in member.pieces:
        whole, newline, rest = (rest + piece).rpartition(b"\n")
        if len(rest) > MAX_LINE_BYTES:
            raise IntegrityError(f"{member.name} holds a line of more than {MAX_LINE_BYTES:,} bytes")
        if newline:
            yield _frame(whole + b"\n", least=least, most=most, name=member.name)
    if rest.strip(b"\0 \r\n"):
        raise IntegrityError(f"{member.name} ends in the middle of a line: {rest[:80]!r}")


def _frame(text: bytes, *, least: int, most: int, name: str) -> pl.DataFrame:
    if _SEPARATOR.encode() in text:
        raise IntegrityError(f"{name} holds a control character")
    lines = text.replace(b"\t|\n", b"\n").replace(b"\t|\t", _SEPARATOR.encode())
    try:
        lines.decode()
    except UnicodeDecodeError:
        lines = b"\n".join(_utf8(line) for line in lines.split(b"\n"))
    names = [f"c{number}" for number in range(most)]
    counts = {line.count(_SEPARATOR) + 1 for line in (lines[: lines.find(b"\n")].decode(),)}
    if not all(least <= count <= most for count in counts):
        raise IntegrityError(f"{name} has lines of {counts} columns, not {least} to {most}: {text[:80]!r}")
    try:
        frame = pl.read_csv(
            lines, separator=_SEPARATOR, quote_char=None, has_header=False, infer_schema=False, eol_char="\n"
        )
    except pl.exceptions.PolarsError as error:
        raise IntegrityError(f"{name} cannot be read: {error}") from error
    frame = frame.rename(dict(zip(frame.columns, names, strict=False)))
    return frame.with_columns(pl.lit(None, pl.String).alias(c) for c in names if c not in frame.columns).select(names)


def _utf8(line: bytes) -> bytes:
    try:
        line.decode()
    except UnicodeDecodeError:
        return line.decode("latin-1").encode()
    return line


def _id(column: str) -> pl.Expr:
    return pl.col(column).str.strip_chars().cast(pl.Int64)


def _names(raw: pl.DataFrame) -> pl.DataFrame:
    return (
        _converted(
            raw,
            taxon_id=_id("c0"),
            name=pl.col("c1").str.strip_chars(),
            unique_name=pl.col("c2").str.strip_chars().replace("", None),
            name_class=pl.col("c3").str.strip_chars(),
        )
        .unique(["taxon_id", "name", "name_class"], keep="first", maintain_order=True)
        .with_columns(name_key=pl.col("name").str.to_lowercase())
    )


def _nodes(raw: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Nodes in order of the nested set, with their scientific names."""
    scientific = names.filter(pl.col("name_class") == "scientific name")
    nodes = _converted(
        raw,
        taxon_id=_id("c0"),
        parent_id=_id("c1"),
        rank=pl.col("c2").str.strip_chars(),
        division_id=_small("c4"),
        genetic_code=_small("c6"),
        mitochondrial_genetic_code=_small("c8"),
        is_hidden=pl.col("c10").str.strip_chars() == "1",
        plastid_genetic_code=_small("c13"),
    ).sort("taxon_id")
    found = nested_set(nodes["taxon_id"].to_numpy(), nodes["parent_id"].to_numpy())
    nodes = nodes.with_columns(
        left_value=pl.Series(found.left),
        right_value=pl.Series(found.right),
        depth=pl.Series(found.depth.astype(np.int32)),
        parent_id=pl.when(pl.col("parent_id") != pl.col("taxon_id")).then("parent_id"),
    )
    named = nodes.join(
        scientific.unique("taxon_id", keep="first", maintain_order=True).select("taxon_id", scientific_name="name"),
        on="taxon_id",
        how="left",
    )
    if nameless := named["scientific_name"].null_count():
        taxon = named.filter(pl.col("scientific_name").is_null())["taxon_id"][0]
        raise IntegrityError(f"the taxonomy holds {nameless:,} taxa without a scientific name, such as {taxon}")
    return named.sort("left_value")


def _small(column: str) -> pl.Expr:
    return pl.col(column).str.strip_chars().replace("", None).cast(pl.Int32)


def _converted(raw: pl.DataFrame, **columns: pl.Expr) -> pl.DataFrame:
    try:
        found = raw.select(**columns)
    except pl.exceptions.PolarsError as error:
        raise IntegrityError(f"the taxonomy's archive holds something that is not a number: {error}") from error
    empty = [name for name in _REQUIRED if name in found.columns and found[name].null_count()]
    if empty:
        raise IntegrityError(f"the taxonomy's archive holds lines without {', '.join(empty)}")
    return found


def kept_dates(store: Path) -> list[str]:
    """The dates whose taxonomy is in the store, oldest first."""
    folder = taxonomy_folder(store)
    dates = [path.name for path in folder.glob("*-*-*") if re.fullmatch(r"\d{4}-\d{2}-\d{2}", path.name)]
    return sorted(date for date in dates if (folder / date / MANIFEST).is_file())


def table_path(store: Path, manifest: TaxonomyManifest, table: str) -> Path:
    """Where a table of a date's taxonomy lies."""
    return taxonomy_folder(store) / manifest.date / manifest.generation / f"{table}.parquet"
