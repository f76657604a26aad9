"""The job ``extract``: the command of that name as a form in the launchpad, its result as Markdown.

What it does belongs to ``genbank_assets.extract``.
See https://docs.dagster.io/guides/operate/configuration/run-configuration
"""

import datetime as dt
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from genbank_assets.defs.failures import failures
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.errors import SettingsError
from genbank_assets.extract.formats import FormatOptions
from genbank_assets.extract.manifest import Extract, manifest_path
from genbank_assets.extract.names import FORMAT_NAMES, METADATA_NAMES, ORDERS
from genbank_assets.extract.output import check_shard_size
from genbank_assets.extract.overview import Overview, overview
from genbank_assets.extract.run import extract
from genbank_assets.extract.selection import Selection, parse_days, parse_length

MAX_LISTED = 20


class ExtractConfig(dg.Config):
    """Which records or features, in which form, where to. All conditions have to hold; of a list, any value will do."""

    out: str = Field(
        description="Path of the file to write, on the machine that runs this; compressed if it ends in .gz or .zst."
    )
    format: str = Field(default="fasta", description=f"One of {', '.join(FORMAT_NAMES)}.")
    partitions: list[str] = Field(default=[], description="Such as genbank/phg; empty for all that are in the store.")
    release: str = Field(default="", description="This release instead of the newest of each partition.")
    taxa: list[str] = Field(default=[], description="Names or numbers of taxa, with everything below them.")
    not_taxa: list[str] = Field(default=[], description="Taxa to leave out, with everything below them.")
    organisms: list[str] = Field(default=[], description="Names as in ORGANISM, ignoring case.")
    accessions: list[str] = Field(default=[], description="With or without version; empty for all.")
    exclude: list[str] = Field(default=[], description="Accessions to leave out, with or without version.")
    length: str = Field(default="", description="Length of the record: 500-2000, 500- or -2000.")
    updated_since: str = Field(default="", description="Least date on the LOCUS line, such as 2024-06-30.")
    countries: list[str] = Field(default=[], description="Countries or seas of /geo_loc_name or /country.")
    collected: str = Field(default="", description="Days of collection: 2020..2021-06, 2020.., 2020.")
    molecule_types: list[str] = Field(default=[], description="As on the LOCUS line: DNA, RNA, mRNA.")
    changed_since: str = Field(default="", description="A release: records that are not in it in the same state.")
    distinct: bool = Field(default=False, description="One record for each different sequence.")
    features: list[str] = Field(default=[], description="Feature keys, such as CDS; empty for whole records.")
    genes: list[str] = Field(default=[], description="Genes or markers by any of their names, such as cox1.")
    products: list[str] = Field(default=[], description="Names of products; * stands for anything.")
    header: str = Field(default="", description="Words behind the first one of FASTA headers: {organism} {definition}.")
    width: int = Field(default=60, description="Residues in a line of FASTA; 0 for one line.")
    kraken: bool = Field(default=False, description="|kraken:taxid|N behind the first word of FASTA headers.")
    columns: list[str] = Field(default=[], description="Columns of tsv and parquet.")
    ranks: list[str] = Field(default=[], description="Ranks of crabs, sintax and qiime2, highest first.")
    order: str = Field(default="ncbi", description=f"Of the entries: {' or '.join(ORDERS)}.")
    shard_mb: float = Field(default=0, description="Write files of about so many MB of text; 0 for one file.")
    metadata: list[str] = Field(default=[], description=f"To write beside the file: {', '.join(METADATA_NAMES)}.")

    def selection(self) -> Selection:
        """Return what is wanted.

        Raises:
            SettingsError: a condition cannot be read.
        """
        least, greatest = parse_length(self.length) if self.length else (None, None)
        first, last = parse_days(self.collected) if self.collected else (None, None)
        return Selection(
            partitions=tuple(self.partitions),
            release=self.release or None,
            taxa=tuple(self.taxa),
            not_taxa=tuple(self.not_taxa),
            organisms=tuple(self.organisms),
            accessions=tuple(self.accessions) or None,
            excluded_accessions=tuple(self.exclude),
            min_length=least,
            max_length=greatest,
            updated_since=_day(self.updated_since),
            countries=tuple(self.countries),
            collected_from=first,
            collected_to=last,
            molecule_types=tuple(self.molecule_types),
            changed_since=self.changed_since or None,
            distinct=self.distinct,
            features=tuple(self.features),
            genes=tuple(self.genes),
            products=tuple(self.products),
        )

    def options(self) -> FormatOptions:
        """Return how entries are written.

        Raises:
            SettingsError: no line has so many residues.
        """
        return FormatOptions(
            header=self.header or None,
            width=self.width,
            kraken=self.kraken,
            columns=tuple(self.columns),
            ranks=tuple(self.ranks),
        )


