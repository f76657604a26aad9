"""Searches a division's databases for some of its own records: each must be found completely and with its taxon.

Queries come from the record tables, not from the databases. Building the databases belongs to ``build``.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq

from genbank_assets.extract.inputs import Input, SourceFile, find_inputs
from genbank_assets.search_databases.build import NUCLEOTIDE, PROTEIN
from genbank_assets.search_databases.programs import SEARCH_PROGRAMS, run
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionRelease
from genbank_assets.tables.feature_arrays import KEY_COLUMN, QUALIFIER_COLUMNS, FeatureArrays
from genbank_assets.tables.residues import ResidueReader

MAX_QUERIES = 10
MAX_FILES = 5
_MAX_HITS = 500
_QUERY_RESIDUES = {NUCLEOTIDE: 600, PROTEIN: 400}
_MIN_RESIDUES = {NUCLEOTIDE: 60, PROTEIN: 30}
# Requirements for a query: no gaps and few ambiguities; for proteins, many different residues.
_SEARCHABLE = {NUCLEOTIDE: re.compile(r"[ACGT]{40}"), PROTEIN: re.compile(r"[A-Z]{30}")}
_MIN_LETTERS = {NUCLEOTIDE: 4, PROTEIN: 10}


@dataclasses.dataclass(frozen=True)
class Query:
    """A query sequence.

    Attributes:
        name: its identifier in the database.
        taxa: taxon ids under which the division lists it.
        residues: the start of its sequence.
    """

    name: str
    taxa: frozenset[int]
    residues: str


@dataclasses.dataclass(frozen=True)
class SelfSearch:
    """Result of searching a division's own databases.

    Attributes:
        searched: database → names that were searched for.
        missing: ``database: name`` and the problem, for each failed query.
    """

    searched: dict[str, tuple[str, ...]]
    missing: tuple[str, ...]


def search_itself(partition: PartitionRelease, manifest: Manifest, *, settings: Settings) -> SelfSearch:
    """Search the databases of a division for some of its records.

    Raises:
        NotFoundError: a program of BLAST+ is not installed.
    """
    (one,) = find_inputs(settings.store, partitions=[str(partition.key)], release=partition.release)
    folder = partition.folder_of(manifest)
    searched: dict[str, tuple[str, ...]] = {}
    missing: list[str] = []
    for database, program in zip((NUCLEOTIDE, PROTEIN), SEARCH_PROGRAMS, strict=True):
        if database not in manifest.extra["databases"]:
            continue
        queries = list(_queries(one, database))
        searched[database] = tuple(query.name for query in queries)
        found = _blast(program, folder / database, queries)
        missing += [f"{database}: {query.name} is not found" for query in queries if query.name not in found]
        other = [query for query in queries if query.taxa and found.get(query.name, 0) not in {*query.taxa, 0}]
        if database == PROTEIN and other:
            everywhere = _taxa_of_proteins(one, [query.name for query in other])
            other = [query for query in other if found[query.name] not in everywhere[query.name]]
        other += [query for query in queries if query.taxa and found.get(query.name) == 0]
        missing += [
            f"{database}: {query.name} has the taxon {found[query.name]}, not {sorted(query.taxa)}" for query in other
        ]
    return SelfSearch(searched, tuple(missing))


def _taxa_of_proteins(one: Input, names: list[str]) -> dict[str, set[int]]:
    """Return all taxa of some protein names; RefSeq gives identical proteins of many genomes one name."""
    found: dict[str, set[int]] = {name: set() for name in names}
    for file in one.files:
        table = one.coding_sequences.get(file.name)
        taxon_of = dict(
            pl.scan_parquet(file.records).select("record_ordinal", "taxon_id").collect().iter_rows()
        ) if table else {}  # fmt: skip
        if table:
            rows = pl.scan_parquet(table).filter(pl.col("protein_id").is_in(names))
            for name, ordinal in rows.select("protein_id", "record_ordinal").collect().iter_rows():
                found[name].add(taxon_of[ordinal] or 0)
            continue
        with pq.ParquetFile(file.records) as records:
            for batch in records.iter_batches(columns=["taxon_id", KEY_COLUMN, *QUALIFIER_COLUMNS], batch_size=1000):
                features = FeatureArrays(batch)
                taxa = batch.column("taxon_id").to_pylist()
                for number, name in enumerate(features.first("protein_id").to_pylist()):
                    if name in found:
                        found[name].add(taxa[int(features.record[number])] or 0)
    return found


def _blast(program: str, database: Path, queries: list[Query]) -> dict[str, int]:
    """Return the taxa of the queries that are found under their own name with a full-length identical match.

    If more entries match than BLAST lists, the record is retrieved by name.
    """
    found: dict[str, int] = {}
    plain = ["-dust", "no"] if program == "blastn" else ["-seg", "no", "-comp_based_stats", "0"]
    for query in queries:
        options = ["-db", str(database), *plain, "-evalue", "1e-3", "-outfmt",
                   "6 sallseqid pident length qlen", "-max_target_seqs", str(_MAX_HITS)]  # fmt: skip
        text = f">query\n{query.residues}\n"
        hits = list(_whole(run(program, options, text=text)))
        listed = any(query.name in names for names in hits)
        if listed or (len(hits) >= _MAX_HITS and _is_there(database, query)):
            found[query.name] = _taxon_of(database, query.name)
    return found


def _whole(text: str) -> Iterator[list[str]]:
    """Yield the names of each full-length identical hit."""
    for line in text.splitlines():
        names, identity, length, wanted = line.split("\t")
        if float(identity) == 100 and int(length) == int(wanted):
            yield [_bare(name) for name in names.split(";")]


def _bare(name: str) -> str:
    """Convert ``gb|J02482.1|`` to ``J02482.1``, and ``pdb|1ABC|A`` to ``1ABC_A``."""
    parts = [part for part in name.split("|") if part]
    return "_".join(parts[1:]) if parts[0] == "pdb" else parts[-1]


def _is_there(database: Path, query: Query) -> bool:
    """Return whether the entry with this name starts with the query."""
    text = run("blastdbcmd", ["-db", str(database), "-entry", query.name, "-outfmt", "%s"])
    return text.startswith(query.residues)


def _taxon_of(database: Path, name: str) -> int:
    """Return the taxon of a name in the database."""
    text = run("blastdbcmd", ["-db", str(database), "-entry", name, "-outfmt", "%a %T"])
    taxa = dict(line.rsplit(" ", 1) for line in text.splitlines())
    return int(taxa.get(name, next(iter(taxa.values()), 0)))


def _queries(one: Input, database: str) -> Iterator[Query]:
    """Select suitable records from some files of the division."""
    files = [file for file in one.files if file.rows]
    chosen = [files[at] for at in sorted({*np.linspace(0, len(files) - 1, MAX_FILES).astype(int).tolist()})]
    share = -(-MAX_QUERIES // len(chosen))
    names: set[str] = set()
    for file in chosen:
        taken = 0
        for query in _of_file(file, database):
            if query.name not in names and taken < share:
                names.add(query.name)
                taken += 1
                yield query


def _of_file(file: SourceFile, database: str) -> Iterator[Query]:
    """Select queries from the first and last row group of a file's table."""
    with pq.ParquetFile(file.records) as table:
        groups = table.metadata.num_row_groups
        for group in sorted({0, groups - 1}):
            columns = ["record_ordinal", "accession_version", "taxon_id", "length", "length_unit", "sequence_sha256"]
            more = [KEY_COLUMN, *QUALIFIER_COLUMNS] if database == PROTEIN else []
            batch = table.read_row_group(group, columns=[*columns, *more]).combine_chunks().to_batches()[0]
            records = pl.DataFrame({name: pl.from_arrow(batch.column(name)) for name in columns})
            wanted = records.filter(
                pl.col("sequence_sha256").is_not_null()
                & ((pl.col("length_unit") == "aa") == (database == PROTEIN))
                & (pl.col("length") >= _MIN_RESIDUES[database])
            ).sort("record_ordinal")
            yield from _of_records(file, wanted[:MAX_QUERIES], database)
            if database == PROTEIN:
                yield from _translations(FeatureArrays(batch), records)


