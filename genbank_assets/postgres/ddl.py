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
    "release": "Releases and days that were loaded, completely or in part",
    "division": "Loading state of each division: the release being loaded, and the last completed one",
    "lease": "Leases for exclusive access: a row per name, with its holder's heartbeat",
    "division_release": "Completed loads of a division's release, written after absent records were marked",
    "source_file": "The ledger: each loaded raw file with its digest, run and transaction",
    "record": "Last state of each accession of a division, including absent ones (use current_record to exclude them); "
    "without residues",
    "record_event": "One row per change of a record's state; unchanged records have none",
    "feature": "Feature table of the last state (use current_feature for current records)",
    "reference": "REFERENCE blocks of the last state (use current_reference for current records)",
    "schema_version": "Schema versions the database has had",
}
# Taxonomy table in the store → table in PostgreSQL, with the same columns.
_TAXONOMY = {"nodes": "taxon", "names": "taxon_name", "merged": "merged_taxon", "deleted": "deleted_taxon"}
_COLLECTION = "genbank or refseq"
_RELEASE = "Release as written by NCBI, with the day appended (273.0.20260902) for a daily update"
_SECTION = "GenBank division (phg) or RefSeq section (viral): the partition"
_POINT = "Position in the order of states: by date, days before releases; see genbank.point_of()"
_RUN, _RECORD = "Run: a Dagster run id, or cli-...", "record_id in genbank.record"
_STATE = "Records of the file that were "
_COLUMN_COMMENTS = {
    "release": {
        "collection": _COLLECTION, "release": _RELEASE, "release_major": "273 of 273.0",
        "release_minor": "0 of 273.0", "first_loaded_at": "Start of the load of its first division",
        "release_date": "Date in the release notes, or the day of a daily update; null if unknown",
        "point": _POINT,
    },
    "division": {
        "collection": _COLLECTION, "section": _SECTION, "release": "Release whose load started last",
        "point": _POINT, "input_digest": "SHA-256 of the unique_records manifest being loaded",
        "is_attached": "Whether its tables are attached; false until its first load is complete",
        "finished_release": "Newest completely loaded release", "finished_point": "Its position in the order of states",
    },
    "lease": {
        "name": "What the lease protects", "token": "Fencing token, incremented with every holder",
        "is_held": "Whether it is held",
        "host": "Host of the last holder", "process": "Its process id and start time", "run_id": _RUN,
        "taken_at": "When it was acquired", "heartbeat_at": "Last heartbeat of the holder",
    },
    "division_release": {
        "collection": _COLLECTION, "section": _SECTION, "release": _RELEASE,
        "input_digest": "SHA-256 of the unique_records manifest it was loaded from", "files": "Raw files",
        "records": "Number of accessions of the release that were current after the load",
        "record_digest": "XOR of their record_sha256, except for those changed by a later day",
        "run_id": _RUN, "finished_at": "End of the load",
    },
    "source_file": {
        "source_file_id": "Id of the loaded file", "collection": _COLLECTION, "release": _RELEASE,
        "section": _SECTION, "name": "Name of the raw file", "raw_sha256": "SHA-256 of the raw file as fetched",
        "records": "Number of records in the file", "quarantined": "Number of quarantined blocks in the file",
        "residues": "Sum of the records' lengths", "run_id": _RUN, "loaded_at": "Start of its transaction",
        "transaction_id": "PostgreSQL's id of its transaction", "code_version": "Version of the parsing code",
        "superseded": "Records skipped because the division has a later state of their accession",
        "records_new": _STATE + "loaded for the first time",
        "records_sequence_changed": _STATE + "previously loaded with other residues or another version",
        "records_annotation_changed": _STATE + "previously loaded with the same residues and another text",
        "records_unchanged": _STATE + "previously loaded in the same state",
        "records_returned": _STATE + "previously absent",
        "records_kept": _STATE + "not changed, because a daily update has a later state",
        "rows_copied": "Rows sent by COPY", "rows_merged": "Rows written by the merge",
        "sql_statements": "Statements of its transaction", "record_digest": "XOR of its records' record_sha256",
        "replaced_at": "When the file was loaded again with other bytes; null for the current entry",
    },
    "record": {
        "record_id": "Id of the record, which is the same for all its states", "section": _SECTION,
        "is_current": "Whether the newest loaded release of its division has it",
        "molecule_class": "nucleotide or protein", "code_version": "Version of the code that parsed this row",
        "point": "Position of this state in the order of states; only a state at the same or a later one replaces it",
        "source_file_id": "Id in genbank.source_file of the file of this state, or of a day that repeated it",
        "last_release": "For an absent record, the last release that had it",
    },
    "record_event": {
        "record_id": _RECORD, "release": "Release with the change",
        "state": "new, sequence_changed, annotation_changed, returned or absent", "collection": _COLLECTION,
        "section": _SECTION, "accession": "Primary accession", "version": "Version number after the change",
        "accession_version": "accession.version after the change; the last one of an absent record",
        "record_sha256": "SHA-256 of the record's text after the change",
        "sequence_sha256": "SHA-256 of its residues after the change",
        "previous_accession_version": "accession.version before the change",
        "evidence": "NCBI's list that confirms the change, or the division from which the record moved",
        "run_id": _RUN, "at": "Start of the transaction that loaded it",
        "point": _POINT,
    },
    "feature": {
        "record_id": _RECORD, "collection": _COLLECTION, "section": _SECTION,
        "ordinal": "0-based position in the feature table", "key": "Feature key, such as CDS",
        "location": "Location as written, without white space",
        "operator": "join, order, bond or one-of; null for a single span",
        "start_position": "Lowest base, 1-based; the start of a span across the origin such as 90..10",
        "end_position": "Highest base; the end of a span across the origin is before its start, see features_in()",
        "strand": "1 or -1; null if spans disagree",
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
        "ordinal": "0-based position in the record", "number": "Number as written",
        "location": "Text in parentheses: bases 1 to 68450, sites", "authors": "AUTHORS", "consortium": "CONSRTM",
        "title": "TITLE", "journal": "JOURNAL", "medline": "MEDLINE", "pubmed": "PUBMED", "remark": "REMARK",
    },
    "taxonomy_release": {
        "date": "Date of NCBI's taxdump", "digest": "SHA-256 of the tables made from it",
        "archive_sha256": "SHA-256 of the archive", "taxa": "Number of taxa", "names": "Number of names",
        "merged": "Number of merged taxa",
        "deleted": "Number of deleted taxa", "run_id": _RUN, "loaded_at": "When it was loaded",
    },
    "schema_version": {"version": "Schema version", "at": "When the database was migrated to it"},
}  # fmt: skip

