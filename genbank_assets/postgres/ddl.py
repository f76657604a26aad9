"""Columns of the schema ``genbank``, and descriptions of all its tables, views, functions and columns.

``record`` holds the current state of each accession of a division and its source file; ``record_event`` has one row per
change, so "as of release N" is a query. Releases that did not change a row are not recorded in it: whether they contain
it follows from the division's release. Foreign keys that would cost time per loaded row (feature and reference →
record) are omitted, because those rows are only written with their record, in the same transaction. The SQL is in
``sql/``; migrating older schemas belongs to ``versions``.
"""

from __future__ import annotations

from genbank_assets.schema.tables import RECORD_COLUMNS, Column
from genbank_assets.schema.taxonomy import TAXONOMY_TABLES

# Columns of the record table that are stored elsewhere, or renamed because their name is a reserved word.
_ELSEWHERE = {"section", "features", "references", "record_offset", "record_bytes", "record_ordinal"}
MAX_INDEXED_BYTES = 1_000  # GIN indexes are limited to 2.7 kB per value; longer ones are only kept in the qualifiers
_RENAMED = {"primary": "primary_block"}
_TYPES = {
    "string": "text", "int8": "smallint", "int32": "integer", "int64": "bigint", "double": "double precision",
    "bool": "boolean", "date32[day]": "date", "fixed_size_binary[32]": "bytea",
    "list<item: string>": "text[]", "list<element: string>": "text[]",
    "list<item: int64>": "bigint[]", "list<element: int64>": "bigint[]",
}  # fmt: skip


def sql_type(column: Column) -> str:
    """Return the PostgreSQL type of a column; lists of structs become jsonb."""
    return _TYPES.get(str(column.type), "jsonb")


def record_columns() -> list[tuple[str, Column]]:
    """Return (PostgreSQL name, column) for each column that the table ``record`` takes from the record table."""
    return [(_RENAMED.get(c.name, c.name), c) for c in RECORD_COLUMNS if c.name not in _ELSEWHERE]


_TABLE_COMMENTS = {
    "release": "Releases and days that were loaded, whole or in part",
    "division": "What each division is at: the release it is on the way to, and the one that it finished last",
    "lease": "Who may work on what: a row per name, with its holder's heartbeat",
    "division_release": "Divisions whose load of a release is finished: written last, absent records included",
    "source_file": "The ledger: each raw file that was loaded, from which bytes, by which run, in which transaction",
    "record": "Last state of each accession of a division, also of absent ones (current_record leaves those out); no "
    "residues",
    "record_event": "One row per change of a record's state; unchanged records have none",
    "feature": "Feature table of the last state (current_feature: of current records)",
    "reference": "REFERENCE blocks of the last state (current_reference: of current records)",
    "schema_version": "Versions of this schema the database went through",
}
# Taxonomy table in the store → table in PostgreSQL, with the same columns.
_TAXONOMY = {"nodes": "taxon", "names": "taxon_name", "merged": "merged_taxon", "deleted": "deleted_taxon"}
_COLLECTION = "genbank or refseq"
_RELEASE = "Release as NCBI writes it; followed by the day (273.0.20260902) for a daily update on top of it"
_SECTION = "GenBank division (phg) or RefSeq section (viral): the partition"
_POINT = "Place in the order of states: by date, on one date days before releases; see genbank.point_of()"
_RUN, _RECORD = "Run that did it: a Dagster run id, or cli-...", "The record: record_id in genbank.record"
_STATE = "Records of the file that were "
_COLUMN_COMMENTS = {
    "release": {
        "collection": _COLLECTION, "release": _RELEASE, "release_major": "273 of 273.0",
        "release_minor": "0 of 273.0", "first_loaded_at": "When its first division began to load",
        "release_date": "Date in the release notes, or the day of a daily update; null where nothing says it",
        "point": _POINT,
    },
    "division": {
        "collection": _COLLECTION, "section": _SECTION, "release": "Release whose load has begun last",
        "point": _POINT, "input_digest": "SHA-256 of the unique_records manifest that is loaded",
        "is_attached": "Whether its tables are part of the whole; false until its first load has ended",
        "finished_release": "Newest release whose load has ended", "finished_point": "Its place in the order of states",
    },
    "lease": {
        "name": "What is exclusive", "token": "Rises by one with every holder", "is_held": "Whether anybody has it",
        "host": "Machine of the last holder", "process": "Its process: id and start", "run_id": _RUN,
        "taken_at": "When it was taken", "heartbeat_at": "When the holder was last heard of",
    },
    "division_release": {
        "collection": _COLLECTION, "section": _SECTION, "release": _RELEASE,
        "input_digest": "SHA-256 of the unique_records manifest it was loaded from", "files": "Raw files",
        "records": "Accessions of the release that were current after the load",
        "record_digest": "XOR of their record_sha256, without those that a later day had changed",
        "run_id": _RUN, "finished_at": "When it ended",
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
        "sql_statements": "Statements of its transaction", "record_digest": "XOR of its records' record_sha256",
        "replaced_at": "When the file was loaded again with other bytes; null for the one that counts",
    },
    "record": {
        "record_id": "Number of the record, kept through all its states", "section": _SECTION,
        "is_current": "Whether the newest loaded release of its division has it",
        "molecule_class": "nucleotide or protein", "code_version": "Version of the code that parsed this row",
        "point": "Place of this state in the order of states: it yields only to one at the same place or later",
        "source_file_id": "The file this state was loaded from, or the day's that repeated it: in genbank.source_file",
        "last_release": "Of an absent record: the last release that had it",
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
        "point": _POINT,
    },
    "feature": {
        "record_id": _RECORD, "collection": _COLLECTION, "section": _SECTION,
        "ordinal": "0-based place in the feature table", "key": "Feature key, such as CDS",
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
        "record_id": _RECORD, "collection": _COLLECTION, "section": _SECTION,
        "ordinal": "0-based place in the record", "number": "Number as written",
        "location": "As in parentheses: bases 1 to 68450, sites", "authors": "AUTHORS", "consortium": "CONSRTM",
        "title": "TITLE", "journal": "JOURNAL", "medline": "MEDLINE", "pubmed": "PUBMED", "remark": "REMARK",
    },
    "taxonomy_release": {
        "date": "Date of NCBI's taxdump", "digest": "SHA-256 of the tables made from it",
        "archive_sha256": "SHA-256 of the archive", "taxa": "Taxa", "names": "Names",
        "merged": "Taxa merged into others",
        "deleted": "Taxa deleted", "run_id": _RUN, "loaded_at": "When it was loaded",
    },
    "schema_version": {"version": "Number of the schema's version", "at": "When the database reached it"},
}  # fmt: skip

