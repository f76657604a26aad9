"""Writes docs/data-dictionary.md from the one column list (genbank_assets.tables.schema)."""

from __future__ import annotations

from pathlib import Path

from genbank_assets.postgres.ddl import record_columns, sql_type
from genbank_assets.tables import derived_schema, schema, taxonomy_schema

TARGET = Path(__file__).parent.parent / "docs" / "data-dictionary.md"
TABLES = (
    ("records (`records/NAME.parquet`, `genbank.record`)", schema.RECORD_COLUMNS),
    ("sequences (`sequences/NAME.parquet`)", schema.SEQUENCE_COLUMNS),
    ("quarantine (`quarantine/NAME.parquet`)", schema.QUARANTINE_COLUMNS),
    ("unique sequences (`unique_records`: `sequences/sequences.parquet`)", schema.UNIQUE_SEQUENCE_COLUMNS),
    ("memberships (`unique_records`: `memberships/memberships.parquet`)", schema.MEMBERSHIP_COLUMNS),
    ("evidence (`raw_files`: `evidence.parquet`)", schema.EVIDENCE_COLUMNS),
    ("objects (`object_set`: `objects.parquet` and the manifest object)", schema.OBJECT_COLUMNS),
    ("samples (`samples/GENERATION/NAME.parquet`)", derived_schema.SAMPLE_COLUMNS),
    ("coding sequences (`cds/GENERATION/NAME.parquet`)", derived_schema.CDS_COLUMNS),
    ("taxa (`STORE/taxonomy/DATE/…/nodes.parquet`, `genbank.taxon`)", taxonomy_schema.NODE_COLUMNS),
    ("names of taxa (`names.parquet`, `genbank.taxon_name`)", taxonomy_schema.NAME_COLUMNS),
    ("merged taxa (`merged.parquet`, `genbank.merged_taxon`)", taxonomy_schema.MERGED_COLUMNS),
    ("deleted taxa (`deleted.parquet`, `genbank.deleted_taxon`)", taxonomy_schema.DELETED_COLUMNS),
)


def dictionary() -> str:
    """The page's text."""
    in_database = {column.name: (name, sql_type(column)) for name, column in record_columns()}
    lines = [
        "# Data dictionary",
        "",
        "Made by `make dictionary` from `genbank_assets/tables/schema.py`; do not edit.",
        "`features` and `references` are tables of their own in PostgreSQL (`genbank.feature`, `genbank.reference`).",
    ]
    for title, columns in TABLES:
        lines += [
            "",
            f"## {title}",
            "",
            "| column | Arrow type | null | PostgreSQL | meaning |",
            "|---|---|---|---|---|",
        ]
        for column in columns:
            name, type_ = in_database.get(column.name, ("", "")) if columns is schema.RECORD_COLUMNS else ("", "")
            shown = "" if not type_ else type_ if name == column.name else f"{name} {type_}"
            arrow = str(column.type).replace("|", "&#124;").replace("<", "&lt;")
            null = "yes" if column.nullable else ""
            lines.append(f"| `{column.name}` | {arrow} | {null} | {shown} | {column.meaning.replace('|', '&#124;')} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    TARGET.write_text(dictionary(), encoding="utf-8")
