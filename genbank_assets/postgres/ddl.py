"""The schema ``genbank``: tables from the one column list, indexes, views, comments on all of them.

``record`` holds the current state of each accession of a division, ``record_presence`` where the newest release has
it (narrow, and with room for each row's next version on its page, because it changes with every release),
``record_event`` one row per change of state, so that "as of
release N" is a query. Foreign keys are left out where a load would pay for them per row (feature, reference and
record_presence → record): those rows come and go only together with their record, in its transaction. How an older
schema becomes this one belongs to ``versions``; bulk data moves in ``load``.
"""

from __future__ import annotations

from genbank_assets.tables.schema import RECORD_COLUMNS, Column

# Columns of the record table that live elsewhere in the database, or are named otherwise because SQL reserves the word.
_ELSEWHERE = {"section", "features", "references", "record_offset", "record_bytes", "record_ordinal"}
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


TABLES = """
CREATE TABLE genbank.release (
    collection text NOT NULL, release text NOT NULL, release_major integer NOT NULL, release_minor integer NOT NULL,
    first_loaded_at timestamptz NOT NULL DEFAULT now(), release_date date,
    PRIMARY KEY (collection, release));
CREATE TABLE genbank.division_release (
    collection text NOT NULL, section text NOT NULL, release text NOT NULL, input_digest text NOT NULL,
    files bigint NOT NULL, records bigint NOT NULL, run_id text NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (collection, section, release),
    FOREIGN KEY (collection, release) REFERENCES genbank.release);
CREATE TABLE genbank.source_file (
    source_file_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    collection text NOT NULL, release text NOT NULL, section text NOT NULL, name text NOT NULL,
    raw_sha256 text NOT NULL, records bigint NOT NULL, quarantined bigint NOT NULL, residues bigint NOT NULL,
    run_id text NOT NULL, loaded_at timestamptz NOT NULL DEFAULT now(), transaction_id bigint NOT NULL,
    code_version text NOT NULL DEFAULT '', superseded bigint NOT NULL DEFAULT 0,
    records_new bigint NOT NULL DEFAULT 0, records_sequence_changed bigint NOT NULL DEFAULT 0,
    records_annotation_changed bigint NOT NULL DEFAULT 0, records_unchanged bigint NOT NULL DEFAULT 0,
    records_returned bigint NOT NULL DEFAULT 0, rows_copied bigint NOT NULL DEFAULT 0,
    rows_merged bigint NOT NULL DEFAULT 0, sql_statements bigint NOT NULL DEFAULT 0,
    records_kept bigint NOT NULL DEFAULT 0,
    UNIQUE (collection, section, release, name),
    FOREIGN KEY (collection, release) REFERENCES genbank.release);
CREATE TABLE genbank.sequence (
    sequence_sha256 bytea NOT NULL, molecule_class text NOT NULL, length bigint NOT NULL,
    PRIMARY KEY (sequence_sha256, molecule_class));
CREATE TABLE genbank.record (
    record_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    section text NOT NULL, is_current boolean NOT NULL, molecule_class text NOT NULL,
    {record_columns},
    code_version text NOT NULL DEFAULT '',
    CONSTRAINT record_collection_section_accession_key
        UNIQUE (collection, section, accession) INCLUDE (record_id, is_current));
CREATE TABLE genbank.record_presence (
    record_id bigint PRIMARY KEY, first_release text NOT NULL, last_release text NOT NULL,
    source_file_id bigint NOT NULL, record_offset bigint NOT NULL, record_bytes bigint NOT NULL,
    record_ordinal bigint NOT NULL, full_release text) WITH (fillfactor = 45);
CREATE TABLE genbank.feature (
    record_id bigint NOT NULL, ordinal integer NOT NULL, key text NOT NULL, location text NOT NULL, operator text,
    start_position bigint, end_position bigint, strand smallint, partial_start boolean NOT NULL,
    partial_end boolean NOT NULL, spans_origin boolean NOT NULL, qualifiers jsonb NOT NULL,
    gene text, locus_tag text, product text, db_xrefs text[], further_names text[],
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

INDEXES = """
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
CREATE INDEX feature_further_name ON genbank.feature USING gin (further_names) WHERE further_names IS NOT NULL;
CREATE INDEX record_event_release ON genbank.record_event (collection, release, section, state);
CREATE INDEX record_event_accession ON genbank.record_event (accession);
"""

# Views and functions hold no data: a migration drops them and makes them anew.
DROP_VIEWS = """
DROP VIEW IF EXISTS genbank.release_changes, genbank.record_lineage;
DO $$ DECLARE found regprocedure; BEGIN
    FOR found IN SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'genbank'::regnamespace LOOP
        EXECUTE format('DROP FUNCTION %s', found);
    END LOOP;