def _day(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if text else None
    except ValueError:
        raise SettingsError(f"updated_since is written 2024-06-30, not {text!r}") from None


@dg.op(
    description=(
        "Writes records, features or tables of what is in the store to a file, with a manifest beside it. The result "
        "is the step's output: open its Markdown in the run. Fails when an accession that was asked for is not there."
    ),
    out=dg.Out(dict, description="The manifest."),
    tags={"stage": "extract"},
)
def write_extract(
    context: dg.OpExecutionContext, config: ExtractConfig, mirror: MirrorResource
) -> dg.Output[dict[str, Any]]:
    """Extract, count, show."""
    with failures(context):
        if not config.out.strip():
            raise SettingsError("name the file to write as out")
        settings, selection, path = mirror.settings(), config.selection(), Path(config.out)
        found = extract(
            selection,
            settings=settings,
            to=path,
            format_=config.format,
            options=config.options(),
            order=config.order,
            shard_bytes=check_shard_size(config.shard_mb) if config.shard_mb else None,
            metadata=tuple(config.metadata),
            progress=context.log.info,
        )
        seen = overview(selection, settings=settings)
    manifest = manifest_path(path).resolve()
    metadata: dict[str, Any] = {
        "extract": dg.MetadataValue.md(as_markdown(found, seen)),
        "entries": found.entries,
        "records": seen.records,
        "path": dg.MetadataValue.path(str(path.resolve())),
        "manifest": dg.MetadataValue.path(str(manifest)),
    }
    if found.not_found:
        shown = ", ".join(found.not_found[:MAX_LISTED])
        raise dg.Failure(
            description=f"accessions were not found ({len(found.not_found):,}; the manifest lists all): {shown}",
            metadata=metadata,
            allow_retries=False,
        )
    return dg.Output(found.query | {"entries": found.entries, "manifest": str(manifest)}, metadata=metadata)


def as_markdown(found: Extract, seen: Overview) -> str:
    """Counts, what was left out and why, files, and bars of the records."""
    lines = [f"**{found.entries:,} entries** of {seen.records:,} chosen records.", ""]
    lines += [f"* {one['partition']} {one['release']}" for one in found.inputs]
    if found.excluded:
        lines += ["", "| left out because | |", "|---|--:|"]
        lines += [f"| {reason} | {count:,} |" for reason, count in found.excluded.items()]
    lines += ["", "| file | bytes | SHA-256 |", "|---|--:|---|"]
    lines += [f"| {file.name} | {file.bytes:,} | `{file.sha256}` |" for file in found.files]
    return "\n".join([*lines, "", seen.as_markdown()])


@dg.job(
    name="extract",
    description=(
        "Writes what conditions leave of the store to a file: FASTA, NCBI's text, proteins, features, tables. Fill in "
        "the form of the launchpad; docs/extract.md says what each condition means."
    ),
    executor_def=dg.in_process_executor,
    config=dg.RunConfig(ops={"write_extract": ExtractConfig(out="extract.fasta", partitions=["genbank/phg"])}),
)
def extract_job() -> None:
    """One op."""
    write_extract()