def _of_records(file: SourceFile, rows: pl.DataFrame, database: str) -> Iterator[Query]:
    reader = ResidueReader(file.sequences)
    try:
        for ordinal, name, taxon, length in rows.select(
            "record_ordinal", "accession_version", "taxon_id", "length"
        ).iter_rows():
            end = min(length, _QUERY_RESIDUES[database])
            residues = b"".join(reader.part(ordinal, start=1, end=end, reverse=False)).decode().upper()
            if _searchable(residues, database):
                yield Query(name, frozenset([taxon] if taxon else ()), residues)
    finally:
        reader.close()


def _translations(features: FeatureArrays, records: pl.DataFrame) -> Iterator[Query]:
    named = features.first("protein_id").to_pylist()
    given = features.first("translation").to_pylist()
    by_name: dict[str, tuple[set[int], str]] = {}
    for number, (name, letters) in enumerate(zip(named, given, strict=True)):
        if not name or not letters:
            continue
        taxon = records["taxon_id"][int(features.record[number])]
        taxa, _ = by_name.setdefault(name, (set(), "".join(letters.split())))
        taxa.update([taxon] if taxon else ())
    for name, (taxa, letters) in by_name.items():
        residues = letters[: _QUERY_RESIDUES[PROTEIN]]
        if len(residues) >= _MIN_RESIDUES[PROTEIN] and _searchable(residues, PROTEIN):
            yield Query(name, frozenset(taxa), residues)


def _searchable(residues: str, database: str) -> bool:
    enough = len(set(residues) - {"N", "X"}) >= _MIN_LETTERS[database]
    return enough and _SEARCHABLE[database].search(residues) is not None
