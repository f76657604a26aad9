"""Scaling with the existing data: tables of an object set and look-ups of names, at 1x, 10x and 100x the size.

Uses synthetic tables and sends nothing: the given number of sequences is distributed over divisions of a scratch store,
each with its membership and object table, listed in the set by manifests only. Measures what a publication does before
it sends anything (``split_known`` of a small division, and of an update of a large one), the part of ``verify`` and
``prune`` that reads tables, and look-ups of names, each in a separate process.

    python benchmarks/object_index.py [--divisions 4] [--rows 10000 100000 1000000] [--lookups] [--write]
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import multiprocessing
import os
import platform
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from genbank_assets import __version__
from genbank_assets.lookup.records import Lookup
from genbank_assets.measure import peak_memory_bytes
from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.objects.listing import ranges
from genbank_assets.objects.object_index import (
    CODE_VERSION,
    locate_all,
    published,
    split_known,
    table_path,
    write_prefixes,
)
from genbank_assets.schema.tables import MEMBERSHIP_SCHEMA, OBJECT_SCHEMA, UNIQUE_SEQUENCE_SCHEMA
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, publish_manifest
from genbank_assets.tables.buckets import sorted_writer, write_sorted

ROOT = Path(__file__).parent.parent
PARTITIONS = [PartitionKey(c.name, division) for c in COLLECTIONS.values() for division in c.divisions]
NEW_SHARE = 0.02
SMALL = 1000
NAMES = 1000


def digests(seed: int, rows: int) -> pl.Series:
    """Sorted digests, the same for the same seed."""
    raw = np.random.default_rng(seed).bytes(32 * rows)
    return pl.Series("sequence_sha256", [raw[at : at + 32] for at in range(0, len(raw), 32)], dtype=pl.Binary).sort()


def accession(number: int, seed: int) -> str:
    """Accessions of a division lie between those of the others, as at NCBI."""
    return f"{chr(65 + number % 26)}{chr(65 + number // 26 % 26)}{number:07}{seed:02}"


def write(path: Path, frame: pl.DataFrame, schema: Any, sorted_by: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = frame.with_columns(pl.lit("genbank").alias(name) for name in schema.names if name not in frame.columns)
    with sorted_writer(path, schema, sorted_by=[sorted_by]) as writer:
        write_sorted(writer, frame, schema)


def objects_frame(keys: pl.Series) -> pl.DataFrame:
    """Rows of an object table, each sequence its own object."""
    text = keys.bin.encode("hex")
    return pl.DataFrame({"sequence_sha256": keys}).with_columns(
        molecule_class=pl.lit("nucleotide"), length=pl.lit(500, pl.Int64),
        key=pl.lit("nucleotide/") + text.str.slice(0, 2) + "/" + text, offset=pl.lit(0, pl.Int64),
        bytes=pl.lit(500, pl.Int64), encoding=pl.lit("identity"), object_bytes=pl.lit(500, pl.Int64),
        object_sha256="sequence_sha256", etag=text.str.slice(0, 32), refget=pl.lit(None, pl.String),
    )  # fmt: skip


def unique_frame(keys: pl.Series) -> pl.DataFrame:
    """Rows of a table of distinct sequences."""
    return pl.DataFrame({"sequence_sha256": keys}).with_columns(
        molecule_class=pl.lit("nucleotide"), length=pl.lit(500, pl.Int64), member_count=pl.lit(1, pl.Int64),
        representative_accession_version=pl.lit("A.1"), representative_source_file=pl.lit("f"),
        representative_record_ordinal=pl.lit(0, pl.Int64),
    )  # fmt: skip


def members_frame(keys: pl.Series, seed: int) -> pl.DataFrame:
    """Rows of a membership table."""
    rows = len(keys)
    names = pl.Series([accession(number, seed) for number in range(rows)])
    return pl.DataFrame({"accession": names, "sequence_sha256": keys}).with_columns(
        version=pl.lit(1, pl.Int32), accession_version=pl.col("accession") + ".1", source_file=pl.lit("f"),
        record_ordinal=pl.int_range(rows, dtype=pl.Int64), record_offset=pl.int_range(rows, dtype=pl.Int64),
        record_bytes=pl.lit(1000, pl.Int64), length=pl.lit(500, pl.Int64), record_sha256="sequence_sha256",
        molecule_class=pl.lit("nucleotide"), is_representative=pl.lit(value=True),
    ).sort("accession")  # fmt: skip


def make_store(settings: Settings, *, divisions: int, rows: int) -> None:
    """A store whose divisions are published."""
    for seed, key in enumerate(PARTITIONS[:divisions]):
        partition = PartitionRelease(settings.store, key, "1.0")
        keys = digests(seed, rows)
        members = partition.stage_folder("unique_records") / "memberships.parquet"
        write(members, members_frame(keys, seed), MEMBERSHIP_SCHEMA, "accession")
        table = partition.stage_folder("object_set") / "objects.parquet"
        write(table, objects_frame(keys), OBJECT_SCHEMA, "sequence_sha256")
        write_prefixes(table)
        for stage in ("unique_records", "object_set"):
            manifest = Manifest(
                stage=stage,  # type: ignore[arg-type]
                code_version=CODE_VERSION, collection=key.collection, release="1.0", division=key.division,
                input_digest="", files=({"name": "x", "rows": rows, "bytes": 0, "sha256": ""},),
                extra={"url": settings.objects_url, "manifest_key": f"manifests/{key}.parquet"},
            )  # fmt: skip
            publish_manifest(manifest, partition=partition)


def tables(settings: Settings) -> list[Path]:
    return [table_path(partition) for partition, _ in published(settings)]


def split(settings: Settings, sequences: Path) -> int:
    """What a publication finds in the set."""
    return sum(len(known) for known, _ in split_known(sequences, tables(settings)))


def compare(settings: Settings, rows: int) -> int:
    """The tables' side of verify and prune: every range of every table, without the bucket."""
    return sum(len(span.listed(table)) for span in ranges(rows) for table in tables(settings))


