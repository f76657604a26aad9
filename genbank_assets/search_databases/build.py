"""The stage ``blast_database``: a division's BLAST databases, and a DIAMOND database if DIAMOND is installed.

Databases are built in a hidden folder, checked with ``blastdbcmd``, moved to the folder of their generation, and
published with the manifest. Readers find either the previous databases or all of the new ones.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from genbank_assets.durable import file_sha256, hidden_name
from genbank_assets.errors import IntegrityError, NotFoundError
from genbank_assets.extract.inputs import Input, find_inputs
from genbank_assets.generations import find_intact_output, new_generation, prune_generations, remove_folder
from genbank_assets.measure import Stopwatch, peak_memory_bytes
from genbank_assets.reports import SearchDatabaseReport
from genbank_assets.search_databases.nucleotides import Nucleotides
from genbank_assets.search_databases.programs import (
    PROGRAMS,
    Feed,
    blast_version,
    count_lines,
    has_diamond,
    require_programs,
)
from genbank_assets.search_databases.proteins import Proteins
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionRelease, Stage, publish_manifest
from genbank_assets.tables.clades import Taxonomy, open_taxonomy
from genbank_assets.tables.taxonomy import table_path

STAGE: Stage = "blast_database"
# Increment when entries or names in the databases change.
CODE_VERSION = "1"
NUCLEOTIDE, PROTEIN = "nucleotide", "protein"
_TYPES = {NUCLEOTIDE: "nucl", PROTEIN: "prot"}
_BUILDING = ".building"


def build_blast_database(
    partition: PartitionRelease, *, settings: Settings, progress: Callable[[str], None], run_id: str
) -> Manifest:
    """Build a division's search databases and publish them.

    Raises:
        NotFoundError: a program of BLAST+ is not installed, or the division's tables are not published.
        IntegrityError: a table is damaged, or a program failed; nothing is published.
    """
    require_programs(*PROGRAMS)
    (one,) = find_inputs(settings.store, partitions=[str(partition.key)], release=partition.release)
    version = f"{CODE_VERSION} diamond" if has_diamond() else CODE_VERSION
    taxonomy = _taxonomy(settings, progress) if has_diamond() else None
    if taxonomy is not None:
        version += f" {taxonomy.manifest.digest[:16]}"
    digest = one.tables.unique.digest

    def same(manifest: Manifest) -> bool:
        return (manifest.input_digest, manifest.code_version) == (digest, version)

    manifest = find_intact_output(partition, STAGE, same, recheck=False)
    if manifest is not None:
        progress("nothing changed: the databases were made from the same records before")
        now = dataclasses.replace(manifest.report, files_now=0, bytes_now=0, seconds=0.0, cpu_seconds=0.0)
        manifest = dataclasses.replace(manifest, report=now)
    else:
        generation = new_generation(partition, STAGE, input_digest=digest, code_version=version)
        folder = partition.generation_folder(STAGE, generation)
        with Stopwatch() as watch, _hidden_folder(folder) as building:
            made = _databases(one, building, taxonomy=taxonomy, settings=settings, progress=progress)
        manifest = _manifest(
            one, folder, made=made, input_digest=digest, code_version=version, watch=watch, run_id=run_id
        )
        manifest = publish_manifest(manifest, partition=partition)
    prune_generations(partition, STAGE, grace_seconds=settings.keep_replaced_seconds)
    return manifest


def _taxonomy(settings: Settings, progress: Callable[[str], None]) -> Taxonomy | None:
    try:
        return open_taxonomy(settings.store)
    except NotFoundError:
        progress("there is no taxonomy in the store: the DIAMOND database knows no taxa; materialize ncbi/taxonomy")
        return None


@contextlib.contextmanager
def _hidden_folder(folder: Path) -> Iterator[Path]:
    """Give a hidden folder that is renamed when the block succeeds; leftovers of killed runs are removed first."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for left in folder.parent.glob(f"{_BUILDING}*"):
        shutil.rmtree(left, ignore_errors=True)
    building = folder.with_name(hidden_name(f"{_BUILDING[1:]}.{folder.name}", suffix=""))
    building.mkdir()
    try:
        yield building
        if folder.exists():
            remove_folder(folder)
        building.replace(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _databases(
    one: Input, folder: Path, *, taxonomy: Taxonomy | None, settings: Settings, progress: Callable[[str], None]
) -> dict[str, dict[str, int]]:
    """Build all databases; return a description of each by name."""
    scratch = folder / "scratch"
    scratch.mkdir()
    title = f"{one.partition.key} {one.partition.release}"
    made: dict[str, dict[str, int]] = {}

    nucleotides = Nucleotides(one)
    taxa = scratch / "nucleotide.taxa"
    nucleotides.write_taxa(taxa)
    if nucleotides.ids:
        progress(f"makeblastdb of the nucleotides of {nucleotides.ids:,} records")
        text = nucleotides.text(scratch=scratch / "distinct", workers=settings.workers)
        _feed([_makeblastdb(folder, NUCLEOTIDE, title=title, taxa=taxa)], text)
        _check_names(folder / NUCLEOTIDE, expected=nucleotides.ids)
        made[NUCLEOTIDE] = {"sequences": nucleotides.sequences, "names": nucleotides.ids}

    proteins = Proteins(one, scratch=scratch, workers=settings.workers)
    taxa = scratch / "protein.taxa"
    proteins.write_taxa(taxa)
    if proteins.ids:
        programs = "makeblastdb and diamond" if has_diamond() else "makeblastdb"
        progress(f"{programs} of {proteins.ids:,} proteins")
        feeds = [_makeblastdb(folder, PROTEIN, title=title, taxa=taxa)]
        if has_diamond():
            feeds.append(_makedb(folder, scratch=scratch, taxa=taxa, taxonomy=taxonomy, settings=settings))
        _feed(feeds, proteins.text())
        _check_names(folder / PROTEIN, expected=proteins.ids)
        made[PROTEIN] = {"sequences": proteins.sequences, "names": proteins.ids, "renamed": proteins.renamed}
    shutil.rmtree(scratch)
    return made


def _makeblastdb(folder: Path, name: str, *, title: str, taxa: Path) -> tuple[str, list[str]]:
    return "makeblastdb", [
        "-in", "-", "-dbtype", _TYPES[name], "-parse_seqids", "-taxid_map", str(taxa), "-title", f"{title} {name}",
        "-blastdb_version", "5", "-out", str(folder / name),
    ]  # fmt: skip


def _makedb(
    folder: Path, *, scratch: Path, taxa: Path, taxonomy: Taxonomy | None, settings: Settings
) -> tuple[str, list[str]]:
    """Return the arguments for DIAMOND; with taxa if the required taxonomy is in the store."""
    arguments = ["makedb", "--db", str(folder / PROTEIN), "--threads", str(settings.workers)]
    if taxonomy is None:
        return "diamond", arguments
    pairs = pl.read_csv(taxa, separator=" ", has_header=False, new_columns=["name", "taxon"], quote_char=None)
    now = taxonomy.resolve(pairs["taxon"].to_numpy().astype(np.int64))
    names = pairs.with_columns(taxon=pl.Series(now.taxon_ids)).filter(~pl.Series(now.unknown | now.deleted))
    names.select(
        pl.col("name").str.split(".").list.first().alias("accession"),
        pl.col("name").alias("accession.version"),
        pl.col("taxon").alias("taxid"),
        pl.lit(0).alias("gi"),
    ).write_csv(scratch / "accession2taxid", separator="\t", quote_style="never")
    nodes = pl.scan_parquet(table_path(settings.store, taxonomy.manifest, "nodes"))
    # Without ranks: DIAMOND fails on unknown ranks, which NCBI adds from time to time, and clades do not need them.
    line = pl.format("{}\t|\t{}\t|\tno rank\t|\t", "taxon_id", pl.coalesce("parent_id", "taxon_id"))
    nodes.select(line.alias("line")).collect().write_csv(
        scratch / "nodes.dmp", include_header=False, quote_style="never"
    )
    return "diamond", [
        *arguments, "--taxonmap", str(scratch / "accession2taxid"), "--taxonnodes", str(scratch / "nodes.dmp"),
    ]  # fmt: skip


def _feed(programs: Sequence[tuple[str, list[str]]], text: Iterator[Any]) -> None:
    """Stream text into several programs at once."""
    with contextlib.ExitStack() as stack:
        feeds = [stack.enter_context(Feed(name, arguments)) for name, arguments in programs]
        for piece in text:
            for feed in feeds:
                feed.write(piece)
        for feed in feeds:
            feed.finish()


def _check_names(database: Path, *, expected: int) -> None:
    """Check with BLAST's own program that all names are in the database."""
    listed = count_lines("blastdbcmd", ["-db", str(database), "-entry", "all", "-outfmt", "%a"])
    if listed != expected:
        raise IntegrityError(
            f"the BLAST database {database.name} has {listed:,} names and should have {expected:,}; nothing is "
            "published: look at the names in the record tables"
        )


def _manifest(
    one: Input, folder: Path, *, made: dict[str, dict[str, int]], input_digest: str, code_version: str,
    watch: Stopwatch, run_id: str,
) -> Manifest:  # fmt: skip
    files: tuple[dict[str, Any], ...] = tuple(
        {"name": path.name, "bytes": path.stat().st_size, "sha256": file_sha256(path)}
        for path in sorted(folder.iterdir())
    )
    size = sum(entry["bytes"] for entry in files)
    key = one.partition.key
    return Manifest(
        stage=STAGE,
        code_version=code_version,
        collection=key.collection,
        release=one.partition.release,
        division=key.division,
        input_digest=input_digest,
        files=files,
        extra={"databases": made, "blast_version": blast_version(), "diamond": (folder / "protein.dmnd").exists()},
        report=SearchDatabaseReport(
            files=len(files),
            files_now=len(files),
            records=sum(file.rows for file in one.files),
            distinct_sequences=sum(counts["sequences"] for counts in made.values()),
            bytes_in=sum(file.records.stat().st_size + file.sequences.stat().st_size for file in one.files),
            bytes_out=size,
            bytes_now=size,
            seconds=watch.seconds,
            cpu_seconds=watch.cpu_seconds,
            peak_memory_bytes=peak_memory_bytes(),
        ),
        run_id=run_id,
        generation=folder.name,
    )
