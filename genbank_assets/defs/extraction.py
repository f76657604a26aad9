"""The job ``extract``: the command of the same name with a form in the launchpad and a Markdown result.

Extracting itself belongs to ``genbank_assets.extract``.
See https://docs.dagster.io/guides/operate/configuration/run-configuration
"""

import datetime as dt
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import Field

from genbank_assets.defs.failures import failures
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.durable import is_special
from genbank_assets.errors import SettingsError
from genbank_assets.extract.formats import FormatOptions
from genbank_assets.extract.hints import hints_of
from genbank_assets.extract.manifest import Extract, manifest_path
from genbank_assets.extract.names import FORMAT_NAMES, METADATA_NAMES, ORDERS
from genbank_assets.extract.output import check_shard_size
from genbank_assets.extract.overview import Overview, overview
from genbank_assets.extract.run import extract
from genbank_assets.extract.selection import Selection, parse_days, parse_length

MAX_LISTED = 20


class ExtractConfig(dg.Config):
    """Records or features to extract, format and destination. All conditions must hold; a list matches any value."""

    out: str = Field(
        description="Output path on the machine that executes the run; compressed if it ends in .gz or .zst."
    )
    format: str = Field(
        default="",
        description=f"One of {', '.join(FORMAT_NAMES)}; empty means feature if features are selected, otherwise fasta.",
    )
    partitions: list[str] = Field(default=[], description="Such as genbank/phg; empty means all in the store.")
    release: str = Field(default="", description="Release to use instead of the newest of each partition.")
    taxa: list[str] = Field(default=[], description="Names or IDs of taxa, including their descendants.")
    not_taxa: list[str] = Field(default=[], description="Taxa to exclude, including their descendants.")
    organisms: list[str] = Field(default=[], description="Names as in ORGANISM, ignoring case.")
    accessions: list[str] = Field(default=[], description="With or without version; empty means all.")
    exclude: list[str] = Field(default=[], description="Accessions to exclude, with or without version.")
    length: str = Field(default="", description="Length range of the record: 500-2000, 500- or -2000.")
    updated_since: str = Field(default="", description="Earliest date on the LOCUS line, such as 2024-06-30.")
    countries: list[str] = Field(default=[], description="Countries or seas in /geo_loc_name or /country.")
    collected: str = Field(default="", description="Range of collection dates: 2020..2021-06, 2020.., 2020.")
    molecule_types: list[str] = Field(default=[], description="As on the LOCUS line: DNA, RNA, mRNA.")
    changed_since: str = Field(default="", description="Only records that are new or changed since this release.")
    distinct: bool = Field(default=False, description="Only one record per distinct sequence.")
    features: list[str] = Field(default=[], description="Feature keys, such as CDS; empty means whole records.")
    genes: list[str] = Field(default=[], description="Genes or markers by any of their names, such as cox1.")
    products: list[str] = Field(default=[], description="Product names; * matches anything.")
    header: str = Field(default="", description="FASTA header after the identifier: {organism} {definition}.")
    width: int = Field(default=60, description="Residues per FASTA line; 0 means a single line.")
    kraken: bool = Field(default=False, description="Append |kraken:taxid|N to the identifier in FASTA headers.")
    columns: list[str] = Field(default=[], description="Columns for tsv and parquet.")
    ranks: list[str] = Field(default=[], description="Ranks for crabs, sintax and qiime2, highest first.")
    order: str = Field(default="ncbi", description=f"Order of the entries: {' or '.join(ORDERS)}.")
    shard_mb: float = Field(default=0, description="Split into files of about this many MB of text; 0 means one file.")
    metadata: list[str] = Field(default=[], description=f"Metadata files to write: {', '.join(METADATA_NAMES)}.")

    def selection(self) -> Selection:
        """Return the conditions as a selection.

        Raises:
            SettingsError: a condition is invalid.
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
        """Return the format options.

        Raises:
            SettingsError: the line width is invalid.
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
        raise SettingsError(f"updated_since must be a date such as 2024-06-30, not {text!r}") from None


@dg.op(
    description=(
        "Writes records, features or tables from the store to a file, with a manifest. The step's output shows the "
        "result as Markdown. Fails if a requested accession does not exist."
    ),
    out=dg.Out(dict, description="The manifest."),
    tags={"stage": "extract"},
)
def write_extract(
    context: dg.OpExecutionContext, config: ExtractConfig, mirror: MirrorResource
) -> dg.Output[dict[str, Any]]:
    """Write the extract and return its manifest and a summary."""
    with failures(context):
        if not config.out.strip():
            raise SettingsError("out is empty: set it to the path of the file to write")
        if is_special(Path(config.out)):
            raise SettingsError(f"out is {config.out}, a device or a pipe: set it to the path of the file to write")
        settings, selection, path = mirror.settings(), config.selection(), Path(config.out)
        found = extract(
            selection,
            settings=settings,
            to=path,
            format_=config.format or None,
            options=config.options(),
            order=config.order,
            shard_bytes=check_shard_size(config.shard_mb) if config.shard_mb else None,
            metadata=tuple(config.metadata),
            progress=context.log.info,
        )
        for hint in hints_of(selection, found):
            context.log.info(hint)
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
            description=f"{len(found.not_found):,} accession(s) not found, all listed in the manifest: {shown}",
            metadata=metadata,
            allow_retries=False,
        )
    return dg.Output(found.query | {"entries": found.entries, "manifest": str(manifest)}, metadata=metadata)


def as_markdown(found: Extract, seen: Overview) -> str:
    """Return counts, exclusions by reason, files, and an overview of the records as Markdown."""
    lines = [f"**{found.entries:,} entries** from {seen.records:,} selected records.", ""]
    lines += [f"* {one['partition']} {one['release']}" for one in found.inputs]
    if found.excluded:
        lines += ["", "| reason for exclusion | records |", "|---|--:|"]
        lines += [f"| {reason} | {count:,} |" for reason, count in found.excluded.items()]
    lines += ["", "| file | bytes | SHA-256 |", "|---|--:|---|"]
    lines += [f"| {file.name} | {file.bytes:,} | `{file.sha256}` |" for file in found.files]
    return "\n".join([*lines, "", seen.as_markdown()])


@dg.job(
    name="extract",
    description=(
        "Writes the records or features that meet the given conditions to a file, as FASTA, GenBank, protein, feature "
        "or table formats. Fill in the form in the launchpad; docs/extract.md explains each condition."
    ),
    executor_def=dg.in_process_executor,
    config=dg.RunConfig(ops={"write_extract": ExtractConfig(out="extract.fasta", partitions=["genbank/phg"])}),
)
def extract_job() -> None:
    """One op."""
    write_extract()
