"""Runs an extract: selection, format and destination in, files and a manifest out.

The same query on the same store gives identical bytes, including the manifest. Standard output is handled like a file;
only shards can be resumed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from genbank_assets import __version__
from genbank_assets.catalog.divisions import Published
from genbank_assets.durable import is_special, store_errors
from genbank_assets.errors import NotFoundError, SettingsError, StoreError
from genbank_assets.extract.conditions import Condition, conditions_of
from genbank_assets.extract.engine import Done, run_stretches
from genbank_assets.extract.formats import Format, FormatOptions, format_named
from genbank_assets.extract.inputs import Input, find_inputs
from genbank_assets.extract.manifest import Extract, manifest_path
from genbank_assets.extract.names import ORDERS
from genbank_assets.extract.output import FileOutput, Output, ParquetOutput, Shards, StreamOutput, WrittenFile
from genbank_assets.extract.plan import Plan, make_plan
from genbank_assets.extract.scan import FEATURES, Stretch, stretches
from genbank_assets.extract.selection import Selection
from genbank_assets.settings import Settings
from genbank_assets.store import write_atomically

if TYPE_CHECKING:
    from genbank_assets.tables.clades import Taxonomy


class PublishedTables(Published, Protocol):
    """Tables published outside of a store, with a taxonomy."""

    def taxonomy(self) -> Taxonomy:
        """Return the newest published taxonomy."""
        ...


def extract(
    selection: Selection,
    *,
    settings: Settings,
    to: Path | BinaryIO,
    format_: str | None = None,
    options: FormatOptions | None = None,
    order: str = "ncbi",
    shard_bytes: int | None = None,
    manifest: Path | None = None,
    metadata: tuple[str, ...] = (),
    progress: Callable[[str], None] = lambda line: None,
    tables: PublishedTables | None = None,
) -> Extract:
    """Write the entries of a selection to a file, to shards or to a stream.

    Files and shards appear when they are complete. The manifest ``NAME.manifest.json`` beside a file is written last,
    except for metadata, which refer to it.

    Args:
        selection: the query.
        settings: name the store and the number of threads.
        to: path of the file, or a binary stream; suffixes ``.gz`` and ``.zst`` select compression. A device or pipe
            is written in place, like a stream.
        format_: one of :data:`genbank_assets.extract.names.FORMAT_NAMES`; by default ``feature`` if features are
            selected, otherwise ``fasta``.
        options: how to write entries.
        order: ``ncbi`` (NCBI's order of partitions, files and records) or ``accession``.
        shard_bytes: size of text per shard; None writes a single file.
        manifest: path of the manifest; by default beside the file, and none for a stream.
        metadata: metadata to write beside the file: ``croissant``, ``ro-crate``.
        progress: called with messages for the user.
        tables: published tables to read instead of the store.

    Returns:
        The extract, as described by its manifest.

    Raises:
        SettingsError: the format does not support the query or the options.
        NotFoundError: a partition, release, taxon or taxonomy does not exist.
        IntegrityError: a table is damaged; nothing is published except for finished shards.
        StoreError: the output cannot be written.
    """
    if isinstance(to, Path) and is_special(to):
        with _write_errors(to), to.open("wb") as stream:
            return extract(
                selection,
                settings=settings,
                to=stream,
                format_=format_,
                options=options,
                order=order,
                shard_bytes=shard_bytes,
                manifest=manifest,
                metadata=metadata,
                progress=progress,
                tables=tables,
            )
    format_ = format_ or ("feature" if selection.asks_for_features else "fasta")
    kind = format_named(format_)
    _check_output(to, order=order, manifest=manifest, metadata=metadata)
    options = options or FormatOptions()
    inputs = find_inputs(tables or settings.store, partitions=selection.partitions, release=selection.release)
    taxonomy = _taxonomy(tables or settings.store, selection, kind, progress)
    writer = kind(selection, options, taxonomy)
    query = _query(selection, format_, options, order)
    digest = _digest(query, inputs, taxonomy)
    plan = make_plan(inputs, selection)
    conditions = conditions_of(selection, taxonomy, have_features=not kind.chooses_features)
    scratch = None if tables else settings.store / "extract"
    if selection.distinct:
        from genbank_assets.extract.distinct import choose_distinct

        plan = choose_distinct(plan, conditions, scratch=scratch, format_=writer)
    with _each_protein_once(plan, conditions, scratch=scratch, writer=writer) as final:
        with _write_errors(to):
            output = _output(to, writer, plan=final, order=order, shard_bytes=shard_bytes, digest=digest)
        try:
            every = stretches(final.files, whole_files=kind.whole_files)
            counts, files = _written(every, writer, conditions, output, to=to, settings=settings, progress=progress)
        except BaseException:
            output.abandon()
            raise
    features = counts.pop(FEATURES, None)
    found = Extract(
        query=query,
        inputs=tuple(one.as_dict() for one in inputs),
        taxonomy=taxonomy.date if taxonomy else None,
        records=sum(one.file.rows if one.wanted is None else len(one.wanted) for one in plan.files),
        features=features,
        entries=sum(file.entries for file in files),
        excluded=dict(sorted((reason, count) for reason, count in counts.items() if count)),
        not_found=plan.not_found,
        files=files,
    )
    _write_manifest(found, to, manifest=manifest, metadata=metadata)
    return found


def _check_output(to: Path | BinaryIO, *, order: str, manifest: Path | None, metadata: tuple[str, ...]) -> None:
    """Check the order and the destinations of the file, manifest and metadata before anything is read."""
    if isinstance(to, Path) and to.is_dir():
        raise SettingsError(f"{to} is a folder: specify a file in it")
    if order not in ORDERS:
        raise SettingsError(f"entries come in the order {' or '.join(ORDERS)}, not {order!r}")
    if metadata:
        from genbank_assets.extract.metadata import check_metadata

        check_metadata(metadata, to if isinstance(to, Path) else None)
    if metadata and manifest is not None and isinstance(to, Path) and manifest.resolve() != manifest_path(to).resolve():
        raise SettingsError("metadata name the manifest beside the file: leave out --manifest")


def _write_manifest(found: Extract, to: Path | BinaryIO, *, manifest: Path | None, metadata: tuple[str, ...]) -> None:
    """Write the manifest, beside the file unless another path is given, and then metadata that refer to it."""
    if manifest is None and isinstance(to, Path):
        manifest = manifest_path(to)
    if manifest is not None:
        write_atomically(manifest, found.as_json().encode())
    if metadata and isinstance(to, Path):
        from genbank_assets.extract.metadata import write_metadata

        write_metadata(found, to=to, names=metadata)


def _each_protein_once(
    plan: Plan, conditions: list[Condition], *, scratch: Path | None, writer: Format
) -> AbstractContextManager[Plan]:
    """Keep each RefSeq protein once in a plan for the format ``protein``; other plans have no such entries."""
    if writer.name != "protein":
        return nullcontext(plan)
    from genbank_assets.extract.formats.proteins import ProteinFasta
    from genbank_assets.extract.repeated_proteins import each_protein_once

    assert isinstance(writer, ProteinFasta)
    return each_protein_once(plan, conditions, scratch=scratch, format_=writer)


def _written(
    every: Any,
    writer: Format,
    conditions: Any,
    output: Output,
    *,
    to: Path | BinaryIO,
    settings: Settings,
    progress: Callable[[str], None],
) -> tuple[Counter[str], tuple[WrittenFile, ...]]:
    """Run all stretches that finished shards do not contain."""
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
            with _write_errors(to):
                output.write(item)
    with _write_errors(to):
        return counts, output.finish()


@contextmanager
def _write_errors(to: Path | BinaryIO) -> Iterator[None]:
    """Translate write errors to a message naming the file; broken pipes propagate unchanged."""
    name = str(to if isinstance(to, Path) else getattr(to, "name", ""))
    place = Path("standard output" if name in {"", "<stdout>"} else name)
    try:
        with store_errors(place, what="cannot write"):
            yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StoreError(f"cannot write {place}: {error.strerror}") from error


def _from(every: Any, begin: int) -> Any:
    for number, stretch in enumerate(every):
        if number >= begin:
            yield stretch


def _taxonomy(
    place: Path | PublishedTables, selection: Selection, kind: type[Format], progress: Callable[[str], None]
) -> Taxonomy | None:
    """Return the newest taxonomy, if it is required or useful."""
    needed = bool(selection.taxa or selection.not_taxa or kind.needs_taxonomy)
    if not needed and kind.name != "accession2taxid":
        return None
    try:
        if not isinstance(place, Path):
            return place.taxonomy()
        from genbank_assets.tables.clades import open_taxonomy

        return open_taxonomy(place)
    except NotFoundError:
        if needed:
            raise
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
    """Return the SHA-256 of everything that determines an extract's bytes."""
    content = [__version__, query, [one.as_dict() for one in inputs], taxonomy.manifest.digest if taxonomy else None]
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()


def _output(
    to: Path | BinaryIO, writer: Format, *, plan: Plan, order: str, shard_bytes: int | None, digest: str
) -> Output:
    if writer.schema is not None:
        if not isinstance(to, Path) or shard_bytes is not None or order != "ncbi":
            raise SettingsError("Parquet goes into one file, in NCBI's order: name it with --out")
        return ParquetOutput(to, schema=writer.schema)
    if shard_bytes is not None:
        if not isinstance(to, Path):
            raise SettingsError("shards are files: name them with --out")
        if order != "ncbi":
            raise SettingsError("shards are always in NCBI's order")
        return Shards(to, preamble=writer.preamble, shard_bytes=shard_bytes, query_digest=digest)
    output: Output
    if isinstance(to, Path):
        output = FileOutput(to, preamble=writer.preamble)
    else:
        output = StreamOutput(to, preamble=writer.preamble)
    if order == "accession":
        from genbank_assets.extract.sorting import SortedOutput

        return SortedOutput(output, plan=plan)
    return output


__all__ = ["Extract", "Stretch", "extract"]