_VIEW_COMMENTS = {
    "current_record": "Records that the newest release of their division, or a day on top of it, has",
    "current_feature": "Features of current records; record_id → current_record",
    "current_reference": "REFERENCE blocks of current records; record_id → current_record",
    "release_changes": "Every change of state: what a release, or a day, made of a record",
    "record_lineage": "Every record with the first and the last release that has it, and file, run and transaction of "
    "the last change",
    "record_presence": "Table of earlier versions: places and releases of a record; use record_lineage",
    "sequence": "Distinct residues by digest and molecule class; the residues themselves are in the object set",
}
_NAME_KEY = "First 255 characters, as they are indexed; the whole value is in qualifiers"
_VIEW_COLUMN_COMMENTS = {
    "current_record": {
        "section": _SECTION, "division": "Division code on the LOCUS line, such as PHG; the partition is section",
        "release_loaded": "Newest release of the division whose load has ended",
        "release_of_last_change": "Release that brought this state, or day, as 20260902",
        "source_file": "The file that brought this state",
        "file_release": "Release, or day on top of one, of the file in which record_offset and record_ordinal are",
        "file_name": "That file: the one that brought this state, or the day's that repeated it",
        "organism": "Scientific name; its first 255 characters, as they are indexed",
    },
    "current_feature": {"section": _SECTION, "gene": _NAME_KEY, "locus_tag": _NAME_KEY, "product": _NAME_KEY},
    "release_changes": {"section": _SECTION, "release": _RELEASE},
    "record_lineage": {
        "last_release": "Newest release, or day on top of one, that has the record",
        "release": "Release that brought this state, or day, as 20260902",
        "last_file": "The file that record_offset and record_ordinal are of: the one that brought this state, or the "
        "day's that repeated it",
        "last_file_release": "Release of that file, or day on top of one", "run_id": "The run that loaded that file",
    },
}  # fmt: skip
_FUNCTION_COMMENTS = {
    "features_with(text, text)": "Features by any value of a qualifier; gene, locus_tag, product and db_xref have an "
    "index, for others all features are read",
    "features_in(bigint, bigint, bigint)": "Features of a record that touch an interval, also those over the origin",
    "records_of_organism(text)": "Records of an organism, by the whole name",
    "records_as_of(text, text)": "Accessions and their states as a release, or a day on top of one, had them",
    "release_point(text, text)": "Where a release stands in the order of states; an error for one never loaded",
    "check_release(text, text)": "No rows, or an error for a release that was never loaded",
    "point_of(date, integer, integer)": "The order of states: by date, on one date days (no numbers) before releases",
    "date_of_point(bigint)": "The date of a place in the order of states",
    "release_key(text)": "A release's numbers, for ORDER BY",
    "daily_date(text)": "The day of a label such as 273.0.20260902; null for a release",
    "totals(text, text, bigint)": "Current records of a division up to a place in the order, and the XOR of their "
    "record_sha256",
}


def comment_statement() -> str:
    """Return the COMMENT statements for all tables and columns."""
    by_name = {column.name: column.meaning for column in RECORD_COLUMNS}
    columns = {table: dict(comments) for table, comments in _COLUMN_COMMENTS.items()}
    columns["record"] |= {name: column.meaning for name, column in record_columns()} | {
        "release": "Release, or day, whose file brought the last change",
        "source_file": "Name of the file that brought the last change",
    }
    columns["record"] |= {
        name: f"{by_name[name]}: in the file of source_file_id"
        for name in ("record_offset", "record_bytes", "record_ordinal")
    }
    columns |= {table: {c.name: c.meaning for c in TAXONOMY_TABLES[name]} for name, table in _TAXONOMY.items()}
    lines = [f"COMMENT ON TABLE genbank.{table} IS {_quoted(text)}" for table, text in _TABLE_COMMENTS.items()]
    lines += [
        f"COMMENT ON COLUMN genbank.{table}.{name} IS {_quoted(text)}"
        for table, comments in columns.items()
        for name, text in comments.items()
    ]
    lines += [f"COMMENT ON VIEW genbank.{view} IS {_quoted(text)}" for view, text in _VIEW_COMMENTS.items()]
    lines += [f"COMMENT ON FUNCTION genbank.{name} IS {_quoted(text)}" for name, text in _FUNCTION_COMMENTS.items()]
    lines += [
        f"COMMENT ON COLUMN genbank.{view}.{name} IS {_quoted(text)}"
        for view, comments in _VIEW_COLUMN_COMMENTS.items()
        for name, text in comments.items()
    ]
    return ";\n".join(lines)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
