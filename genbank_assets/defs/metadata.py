"""Names of metadata keys, and manifests as materialization results. All keys of the graph are made here.

Numbers are numbers, so that the UI plots them over time. What the figures mean is said in ``measure``.
See https://docs.dagster.io/guides/build/assets/metadata-and-tags
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Any

import dagster as dg
import polars as pl
import pyarrow as pa

from genbank_assets.errors import GenbankAssetsError, SourceError
from genbank_assets.store import Manifest, PartitionRelease
from genbank_assets.tables.schema import Column

CONSOLE = logging.getLogger("genbank_assets.progress")
SAMPLE_ROWS = 3


def result(
    manifest: Manifest,
    *,
    partition: PartitionRelease,
    columns: tuple[Column, ...] = (),
    extra: dict[str, Any] | None = None,
) -> dg.MaterializeResult[Any]:
    """A stage's manifest as the result of its asset."""
    report = manifest.report
    metadata: dict[str, Any] = dict(report.as_dict())
    if report.records_per_second is not None:
        metadata["records_per_second"] = round(report.records_per_second, 1)
    if report.sql_statements_per_second is not None:
        metadata["sql_statements_per_second"] = round(report.sql_statements_per_second, 2)
    if report.records is not None:
        metadata["dagster/partition_row_count"] = report.records
    if columns:
        metadata["dagster/column_schema"] = table_schema(columns)
    metadata |= {
        "release": manifest.release,
        "manifest_sha256": manifest.digest,
        "dagster/uri": partition.stage_folder(manifest.stage).resolve().as_uri(),
        "path": dg.MetadataValue.path(str(partition.stage_folder(manifest.stage))),
        "summary": dg.MetadataValue.md(summary(manifest, partition=partition)),
    }
    return dg.MaterializeResult(metadata=metadata | (extra or {}), data_version=dg.DataVersion(manifest.digest))


def table_schema(columns: tuple[Column, ...]) -> dg.TableSchema:
    """The one column list as Dagster shows it."""
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
    """A materialization in Markdown: what happened, how the totals reconcile, a few records."""
    report = manifest.report
    now = "nothing to do: everything was in place" if report.files_now == 0 else f"{report.files_now} file(s) this time"
    lines = [f"**{manifest.collection} {manifest.release}, {manifest.division}**: {report.files} file(s); {now}.", ""]
    if manifest.stage == "records":
        lines += reconciliation(manifest, partition=partition)
        lines += _sample(manifest, partition=partition)
    else:
        lines += ["| figure | value |", "|---|--:|"]
        lines += [f"| {name} | {value:,} |" for name, value in report.as_dict().items() if isinstance(value, int)]
    return "\n".join(lines)


def reconciliation(manifest: Manifest, *, partition: PartitionRelease) -> list[str]:
    """Four independent totals per file, as a Markdown table."""
    raw = partition.manifest("raw_files")
    promised = {entry["name"]: entry for entry in raw.files} if raw else {}
    lines = [
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
    path = partition.stage_folder("records") / manifest.files[0]["records_file"]
    rows = pl.scan_parquet(path).select("accession_version", "length", "organism", "definition").head(SAMPLE_ROWS)
    lines = ["", "| record | length | organism | definition |", "|---|--:|---|---|"]
    for accession, length, organism, definition in rows.collect().iter_rows():
        lines.append(f"| {accession} | {length:,} | {_cell(organism)} | {_cell(definition)} |")
    return lines


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "&#124;")[:120]


def progress_of(context: dg.AssetExecutionContext) -> Callable[[str], None]:
    """Progress lines go to the run's log, and to the terminal when a command runs the stage."""
    prefix = f"{context.asset_key.to_user_string()} {context.partition_key}"

    def progress(line: str) -> None:
        context.log.info(line)
        CONSOLE.info("%s: %s", prefix, line)

    return progress


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """The core's errors as failures a person can read; only a source's troubles are worth a retry."""
    try:
        yield
    except GenbankAssetsError as error:
        raise dg.Failure(
            description=f"{type(error).__name__}: {error}", allow_retries=isinstance(error, SourceError)
        ) from error
