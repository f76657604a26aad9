"""Writes docs/data-dictionary.md from the column lists of the tables and the comments of database and catalog."""

from __future__ import annotations

import re
from pathlib import Path

from genbank_assets.catalog import views
from genbank_assets.postgres.ddl import comment_statement, record_columns, sql_type
from genbank_assets.schema import derived, tables, taxonomy

TARGET = Path(__file__).parent.parent / "docs" / "data-dictionary.md"
_COMMENT = re.compile(r"COMMENT ON (?P<kind>TABLE|VIEW|COLUMN|FUNCTION) (?P<name>.+?) IS E?'(?P<text>.*)'", re.S)
TABLES = (
    ("records (`records/NAME.parquet`, `genbank.record`)", tables.RECORD_COLUMNS),
    ("sequences (`sequences/NAME.parquet`)", tables.SEQUENCE_COLUMNS),
    ("quarantine (`quarantine/NAME.parquet`)", tables.QUARANTINE_COLUMNS),
    ("unique sequences (`unique_records`: `sequences/sequences.parquet`)", tables.UNIQUE_SEQUENCE_COLUMNS),
    ("memberships (`unique_records`: `memberships/memberships.parquet`)", tables.MEMBERSHIP_COLUMNS),
    ("evidence (`raw_files`: `evidence.parquet`)", tables.EVIDENCE_COLUMNS),
    ("objects (`object_set`: `objects.parquet` and the manifest object)", tables.OBJECT_COLUMNS),
    ("samples (`samples/GENERATION/NAME.parquet`)", derived.SAMPLE_COLUMNS),
    ("coding sequences (`cds/GENERATION/NAME.parquet`)", derived.CDS_COLUMNS),
    ("taxa (`STORE/taxonomy/DATE/…/nodes.parquet`, `genbank.taxon`)", taxonomy.NODE_COLUMNS),
    ("names of taxa (`names.parquet`, `genbank.taxon_name`)", taxonomy.NAME_COLUMNS),
    ("merged taxa (`merged.parquet`, `genbank.merged_taxon`)", taxonomy.MERGED_COLUMNS),
    ("deleted taxa (`deleted.parquet`, `genbank.deleted_taxon`)", taxonomy.DELETED_COLUMNS),
)


def dictionary() -> str:
    """Return the text of the page."""
    in_database = {column.name: (name, sql_type(column)) for name, column in record_columns()}
    lines = [
        "# Data dictionary",
        "",
        "Made by `make dictionary` from the column lists of the code; do not edit.",
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
            name, type_ = in_database.get(column.name, ("", "")) if columns is tables.RECORD_COLUMNS else ("", "")
            shown = "" if not type_ else type_ if name == column.name else f"{name} {type_}"
            arrow = str(column.type).replace("|", "&#124;").replace("<", "&lt;")
            null = "yes" if column.nullable else ""
            lines.append(f"| `{column.name}` | {arrow} | {null} | {shown} | {column.meaning.replace('|', '&#124;')} |")
    return "\n".join([*lines, *_database(), *_catalog()]) + "\n"


def _database() -> list[str]:
    """Return the comments of PostgreSQL's tables and views with their columns, and of functions."""
    found = [match for line in comment_statement().split(";\n") if (match := _COMMENT.fullmatch(line))]
    lines: list[str] = []
    for kind in ("TABLE", "VIEW"):
        for match in (match for match in found if match["kind"] == kind):
            lines += ["", f"## PostgreSQL: {kind.lower()} `{match['name']}`", "", _text(match["text"]), ""]
            columns = [m for m in found if m["kind"] == "COLUMN" and m["name"].rpartition(".")[0] == match["name"]]
            lines += ["| column | meaning |", "|---|---|"] if columns else []
            lines += [f"| `{column['name'].rpartition('.')[2]}` | {_text(column['text'])} |" for column in columns]
    lines += ["", "## PostgreSQL: functions", "", "| function | meaning |", "|---|---|"]
    return [*lines, *(f"| `{m['name']}` | {_text(m['text'])} |" for m in found if m["kind"] == "FUNCTION")]


def _catalog() -> list[str]:
    lines = ["", "## SQL catalog", "", "Columns are those of the Parquet tables of the same name.", ""]
    lines += ["| table or view | rows |", "|---|---|"]
    return [*lines, *(f"| `{name}` | {text} |" for name, text in views.COMMENTS.items())]


def _text(quoted: str) -> str:
    return quoted.replace("''", "'").replace("|", "&#124;").replace("<", "&lt;")


if __name__ == "__main__":
    TARGET.write_text(dictionary(), encoding="utf-8")
