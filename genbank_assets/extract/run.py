"""Extracts: a selection, a format and a place to write to in, files and a manifest out.

The same query on the same store gives the same bytes, manifest included. Standard output is as good as a file; only
shards can be taken up again.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from genbank_assets import __version__
from genbank_assets.catalog.divisions import Published
from genbank_assets.errors import NotFoundError, SettingsError
from genbank_assets.extract.conditions import conditions_of
from genbank_assets.extract.distinct import choose_distinct
from genbank_assets.extract.engine import Done, run_stretches
from genbank_assets.extract.formats import FORMATS, Format, FormatOptions
from genbank_assets.extract.formats.tables import Columns
from genbank_assets.extract.inputs import Input, find_inputs
from genbank_assets.extract.manifest import Extract, manifest_path
from genbank_assets.extract.metadata import check_metadata, write_metadata
from genbank_assets.extract.names import ORDERS
from genbank_assets.extract.output import FileOutput, Output, ParquetOutput, Shards, StreamOutput, WrittenFile
from genbank_assets.extract.plan import Plan, make_plan
from genbank_assets.extract.scan import Stretch, stretches
from genbank_assets.extract.selection import Selection
from genbank_assets.extract.sorting import SortedOutput
from genbank_assets.settings import Settings
from genbank_assets.store import write_atomically
from genbank_assets.tables.clades import Taxonomy, open_taxonomy


class PublishedTables(Published, Protocol):
    """Tables in another place than a store's folder, with a taxonomy."""

    def taxonomy(self) -> Taxonomy:
        """The newest taxonomy there."""
        ...


def extract(
    selection: Selection,
    *,
    settings: Settings,
    to: Path | BinaryIO,
    format_: str = "fasta",
    options: FormatOptions | None = None,
    order: str = "ncbi",
    shard_bytes: int | None = None,
    manifest: Path | None = None,
    metadata: tuple[str, ...] = (),
    progress: Callable[[str], None] = lambda line: None,
    tables: PublishedTables | None = None,
) -> Extract:
    """Write the entries of a selection to a file, to shards or to a stream.

    Readers see a file once it is whole, a shard once it is finished. Beside a file lies its manifest,
    ``NAME.manifest.json``, written last, before metadata that are made of it.

    Args:
        selection: what is wanted.
        settings: where the store is, and how many threads work.
        to: path of the file, or a binary stream. A name that ends in ``.gz`` or ``.zst`` is packed.
        format_: one of :data:`FORMATS`.
        options: how entries are written.
        order: ``ncbi`` (partitions, files and records as NCBI has them) or ``accession``.
        shard_bytes: write shards of so much text instead of one file.
        manifest: where the manifest goes; beside the file by default, nowhere for a stream.
        metadata: ``croissant``, ``ro-crate``: metadata to write beside the file, behind its manifest.
        progress: called with lines for people.
        tables: where tables are published, to read from there instead of the store.

    Raises:
        SettingsError: the format cannot do what is asked for.
        NotFoundError: a partition, release, taxon or taxonomy is not in the store.
        IntegrityError: a table is damaged; nothing is published but shards that were finished.
    """
    if format_ not in FORMATS:
        raise SettingsError(f"there is no format {format_!r}: there are {', '.join(FORMATS)}")
    if order not in ORDERS:
        raise SettingsError(f"entries come in the order {' or '.join(ORDERS)}, not {order!r}")
    check_metadata(metadata, to if isinstance(to, Path) else None)
    if metadata and manifest is not None and isinstance(to, Path) and manifest.resolve() != manifest_path(to).resolve():
        raise SettingsError("metadata name the manifest beside the file: leave out --manifest")
    options = options or FormatOptions()
    kind = FORMATS[format_]
    inputs = find_inputs(tables or settings.store, partitions=selection.partitions, release=selection.release)
    taxonomy = _taxonomy(
        tables.taxonomy if tables else lambda: open_taxonomy(settings.store), selection, kind, progress
    )
    writer = kind(selection, options, taxonomy)
    query = _query(selection, format_, options, order)
    digest = _digest(query, inputs, taxonomy)
    plan = make_plan(inputs, selection)
    conditions = conditions_of(selection, taxonomy)
    if selection.distinct:
        scratch = Path(tempfile.gettempdir()) if tables else settings.store / "extract"
        plan = choose_distinct(plan, conditions, scratch=scratch, format_=writer)
    output = _output(to, writer, plan=plan, order=order, shard_bytes=shard_bytes, digest=digest)
    whole_files = kind.whole_files
    try:
        counts, files = _written(
            list_of(plan, whole_files=whole_files), writer, conditions, output, settings=settings, progress=progress
        )
    except BaseException:
        output.abandon()
        raise
    found = Extract(
        query=query,
        inputs=tuple(one.as_dict() for one in inputs),
        taxonomy=taxonomy.date if taxonomy else None,
        entries=sum(file.entries for file in files),
        excluded=dict(sorted((reason, count) for reason, count in counts.items() if count)),
        not_found=plan.not_found,
        files=files,
    )
    if manifest is None and isinstance(to, Path):
        manifest = manifest_path(to)
    if manifest is not None:
        write_atomically(manifest, found.as_json().encode())
    if metadata and isinstance(to, Path):
        write_metadata(found, to=to, names=metadata)
    return found


