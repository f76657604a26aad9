"""The temporary tables of a load; the functions that work on them are in ``sql/merge.sql``.

All keys of a file come in ``stage_key``. ``genbank.plan_file`` compares them with what is loaded, removes the rows
that are to be replaced, and answers which records are wanted and under which ``record_id``; these go by COPY into the
division's own tables; ``genbank.finish_file`` writes ledger and history. Everything runs in the caller's one
transaction and takes a fixed number of statements whatever the file's size. Sending the rows belongs to ``one_file``.
"""

from typing import Final, LiteralString

STAGE_KEY: Final[LiteralString] = """
CREATE TEMP TABLE stage_key (
    record_ordinal bigint, accession text, version integer, accession_version text, record_sha256 bytea,
    sequence_sha256 bytea, molecule_class text, length bigint, record_offset bigint, record_bytes bigint)
    ON COMMIT DROP
"""
STAGE_ACCESSION: Final[LiteralString] = "CREATE TEMP TABLE stage_accession (accession text) ON COMMIT DROP"
STAGE_EVIDENCE: Final[LiteralString] = (
    "CREATE TEMP TABLE stage_evidence (accession text, list text, source_file text) ON COMMIT DROP"
)
