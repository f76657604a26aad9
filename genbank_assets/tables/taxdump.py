"""Reads the ``.dmp`` files of NCBI's taxonomy archive as frames of nodes, names, merged and deleted taxa.

Sizes and numbers of columns are limited, because the archive is untrusted. Storing the tables belongs to ``taxonomy``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from genbank_assets.errors import IntegrityError
from genbank_assets.ncbi.tar_stream import Member, members
from genbank_assets.tables.nested_set import nested_set

MAX_MEMBER_BYTES = 8 * 1024**3
MAX_LINE_BYTES = 1024 * 1024
_SEPARATOR = "\x1f"  # replaces the archive's three-character separator for parsing
_REQUIRED = ("taxon_id", "parent_id", "old_taxon_id", "rank", "name", "name_class", "is_hidden")
_FILES = {
    "nodes.dmp": (13, 18),
    "names.dmp": (4, 4),
    "merged.dmp": (2, 2),
    "delnodes.dmp": (1, 1),
}  # minimum and maximum number of columns


def taxonomy_frames(archive: Path) -> dict[str, pl.DataFrame]:
    """Return the archive's tables: ``nodes``, ``names``, ``merged`` and ``deleted``.

    Raises:
        IntegrityError: a file is missing, or its content is not a taxonomy.
    """
    found: dict[str, pl.DataFrame] = {}
    for member in members(archive):
        if member.name in _FILES:
            if member.name in found:
                raise IntegrityError(f"{archive.name} holds {member.name} twice")
            found[member.name] = pl.concat(list(_frames(member)))
    if missing := sorted(set(_FILES) - set(found)):
        raise IntegrityError(f"{archive.name} holds no {', '.join(missing)}: this is not NCBI's taxonomy")
    names = _names(found.pop("names.dmp"))
    return {
        "nodes": _nodes(found.pop("nodes.dmp"), names),
        "names": names.sort("name_key", "taxon_id", "name_class", "name"),
        "merged": _converted(found["merged.dmp"], old_taxon_id=_id("c0"), taxon_id=_id("c1")).unique("old_taxon_id"),
        "deleted": _converted(found["delnodes.dmp"], taxon_id=_id("c0")).unique(),
    }


def _frames(member: Member) -> Iterator[pl.DataFrame]:
    """Yield the text columns ``c0``, ``c1`` … of a ``.dmp`` file, in pieces."""
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
    """Return the nodes in nested-set order, with their scientific names."""
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