def list_of(plan: Plan, *, whole_files: bool) -> Any:
    """The stretches of a plan, lazily."""
    return stretches(plan.files, whole_files=whole_files)


def _written(
    every: Any,
    writer: Format,
    conditions: Any,
    output: Output,
    *,
    settings: Settings,
    progress: Callable[[str], None],
) -> tuple[Counter[str], tuple[WrittenFile, ...]]:
    """Run all stretches that finished shards do not have yet."""
    counts: Counter[str] = Counter()
    begin = 0
    if output.resumed is not None:
        begin = output.resumed["stretch"]
        counts.update(output.resumed["counts"])
        progress(f"resumes after {len(output.resumed['files'])} finished shard(s)")
    numbered = _from(every, begin)
    number = begin
    file = ""
    for item in run_stretches(numbered, format_=writer, conditions=conditions, workers=settings.workers):
        if isinstance(item, Done):
            counts.update(item.counts)
            output.stretch_done(number, dict(counts))
            number += 1
            if item.stretch.plan.file.name != file:
                file = item.stretch.plan.file.name
                progress(f"{item.stretch.plan.input.partition.key}: {file}")
        else:
            output.write(item)
    return counts, output.finish()


def _from(every: Any, begin: int) -> Any:
    for number, stretch in enumerate(every):
        if number >= begin:
            yield stretch


def _taxonomy(
    open_newest: Callable[[], Taxonomy], selection: Selection, kind: type[Format], progress: Callable[[str], None]
) -> Taxonomy | None:
    """The newest taxonomy, where it is needed or of use."""
    if selection.taxa or selection.not_taxa or kind.needs_taxonomy:
        return open_newest()
    if kind.name == "accession2taxid":
        try:
            return open_newest()
        except NotFoundError:
            progress("there is no taxonomy in the store: taxa that were merged keep their old numbers")
    return None


def _query(selection: Selection, format_: str, options: FormatOptions, order: str) -> dict[str, Any]:
    given = {
        field.name: list(value) if isinstance(value, tuple) else value
        for field in dataclasses.fields(options)
        if (value := getattr(options, field.name)) != field.default
    }
    return {"format": format_, "order": order, **given, **selection.as_dict()}


def _digest(query: dict[str, Any], inputs: list[Input], taxonomy: Taxonomy | None) -> str:
    """SHA-256 of all that decides an extract's bytes."""
    content = [__version__, query, [one.as_dict() for one in inputs], taxonomy.manifest.digest if taxonomy else None]
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _output(
    to: Path | BinaryIO, writer: Format, *, plan: Plan, order: str, shard_bytes: int | None, digest: str
) -> Output:
    if isinstance(writer, Columns) and writer.name == "parquet":
        if not isinstance(to, Path) or shard_bytes is not None or order != "ncbi":
            raise SettingsError("Parquet goes into one file, in NCBI's order: name it with --out")
        return ParquetOutput(to, schema=writer.schema)
    if shard_bytes is not None:
        if not isinstance(to, Path):
            raise SettingsError("shards are files: name them with --out")
        if order != "ncbi":
            raise SettingsError("shards come in NCBI's order")
        return Shards(to, preamble=writer.preamble, shard_bytes=shard_bytes, query_digest=digest)
    output: Output
    if isinstance(to, Path):
        output = FileOutput(to, preamble=writer.preamble)
    else:
        output = StreamOutput(to, preamble=writer.preamble)
    return SortedOutput(output, plan=plan) if order == "accession" else output


__all__ = ["Extract", "Stretch", "extract"]
