"""Converts manifests to materialization results, and defines the metadata keys of stages.

Figures are stored as numbers, so that the UI can plot them. Their meaning is defined in ``reports``.
See https://docs.dagster.io/guides/build/assets/metadata-and-tags
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import dagster as dg
import polars as pl
import pyarrow as pa
from psycopg.conninfo import conninfo_to_dict

from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.reports import FIGURES, LoadReport
from genbank_assets.schema.tables import Column
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionRelease, releases_in_store

CONSOLE = logging.getLogger("genbank_assets.progress")
SAMPLE_ROWS = 3
OVER_RELEASES = ("files", "records", "residues", "quarantined", "distinct_sequences", "objects", "seconds",
                 "peak_memory_bytes", "sql_statements")  # fmt: skip


def result(
    manifest: Manifest,
    *,
    partition: PartitionRelease,
    columns: tuple[Column, ...] = (),
    extra: dict[str, Any] | None = None,
) -> dg.MaterializeResult[Any]:
    """Return the materialization result of a stage's asset for its manifest."""
    report, folder = manifest.report, partition.folder_of(manifest).resolve()
    metadata: dict[str, Any] = {
        "summary": dg.MetadataValue.md(summary(manifest, partition=partition)),
        "release": manifest.release,
        **(extra or {}),
        **{name: rounded(value) for name, value in report.as_dict().items()},
    }
    if report.records_per_second is not None:
        metadata["records_per_second"] = rounded(report.records_per_second)
    if isinstance(report, LoadReport) and report.sql_statements_per_second is not None:
        metadata["sql_statements_per_second"] = rounded(report.sql_statements_per_second)
    if columns:
        metadata["dagster/column_schema"] = table_schema(columns)
    if report.records is not None:
        metadata["dagster/partition_row_count"] = report.records
    if manifest.stage not in {"postgres_table", "object_set"}:  # these have a URI outside of the store
        metadata["dagster/uri"] = folder.as_uri()
    metadata |= {"path": dg.MetadataValue.path(str(folder)), "manifest_sha256": manifest.digest}
    return dg.MaterializeResult(metadata=metadata, data_version=dg.DataVersion(manifest.digest))


def rounded(value: Any) -> Any:
    """Round a figure for display: fractions to four significant digits, integers unchanged."""
    if not isinstance(value, float):
        return value
    return round(value, 1) if abs(value) >= 1000 else float(f"{value:.4g}")


def with_code_references(assets: Iterable[Any]) -> list[Any]:
    """Return the assets with references to their source code, for links in the UI."""
    with warnings.catch_warnings():  # hides the beta warning of Dagster 1.13, which users cannot act on
        warnings.filterwarnings("ignore", ".*(with_source_code_references|CodeReference).*", dg.BetaWarning)
        return list(dg.with_source_code_references(list(assets)))


def table_name(settings: Settings) -> str:
    """Return the name of the record table as ``database.schema.table``."""
    database = conninfo_to_dict(settings.postgres_url).get("dbname") if settings.postgres_url else "genbank"
    return f"{database or 'postgres'}.genbank.record"


def objects_metadata(manifest: Manifest) -> dict[str, Any]:
    """Return the metadata that locate the object set."""
    url = str(manifest.extra["url"])
    return {"objects_url": url, "manifest_key": manifest.extra["manifest_key"], "dagster/uri": url}