_VIEW_COMMENTS = {
    "current_record": "Records in the newest release of their division, or in a later day",
    "current_feature": "Features of current records; record_id → current_record",
    "current_reference": "REFERENCE blocks of current records; record_id → current_record",
    "release_changes": "All changes of state of records by releases and days",
    "record_lineage": "Every record with its first and last release, and file, run and transaction of the last change",
    "record_presence": "For compatibility with earlier versions: files and releases of a record; use record_lineage",
    "sequence": "Distinct residues by digest and molecule class; the residues themselves are in the object set",
}
_NAME_KEY = "First 255 characters, as indexed; the complete value is in qualifiers"
_VIEW_COLUMN_COMMENTS = {
    "current_record": {
        "section": _SECTION, "division": "Division code on the LOCUS line, such as PHG; the partition is section",
        "release_loaded": "Newest completely loaded release of the division",
        "release_of_last_change": "Release of this state, or day such as 20260902",
        "source_file": "File with this state",
        "file_release": "Release, or day based on one, of the file to which record_offset and record_ordinal refer",
        "file_name": "That file: the one with this state, or that of a day that repeated it",
        "organism": "First 255 characters of the scientific name, as indexed",
    },
    "current_feature": {"section": _SECTION, "gene": _NAME_KEY, "locus_tag": _NAME_KEY, "product": _NAME_KEY},
    "release_changes": {"section": _SECTION, "release": _RELEASE},
    "record_lineage": {
        "last_release": "Newest release, or day based on one, that has the record",
        "release": "Release of this state, or day such as 20260902",
        "last_file": "The file to which record_offset and record_ordinal refer: the one with this state, or that of a "
        "day that repeated it",
        "last_file_release": "Release of that file, or day based on one", "run_id": "The run that loaded that file",
    },
}  # fmt: skip
_FUNCTION_COMMENTS = {
    "features_with(text, text)": "Features by any value of a qualifier; gene, locus_tag, product and db_xref are "
    "indexed, for others all features are read",
    "features_in(bigint, bigint, bigint)": "Features of a record that overlap an interval, including those across the "
    "origin",
    "records_of_organism(text)": "Records of an organism, by its full name",
    "records_as_of(text, text)": "Accessions and their states as of a release, or of a day based on one",
    "release_point(text, text)": "Position of a release in the order of states; an error if it was never loaded",
    "check_release(text, text)": "No rows, or an error for a release that was never loaded",
    "point_of(date, integer, integer)": "Position in the order of states: by date, days (no numbers) before releases",
    "date_of_point(bigint)": "Date of a position in the order of states",
    "release_key(text)": "Numeric sort key of a release",
    "daily_date(text)": "The day of a label such as 273.0.20260902; null for a release",
    "totals(text, text, bigint)": "Number of current records of a division up to a position in the order of states, "
    "and the XOR of their record_sha256",
}


def comment_statement() -> str:
    """Return the COMMENT statements for all tables and columns."""
    by_name = {column.name: column.meaning for column in RECORD_COLUMNS}
    columns = {table: dict(comments) for table, comments in _COLUMN_COMMENTS.items()}
    columns["record"] |= {name: column.meaning for name, column in record_columns()} | {
        "release": "Release, or day, of the file with the last change",
        "source_file": "Name of the file with the last change",
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
