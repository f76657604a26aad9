"""The schema ``genbank``: tables from the one column list, indexes, comments, the merge function, and its version.

``record`` holds the current state of each accession of a division, ``record_presence`` where the newest release has
it (narrow, because it changes with every release), ``record_event`` one row per change of state, so that "as of
release N" is a query. Foreign keys are left out where a merge would pay for them per row (feature, reference,
record_presence → record): the merge deletes and inserts them under the same lock as the record. Bulk data moves in
``load``.
"""

from __future__ import annotations

from genbank_assets.errors import DatabaseError
from genbank_assets.postgres.connection import Database, Session, SqlTotals
from genbank_assets.postgres.merge import MERGE_FUNCTIONS
from genbank_assets.tables.schema import RECORD_COLUMNS, Column

SCHEMA_VERSION = 1
_LOCK = 7_263_402_117  # any number of our own: one process at a time creates or migrates

# Columns of the record table that live elsewhere in the database, or are named otherwise because SQL reserves the word.
_ELSEWHERE = {"features", "references", "record_offset", "record_bytes", "record_ordinal"}
_RENAMED = {"primary": "primary_block"}
_TYPES = {
    "string": "text", "int8": "smallint", "int32": "integer", "int64": "bigint", "double": "double precision",
    "bool": "boolean", "date32[day]": "date", "fixed_size_binary[32]": "bytea",
    "list<item: string>": "text[]", "list<element: string>": "text[]",
    "list<item: int64>": "bigint[]", "list<element: int64>": "bigint[]",
}  # fmt: skip


def sql_type(column: Column) -> str:
    """A column's PostgreSQL type; lists of structures are jsonb."""
    return _TYPES.get(str(column.type), "jsonb")


def record_columns() -> list[tuple[str, Column]]:
    """(name in PostgreSQL, column) for what the table ``record`` takes from the record table."""
    return [(_RENAMED.get(c.name, c.name), c) for c in RECORD_COLUMNS if c.name not in _ELSEWHERE]


_TABLES = """
CREATE TABLE genbank.release (
    collection text NOT NULL, release text NOT NULL, release_major integer NOT NULL, release_minor integer NOT NULL,
    first_loaded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (collection, release));
CREATE TABLE genbank.source_file (
    source_file_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection text NOT NULL, release text NOT NULL, section text NOT NULL, name text NOT NULL,
    raw_sha256 text NOT NULL, records bigint NOT NULL, quarantined bigint NOT NULL, residues bigint NOT NULL,
    run_id text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT now(), transaction_id bigint NOT NULL,
    UNIQUE (collection, section, release, name),
    FOREIGN KEY (collection, release) REFERENCES genbank.release);
CREATE TABLE genbank.sequence (
    sequence_sha256 bytea NOT NULL, molecule_class text NOT NULL, length bigint NOT NULL,
    PRIMARY KEY (sequence_sha256, molecule_class));
CREATE TABLE genbank.record (
    record_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    section text NOT NULL, is_current boolean NOT NULL, molecule_class text NOT NULL,
    {record_columns},
    UNIQUE (collection, section, accession));
CREATE TABLE genbank.record_presence (
    record_id bigint PRIMARY KEY, first_release text NOT NULL, last_release text NOT NULL,
    source_file_id bigint NOT NULL, record_offset bigint NOT NULL, record_bytes bigint NOT NULL,
    record_ordinal bigint NOT NULL) WITH (fillfactor = 80);
CREATE TABLE genbank.feature (
    record_id bigint NOT NULL, ordinal integer NOT NULL, key text NOT NULL, location text NOT NULL, operator text,
    start_position bigint, end_position bigint, strand smallint, partial_start boolean NOT NULL,
    partial_end boolean NOT NULL, spans_origin boolean NOT NULL, qualifiers jsonb NOT NULL,
    gene text, locus_tag text, product text, db_xrefs text[],
    PRIMARY KEY (record_id, ordinal));
CREATE TABLE genbank.reference (
    record_id bigint NOT NULL, ordinal integer NOT NULL, number integer, location text, authors text,
    consortium text, title text, journal text, medline text, pubmed text, remark text,
    PRIMARY KEY (record_id, ordinal));
CREATE TABLE genbank.record_event (
    record_id bigint NOT NULL, release text NOT NULL, state text NOT NULL, collection text NOT NULL,
    section text NOT NULL, accession text NOT NULL, version integer, accession_version text NOT NULL,
    record_sha256 bytea, sequence_sha256 bytea, previous_accession_version text, evidence text,
    run_id text NOT NULL, at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (record_id, release, state));
"""

_INDEXES = """
CREATE INDEX record_accession ON genbank.record (accession);
CREATE INDEX record_accession_version ON genbank.record (accession_version);
CREATE INDEX record_sequence ON genbank.record (sequence_sha256);
CREATE INDEX record_taxon ON genbank.record (taxon_id);
CREATE INDEX record_organism ON genbank.record USING hash (organism);
CREATE INDEX record_division_date ON genbank.record (division, update_date);
CREATE INDEX feature_interval ON genbank.feature (record_id, start_position, end_position);
CREATE INDEX feature_gene ON genbank.feature USING hash (gene) WHERE gene IS NOT NULL;
CREATE INDEX feature_locus_tag ON genbank.feature USING hash (locus_tag) WHERE locus_tag IS NOT NULL;
CREATE INDEX feature_product ON genbank.feature USING hash (product) WHERE product IS NOT NULL;
CREATE INDEX feature_db_xref ON genbank.feature USING gin (db_xrefs) WHERE db_xrefs IS NOT NULL;
CREATE INDEX record_event_release ON genbank.record_event (collection, release, section, state);
CREATE INDEX record_event_accession ON genbank.record_event (accession);
"""