END $$;
"""
VIEWS = """
CREATE VIEW genbank.release_changes AS
    SELECT accession, version, accession_version, state, release, collection, section AS division,
           previous_accession_version, encode(record_sha256, 'hex') AS record_sha256, evidence, run_id, at
    FROM genbank.record_event;
CREATE VIEW genbank.record_lineage AS
    SELECT r.*, p.first_release, p.last_release, f.name AS last_file, f.raw_sha256, f.run_id, f.loaded_at,
           f.transaction_id, p.record_offset, p.record_bytes, p.record_ordinal
    FROM genbank.record r JOIN genbank.record_presence p USING (record_id)
         LEFT JOIN genbank.source_file f USING (source_file_id);
CREATE FUNCTION genbank.release_key(release text) RETURNS integer[] LANGUAGE sql IMMUTABLE
    RETURN string_to_array(release, '.')::integer[];
CREATE FUNCTION genbank.daily_date(release text) RETURNS date LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN release ~ '\\.[0-9]{8}$' THEN make_date(
        substr(right(release, 8), 1, 4)::integer, substr(right(release, 8), 5, 2)::integer, right(release, 2)::integer)
    END;
CREATE FUNCTION genbank.features_with(qualifier text, wanted text) RETURNS SETOF genbank.feature
    LANGUAGE sql STABLE AS $$
        SELECT f.* FROM genbank.feature f WHERE qualifier = 'gene' AND f.gene = wanted
        UNION ALL SELECT f.* FROM genbank.feature f WHERE qualifier = 'locus_tag' AND f.locus_tag = wanted
        UNION ALL SELECT f.* FROM genbank.feature f WHERE qualifier = 'product' AND f.product = wanted
        UNION ALL SELECT f.* FROM genbank.feature f WHERE qualifier = 'db_xref' AND f.db_xrefs @> ARRAY[wanted]
        UNION ALL SELECT f.* FROM genbank.feature f
            WHERE f.further_names @> ARRAY[qualifier || '=' || wanted]
              AND CASE qualifier WHEN 'gene' THEN f.gene WHEN 'locus_tag' THEN f.locus_tag ELSE f.product END
                  IS DISTINCT FROM wanted $$;
CREATE FUNCTION genbank.features_in(wanted_record bigint, from_position bigint, to_position bigint)
    RETURNS SETOF genbank.feature LANGUAGE sql STABLE AS $$
        SELECT f.* FROM genbank.feature f WHERE f.record_id = wanted_record
            AND (f.start_position <= to_position AND f.end_position >= from_position
                 OR f.start_position > f.end_position
                    AND (f.start_position <= to_position OR f.end_position >= from_position)) $$;
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