def table_schema(columns: tuple[Column, ...]) -> dg.TableSchema:
    """Return a column list as Dagster's table schema."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=_short(column.type),
                description=column.meaning,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in columns
        ]
    )


def _short(type_: Any) -> str:
    if pa.types.is_list(type_):
        return f"list<{_short(type_.value_type)}>"
    if pa.types.is_struct(type_):
        return "struct<" + ", ".join(type_.field(i).name for i in range(type_.num_fields)) + ">"
    return str(type_)


def summary(manifest: Manifest, *, partition: PartitionRelease) -> str:
    """Return a Markdown summary of a materialization: figures, totals, sample records, and releases in the store."""
    report = manifest.report
    now = "nothing to do" if report.files_now == 0 else f"{report.files_now:,} processed in this run"
    collection = COLLECTIONS[manifest.collection]
    title = collection.divisions.get(manifest.division, "daily update")
    what = f"{collection.title} {manifest.release}, {manifest.division}"
    lines = [f"**{what}** ({title}): {report.files:,} file(s), {now}.", ""]
    if manifest.stage == "records":
        lines += reconciliation(manifest, partition=partition)
        lines += _sample(manifest, partition=partition)
    else:
        known = report.as_dict()  # as a list, because the UI's narrow columns truncate tables
        lines += [
            f"* **{figure.name}** {_number(known[figure.name])} {figure.unit}: {figure.meaning}"
            for figure in FIGURES
            if figure.name in known
        ]
    return "\n".join([*lines, *_releases(manifest, partition=partition)])


def _releases(manifest: Manifest, *, partition: PartitionRelease) -> list[str]:
    """Return the stage's main figures for each release in the store; empty if there is only one."""
    kept = releases_in_store(partition.store, key=partition.key, stage=manifest.stage)
    if len(kept) < 2:
        return []
    reports = [(old.release, found.report) for old in kept if (found := old.manifest(manifest.stage)) is not None]
    names = [name for name in OVER_RELEASES if any(name in report.as_dict() for _, report in reports)]
    lines = ["", "Releases in the store:", "", f"| release | {' | '.join(names)} |", "|---|" + "--:|" * len(names)]
    for release, report in reports:
        lines.append(f"| {release} | " + " | ".join(_number(report.as_dict().get(name)) for name in names) + " |")
    return lines


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{rounded(value):,}"


def reconciliation(manifest: Manifest, *, partition: PartitionRelease) -> list[str]:
    """Return the independent totals of each file as a Markdown table."""
    raw = partition.manifest("raw_files")
    promised = {entry["name"]: entry for entry in raw.files} if raw else {}
    lines = [
        "Independent counts of records and residues per file:",
        "",
        "| file | LOCUS lines | rows | quarantined | header loci | release notes | residues | header bases |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for entry in manifest.files[:50]:
        header = entry["header"] or {}
        notes = promised.get(entry["name"], {}).get("expected_records")
        cells = (
            entry["locus_lines"], entry["records"], entry["quarantined"], header.get("loci"), notes, entry["residues"],
            header.get("bases"),
        )  # fmt: skip
        lines.append(f"| {entry['name']} | " + " | ".join("" if c is None else f"{c:,}" for c in cells) + " |")
    if len(manifest.files) > 50:
        lines.append(f"| … and {len(manifest.files) - 50:,} more | | | | | | | |")
    return lines


def _sample(manifest: Manifest, *, partition: PartitionRelease) -> list[str]:
    if not manifest.files or not manifest.files[0]["records"]:
        return []
    path = partition.folder_of(manifest) / manifest.files[0]["records_file"]
    rows = pl.scan_parquet(path).select("accession_version", "length", "organism", "definition").head(SAMPLE_ROWS)
    lines = ["", "First records:", "", "| record | length | organism | definition |", "|---|--:|---|---|"]
    for accession, length, organism, definition in rows.collect().iter_rows():
        lines.append(f"| {accession} | {length:,} | {_cell(organism)} | {_cell(definition)} |")
    return lines


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "&#124;")[:120]


def progress_of(context: dg.AssetExecutionContext) -> Callable[[str], None]:
    """Return a callback that writes progress to the run's log and, in commands, to the terminal."""
    prefix = context.asset_key.to_user_string()
    if context.has_partition_key:
        prefix += f" {context.partition_key}"

    def progress(line: str) -> None:
        (context.log.warning if line.startswith("warning: ") else context.log.info)(line.removeprefix("warning: "))
        CONSOLE.info("%s: %s", prefix, line)

    return progress
