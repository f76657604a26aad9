"""Loads a date's taxonomy into PostgreSQL: ``genbank.taxon`` with names, merged and deleted taxa.

Only differing rows are written, in one transaction, so readers see one date or the other. An earlier date never
replaces a later one. Creating the tables belongs to ``versions``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from genbank_assets.postgres.connection import Session, SqlTotals, open_database
from genbank_assets.postgres.staging import Copy
from genbank_assets.postgres.versions import ensure_schema
from genbank_assets.schema.taxonomy import TAXONOMY_TABLES
from genbank_assets.settings import Settings
from genbank_assets.tables.taxonomy import TaxonomyManifest, table_path

_BATCH_ROWS = 50_000
# Parquet table -> database table, and its key.
_TABLES = {
    "nodes": ("taxon", ("taxon_id",)),
    "names": ("taxon_name", ("taxon_id", "name_class", "name")),
    "merged": ("merged_taxon", ("old_taxon_id",)),
    "deleted": ("deleted_taxon", ("taxon_id",)),
}


@dataclasses.dataclass(frozen=True)
class TaxonomyLoad:
    """Result of loading a taxonomy.

    Attributes:
        is_current: whether the database now has this date's taxonomy.
        written: rows inserted or updated.
        removed: rows deleted.
        totals: statements, rows and seconds.
    """

    is_current: bool
    written: int
    removed: int
    totals: SqlTotals


def load_taxonomy(
    manifest: TaxonomyManifest, *, settings: Settings, progress: Callable[[str], None], run_id: str
) -> TaxonomyLoad:
    """Bring the database's taxonomy to this date, unless it has a later one.

    Raises:
        DatabaseError: PostgreSQL cannot be reached or failed; nothing was changed.
    """
    with open_database(settings) as database:
        totals = ensure_schema(database)
        with database.transaction() as session:
            session.execute("LOCK TABLE genbank.taxonomy_release IN SHARE ROW EXCLUSIVE MODE")
            newest = session.execute(
                "SELECT date::text, digest FROM genbank.taxonomy_release ORDER BY date DESC LIMIT 1"
            )
            written = removed = 0
            if newest and newest[0][0] > manifest.date:
                progress(f"the database holds the taxonomy of {newest[0][0]}, which is later than {manifest.date}")
                is_current = False
            elif newest and newest[0] == (manifest.date, manifest.digest):
                progress(f"the database holds the taxonomy of {manifest.date} already")
                is_current = True
            else:
                for table in _TABLES:
                    counts = _merge(session, table, table_path(settings.store, manifest, table))
                    written, removed = written + counts[0], removed + counts[1]
                _note(session, manifest, run_id=run_id)
                progress(f"taxonomy of {manifest.date}: {written:,} rows written, {removed:,} removed")
                is_current = True
        totals.add(session.totals)
    return TaxonomyLoad(is_current=is_current, written=written, removed=removed, totals=totals)


def _merge(session: Session, table: str, path: Path) -> tuple[int, int]:
    """Make a table equal to a Parquet file; return the numbers of rows written and removed."""
    name, key = _TABLES[table]
    columns = tuple(column.name for column in TAXONOMY_TABLES[table])

    def batches() -> Iterator[pa.RecordBatch]:
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(batch_size=_BATCH_ROWS, columns=list(columns))

    statement = _Statements(name, key=key, columns=columns)
    session.execute(statement.stage)
    session.copy_in(Copy(f"stage_{name}", columns, batches).statement, Copy(f"stage_{name}", columns, batches).stream())
    session.execute(statement.analyze)
    removed = session.execute(statement.remove)[0][0]
    written = session.execute(statement.write)[0][0]
    session.totals.rows_merged += written
    return int(written), int(removed)


class _Statements:
    """The statements for merging one table, built from this package's names only."""

    def __init__(self, name: str, *, key: tuple[str, ...], columns: tuple[str, ...]) -> None:
        same = " AND ".join(f"s.{column} = t.{column}" for column in key)
        values = [column for column in columns if column not in key]
        update = "DO NOTHING"
        if values:
            new = ", ".join(f"excluded.{column}" for column in values)
            update = (
                f"DO UPDATE SET ({', '.join(values)}) = ROW({new}) "
                f"WHERE ({', '.join(f't.{column}' for column in values)}) IS DISTINCT FROM ({new})"
            )
        listed = ", ".join(columns)
        self.stage = f"CREATE TEMP TABLE stage_{name} (LIKE genbank.{name}) ON COMMIT DROP"
        self.analyze = f"ANALYZE stage_{name}"
        self.remove = (
            f"WITH gone AS (DELETE FROM genbank.{name} t WHERE NOT EXISTS "  # noqa: S608 -- our own names
            f"(SELECT FROM stage_{name} s WHERE {same}) RETURNING 1) SELECT count(*) FROM gone"
        )
        self.write = (
            f"WITH written AS (INSERT INTO genbank.{name} AS t ({listed}) "  # noqa: S608
            f"SELECT {listed} FROM stage_{name} "
            f"ON CONFLICT ({', '.join(key)}) {update} RETURNING 1) SELECT count(*) FROM written"
        )


def _note(session: Session, manifest: TaxonomyManifest, *, run_id: str) -> None:
    session.execute(
        "INSERT INTO genbank.taxonomy_release (date, digest, archive_sha256, taxa, names, merged, deleted, run_id) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT (date) DO UPDATE SET digest = excluded.digest, "
        "archive_sha256 = excluded.archive_sha256, taxa = excluded.taxa, names = excluded.names, merged = "
        "excluded.merged, deleted = excluded.deleted, run_id = excluded.run_id, loaded_at = now()",
        [
            manifest.date, manifest.digest, manifest.archive["sha256"],
            *(manifest.rows(table) for table in _TABLES), run_id,
        ],
    )  # fmt: skip