_TABLE_COMMENTS = {
    "release": "Releases that were loaded, whole or in part",
    "division_release": "Divisions whose load of a release is finished: written last, absent records included",
    "source_file": "The ledger: each raw file that was loaded, from which bytes, by which run, in which transaction",
    "sequence": "Distinct residues by digest and molecule class; the residues are in the object set",
    "record": "Current state of each accession of a division; no residues",
    "record_presence": "Where the newest loaded release has the record",
    "record_event": "One row per change of a record's state; unchanged records have none",
    "feature": "Feature table of the current state",
    "reference": "REFERENCE blocks of the current state",
    "schema_version": "Versions of this schema the database went through",
}
_COLLECTION = "genbank or refseq"
_RELEASE = "Release as NCBI writes it; followed by the day (273.0.20260902) for a daily update on top of it"
_SECTION = "GenBank division (phg) or RefSeq section (viral): the partition"
_RUN, _RECORD = "Run that did it: a Dagster run id, or cli-...", "The record in genbank.record"
_STATE = "Records of the file that were "
_COLUMN_COMMENTS = {
    "release": {
        "collection": _COLLECTION, "release": _RELEASE, "release_major": "273 of 273.0",
        "release_minor": "0 of 273.0", "first_loaded_at": "When its first division began to load",
        "release_date": "Date in the release notes, or the day of a daily update; null where nothing says it",
    },
    "division_release": {
        "collection": _COLLECTION, "section": _SECTION, "release": _RELEASE,
        "input_digest": "SHA-256 of the unique_records manifest it was loaded from", "files": "Raw files",
        "records": "Accessions current in the division after the load", "run_id": _RUN, "finished_at": "When it ended",
    },
    "source_file": {
        "source_file_id": "Number of the loaded file", "collection": _COLLECTION, "release": _RELEASE,
        "section": _SECTION, "name": "Name of the raw file", "raw_sha256": "SHA-256 of the raw file as fetched",
        "records": "Records of the file", "quarantined": "Blocks of the file that are no record",
        "residues": "Sum of their lengths", "run_id": _RUN, "loaded_at": "Begin of its transaction",
        "transaction_id": "PostgreSQL's number of its transaction", "code_version": "Version of the parsing code",
        "superseded": "Records left out because their accession stands elsewhere in the division with a later state",
        "records_new": _STATE + "seen for the first time",
        "records_sequence_changed": _STATE + "loaded with other residues or another version before",
        "records_annotation_changed": _STATE + "loaded with the same residues and another text before",
        "records_unchanged": _STATE + "loaded in this very state before",
        "records_returned": _STATE + "absent before",
        "records_kept": _STATE + "left alone, because a daily update brought a later state",
        "rows_copied": "Rows sent by COPY", "rows_merged": "Rows written by the merge",
        "sql_statements": "Statements of its transaction",
    },
    "sequence": {
        "sequence_sha256": "SHA-256 of the residues in upper case", "molecule_class": "nucleotide or protein",
        "length": "Residues",
    },
    "record": {
        "record_id": "Number of the record, kept through all its states", "section": _SECTION,
        "is_current": "Whether the newest loaded release of its division has it",
        "molecule_class": "nucleotide or protein", "code_version": "Version of the code that parsed this row",
    },
    "record_presence": {
        "record_id": _RECORD, "first_release": "First release it was loaded from",
        "last_release": "Newest release, or daily update on top of one (273.0.20260902), that has it",
        "source_file_id": "The file of that release", "full_release": "Newest full release that has it",
    },
    "record_event": {
        "record_id": _RECORD, "release": "Release that brought the change",
        "state": "new, sequence_changed, annotation_changed, returned or absent", "collection": _COLLECTION,
        "section": _SECTION, "accession": "Primary accession", "version": "Version number after the change",
        "accession_version": "accession.version after the change; the last one of an absent record",
        "record_sha256": "SHA-256 of the record's text after the change", "sequence_sha256": "The same of its residues",
        "previous_accession_version": "accession.version before the change",
        "evidence": "NCBI's list that names the removal, or the division the record moved from",
        "run_id": _RUN, "at": "Begin of the transaction that loaded it",
    },
    "feature": {
        "record_id": _RECORD, "ordinal": "0-based place in the feature table", "key": "Feature key, such as CDS",
        "location": "Location as written, without white space",
        "operator": "join, order, bond or one-of; null for a single span",
        "start_position": "Lowest base, from 1; of a span over the origin, written 90..10, where it begins",
        "end_position": "Highest base; of a span over the origin where it ends, before its start; see features_in()",
        "strand": "1, -1; null when spans disagree",
        "partial_start": "< before the lowest base", "partial_end": "> before the highest base",
        "spans_origin": "Whether it crosses the origin of a circular record",
        "qualifiers": "[[key, value], ...] in the order of the file; null for a qualifier without value",
        "gene": "First /gene", "locus_tag": "First /locus_tag", "product": "First /product",
        "db_xrefs": "All /db_xref of at most 1,000 bytes",
        "further_names": "Second and later /gene, /locus_tag and /product of at most 1,000 bytes, as gene=dnaA; see "
        "features_with()",
    },
    "reference": {
        "record_id": _RECORD, "ordinal": "0-based place in the record", "number": "Number as written",
        "location": "As in parentheses: bases 1 to 68450, sites", "authors": "AUTHORS", "consortium": "CONSRTM",
        "title": "TITLE", "journal": "JOURNAL", "medline": "MEDLINE", "pubmed": "PUBMED", "remark": "REMARK",
    },
    "schema_version": {"version": "Number of the schema's version", "at": "When the database reached it"},
}  # fmt: skip


def tables_statement() -> str:
    """CREATE TABLE for all tables."""
    columns = ",\n    ".join(
        f"{name} {sql_type(column)}{'' if column.nullable else ' NOT NULL'}" for name, column in record_columns()
    )
    return TABLES.format(record_columns=columns)


def comment_statement() -> str:
    """COMMENT ON every table and every column; those of the record table say what the column list says."""
    by_name = {column.name: column.meaning for column in RECORD_COLUMNS}
    columns = {table: dict(comments) for table, comments in _COLUMN_COMMENTS.items()}
    columns["record"] |= {name: column.meaning for name, column in record_columns()}
    columns["record_presence"] |= {name: by_name[name] for name in ("record_offset", "record_bytes", "record_ordinal")}
    lines = [f"COMMENT ON TABLE genbank.{table} IS {_quoted(text)}" for table, text in _TABLE_COMMENTS.items()]
    lines += [
        f"COMMENT ON COLUMN genbank.{table}.{name} IS {_quoted(text)}"
        for table, comments in columns.items()
        for name, text in comments.items()
    ]
    return ";\n".join(lines)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