def look_up(settings: Settings, names: list[str]) -> int:
    """Names to records to places of their residues."""
    columns = ("sequence_sha256", "molecule_class")
    found = list(Lookup(settings).find_each(names, columns=columns).values())
    wanted = pl.DataFrame(
        {name: [record.row[name] for record in found] for name in ("sequence_sha256", "molecule_class")}
    ).unique()
    return len(locate_all(settings, wanted, first=[record.partition for record in found]))


def timed(work: Callable[..., int], *arguments: Any) -> dict[str, Any]:
    """A measurement in this process."""
    begun = time.perf_counter()
    count = work(*arguments)
    return {"seconds": time.perf_counter() - begun, "memory": peak_memory_bytes(), "count": count}


def apart(work: Callable[..., int], *arguments: Any) -> dict[str, Any]:
    """A measurement in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(timed, (work, *arguments))


def measure(folder: Path, *, divisions: int, rows: int, with_tables: bool) -> dict[str, Any]:
    """All measurements at one size."""
    settings = Settings(store=folder / "store", objects=(folder / "set").as_uri())
    make_store(settings, divisions=divisions, rows=rows)
    small, update = folder / "small.parquet", folder / "update.parquet"
    write(small, unique_frame(digests(1000, SMALL)), UNIQUE_SEQUENCE_SCHEMA, "sequence_sha256")
    new = int(rows * NEW_SHARE)
    keys = pl.concat([digests(0, rows).gather_every(1, offset=new), digests(2000, new)]).sort()
    write(update, unique_frame(keys), UNIQUE_SEQUENCE_SCHEMA, "sequence_sha256")
    draw = random.Random(3)
    names = [accession(draw.randrange(rows), 0) for _ in range(NAMES)]
    spread = [accession(draw.randrange(rows), draw.randrange(divisions)) for _ in range(NAMES)]
    lookups = {
        "1 accession": apart(look_up, settings, names[:1]),
        "10 accessions of all divisions": apart(look_up, settings, spread[:10]),
        "100 accessions of all divisions": apart(look_up, settings, spread[:100]),
        "1,000 accessions of one division": apart(look_up, settings, names),
        "1,000 accessions of all divisions": apart(look_up, settings, spread),
    }
    if not with_tables:
        return lookups
    return {
        "split_known of 1,000 sequences": apart(split, settings, small),
        "split_known of an update with 2 % new": apart(split, settings, update),
        "tables' side of verify and prune": apart(compare, settings, divisions * rows),
        **lookups,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--divisions", type=int, default=4)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--lookups", action="store_true", help="look-ups alone")
    parser.add_argument("--write", action="store_true", help="write the page of results")
    options = parser.parse_args()
    found = {}
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as folder:
            found[rows] = measure(Path(folder), divisions=options.divisions, rows=rows, with_tables=not options.lookups)
    print(json.dumps(found, indent=1))
    sizes = [f"{options.divisions} x {rows:,}" for rows in found]
    lines = [
        f"# Tables of the object set {__version__}, {dt.date.today()}",
        "",
        f"Made-up tables of {options.divisions} divisions, sequences in each at the head; seconds and peak memory of "
        f"a process of its own ({os.cpu_count()} cores, {platform.machine()}); nothing is sent.",
        "",
        "| what | " + " | ".join(sizes) + " |",
        "|---|" + "--:|" * len(sizes),
    ]
    for what in next(iter(found.values())):
        cells = [f"{f[what]['seconds']:.2f} s, {f[what]['memory'] / 1e6:,.0f} MB" for f in found.values()]
        lines.append(f"| {what} | " + " | ".join(cells) + " |")
    page = "\n".join(lines) + "\n"
    print(page)
    if options.write:
        (ROOT / "benchmarks" / "results" / f"object-index-{__version__}.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