_VIEWS = """
CREATE VIEW genbank.release_changes AS
    SELECT accession, version, accession_version, state, release, collection, section AS division,
           previous_accession_version, encode(record_sha256, 'hex') AS record_sha256, evidence, run_id, at
    FROM genbank.record_event;
CREATE VIEW genbank.record_lineage AS
    SELECT r.*, p.first_release, p.last_release, f.name AS last_file, f.raw_sha256, f.run_id, f.loaded_at,
           f.transaction_id, p.record_offset, p.record_bytes, p.record_ordinal
    FROM genbank.record r JOIN genbank.record_presence p USING (record_id)
         JOIN genbank.source_file f USING (source_file_id);
CREATE FUNCTION genbank.release_key(release text) RETURNS integer[] LANGUAGE sql IMMUTABLE
    RETURN string_to_array(release, '.')::integer[];
CREATE FUNCTION genbank.records_as_of(wanted_collection text, wanted_release text)
    RETURNS TABLE (record_id bigint, division text, accession text, accession_version text, state text,
                   since_release text, record_sha256 bytea, sequence_sha256 bytea)
    LANGUAGE sql STABLE AS $$
        SELECT last.record_id, last.section, last.accession, last.accession_version, last.state, last.release,
               last.record_sha256, last.sequence_sha256
        FROM (SELECT DISTINCT ON (e.record_id) e.* FROM genbank.record_event e
              WHERE e.collection = wanted_collection
                AND genbank.release_key(e.release) <= genbank.release_key(wanted_release)
              ORDER BY e.record_id, genbank.release_key(e.release) DESC, e.at DESC) last
        WHERE last.state <> 'absent' $$;
"""

_COMMENTS = {
    "record": "Current state of each accession of a division; no residues",
    "record_presence": "Where the newest loaded release has the record",
    "record_event": "One row per change of a record's state; unchanged records have none",
    "source_file": "The ledger: each raw file that was loaded, from which bytes, by which run, in which transaction",
    "sequence": "Distinct residues by digest and molecule class; the residues are in the object set",
    "feature": "Feature table; qualifiers is [[key, value], ...] in the order of the file, value null without one",
    "reference": "REFERENCE blocks in order",
    "release": "Releases that were loaded, whole or in part",
}


def ensure_schema(database: Database) -> SqlTotals:
    """Create the schema, or check that it is of this version; concurrent callers wait for the first.

    Returns:
        What that took.

    Raises:
        DatabaseError: the schema was made by a later version of this package.
    """
    with database.transaction() as session:
        session.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        there = session.execute("SELECT to_regclass('genbank.schema_version')")[0][0] is not None
        if not there:
            _create(session)
            return session.totals
        version = session.execute("SELECT max(version) FROM genbank.schema_version")[0][0]
        if version > SCHEMA_VERSION:
            raise DatabaseError(
                f"the database holds schema version {version}, this genbank-assets knows {SCHEMA_VERSION}: upgrade it"
            )
    return session.totals


def _create(session: Session) -> None:
    columns = ",\n    ".join(
        f"{name} {sql_type(column)}{'' if column.nullable else ' NOT NULL'}" for name, column in record_columns()
    )
    statements = [
        "CREATE SCHEMA IF NOT EXISTS genbank",
        "CREATE TABLE genbank.schema_version (version integer PRIMARY KEY, at timestamptz NOT NULL DEFAULT now())",
        _TABLES.format(record_columns=columns),
        _INDEXES,
        _VIEWS,
        MERGE_FUNCTIONS.format(**merge_lists()),
        *comment_statements(),
    ]
    for statement in statements:
        session.execute(statement)
    session.execute("INSERT INTO genbank.schema_version (version) VALUES (%s)", [SCHEMA_VERSION])


def merge_lists() -> dict[str, str]:
    """Column lists of the record table as the merge function needs them."""
    names = [name for name, _ in record_columns()]
    return {
        "columns": ", ".join(names),
        "staged": ", ".join(f"s.{name}" for name in names),
        "updates": ", ".join(f"{name} = s.{name}" for name in names if name not in {"collection", "accession"}),
        "staging_columns": ", ".join(f"{name} {sql_type(column)}" for name, column in record_columns()),
    }


def comment_statements() -> list[str]:
    """COMMENT ON for every table, and for every column that comes from the column list."""
    found = [f"COMMENT ON TABLE genbank.{table} IS {_quoted(text)}" for table, text in _COMMENTS.items()]
    found += [
        f"COMMENT ON COLUMN genbank.record.{name} IS {_quoted(column.meaning)}" for name, column in record_columns()
    ]
    by_name = {column.name: column for column in RECORD_COLUMNS}
    for name in ("record_offset", "record_bytes", "record_ordinal"):
        found.append(f"COMMENT ON COLUMN genbank.record_presence.{name} IS {_quoted(by_name[name].meaning)}")
    return found


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
