"""The schema: new as the newest version, brought forward from the first, described, indexed, refused from later."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from genbank_assets.errors import DatabaseError
from genbank_assets.postgres.connection import Database
from genbank_assets.postgres.statements import Index, indexes
from genbank_assets.postgres.versions import SCHEMA_VERSION, ensure_schema, migration_steps
from genbank_assets_tests.fix_postgres import Divisions, Entry

VERSION_1 = Path(__file__).with_name("postgres_schema_v1.sql")
_CATALOG = (
    "SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, "
    "col_description(c.oid, a.attnum) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
    "WHERE c.relnamespace = 'genbank'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND NOT c.relispartition "
    "AND a.attnum > 0 ORDER BY 1, a.attnum",
    "SELECT i.tablename, i.indexname, i.indexdef FROM pg_indexes i JOIN pg_class c ON c.relname = i.tablename "
    "WHERE i.schemaname = 'genbank' AND c.relnamespace = 'genbank'::regnamespace AND NOT c.relispartition "
    "ORDER BY 1, 2",
    "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'genbank'::regnamespace ORDER BY 1",
    "SELECT conname, pg_get_constraintdef(t.oid) FROM pg_constraint t JOIN pg_class c ON c.oid = conrelid "
    "WHERE connamespace = 'genbank'::regnamespace AND contype <> 'n' AND NOT c.relispartition ORDER BY 1",
)


def catalog(url: str) -> list[list[tuple]]:
    with psycopg.connect(url) as connection:
        return [connection.execute(query).fetchall() for query in _CATALOG]


def make(url: str) -> None:
    with Database(url, pool_size=2) as database:
        ensure_schema(database)


def test_every_table_view_function_and_column_is_described(postgres_url: str) -> None:
    make(postgres_url)
    with psycopg.connect(postgres_url) as connection:
        columns = connection.execute(
            "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
            "WHERE c.relnamespace = 'genbank'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition "
            "AND a.attnum > 0 "
            "AND NOT a.attisdropped AND col_description(c.oid, a.attnum) IS NULL"
        ).fetchall()
        tables = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'genbank'::regnamespace AND relkind IN ('r', 'p', 'v') "
            "AND NOT relispartition AND obj_description(oid) IS NULL"
        ).fetchall()
    assert (columns, tables) == ([], [])


def test_the_first_version_goes_forward_to_what_a_new_database_is(postgres_url: str) -> None:
    make(postgres_url)
    new = catalog(postgres_url)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("DROP SCHEMA genbank CASCADE")
        connection.execute("SET check_function_bodies = off")
        connection.execute(VERSION_1.read_text(encoding="utf-8"))
        connection.execute(
            "INSERT INTO genbank.record (section, is_current, molecule_class, locus_name, accession, "
            "accession_version, collection, length, length_unit, secondary_accessions, dblinks, keywords, taxonomy, "
            "taxon_ids, structured_comments, wgs_ranges, notes, record_sha256, release, source_file) "
            "VALUES ('bct', true, 'nucleotide', 'AB000001', 'AB000001', 'AB000001.1', 'genbank', 1, 'bp', '{}', '[]', "
            "'{}', '{}', '{}', '[]', '[]', '{}', '\\x00', '1.0', 'gbbct1.seq.gz')"
        )
        connection.execute(
            "INSERT INTO genbank.feature (record_id, ordinal, key, location, partial_start, partial_end, spans_origin, "
            "qualifiers) VALUES (1, 0, 'CDS', '1..3', false, false, false, "
            '\'[["product", "p"], ["gene", "a"], ["product", "q"], ["pseudo", null], ["gene", "b"]]\')'
        )
    make(postgres_url)
    assert catalog(postgres_url) == new
    with psycopg.connect(postgres_url) as connection:
        kept = connection.execute("SELECT accession_version, code_version FROM genbank.record").fetchall()
        versions = connection.execute("SELECT version FROM genbank.schema_version ORDER BY 1").fetchall()
        assert connection.execute("SELECT further_names FROM genbank.feature").fetchall() == [
            (["gene=b", "product=q"],)
        ]
    assert (kept, versions) == ([("AB000001.1", "1")], [(1,), (4,), (SCHEMA_VERSION,)])


def test_steps_are_numbered_without_gaps() -> None:
    assert list(migration_steps()) == list(range(1, SCHEMA_VERSION + 1))


def test_functions_of_another_package_are_replaced(postgres_url: str) -> None:
    make(postgres_url)
    new = catalog(postgres_url)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("DROP FUNCTION genbank.mark_absent; DROP VIEW genbank.release_changes")
        connection.execute("COMMENT ON SCHEMA genbank IS 'older'")
    make(postgres_url)
    assert catalog(postgres_url) == new


def test_a_role_without_privileges_gets_an_error_that_says_so(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS gba_reader; CREATE ROLE gba_reader LOGIN")
    with pytest.raises(DatabaseError, match="may not do this: permission denied"):
        make(postgres_url.replace("postgres@", "gba_reader@"))


def test_a_schema_from_the_future_is_refused(postgres_url: str) -> None:
    make(postgres_url)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("INSERT INTO genbank.schema_version (version) VALUES (99)")
    with pytest.raises(DatabaseError, match="holds schema version 99"):
        make(postgres_url)


def test_a_database_of_another_encoding_is_refused(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        provider = "LOCALE_PROVIDER libc" if connection.info.server_version >= 150000 else ""
        connection.execute(
            "CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0 " + provider
        )
    name = psycopg.conninfo.conninfo_to_dict(postgres_url)["dbname"]
    try:
        with pytest.raises(DatabaseError, match="encoded in LATIN1"):
            make(postgres_url.replace(f"/{name}?", "/latin?"))
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("DROP DATABASE latin WITH (FORCE)")


@pytest.mark.parametrize(
    ("index", "question"),
    [
        ("record_accession", "record WHERE accession = 'AB000001'"),
        ("record_accession", "record WHERE collection = 'genbank' AND section = 'bct' AND accession = 'AB000001'"),
        ("record_accession", "current_record WHERE accession = 'AB000001'"),
        ("record_pkey", "record WHERE record_id = 1"),
        ("record_accession_version", "record WHERE accession_version = 'AB000001.1'"),
        ("record_sequence", "record WHERE sequence_sha256 = '\\x00'"),
        ("record_sequence", "sequence WHERE sequence_sha256 = '\\x00'"),
        ("record_taxon", "current_record WHERE taxon_id = 1"),
        ("record_taxonomy", "current_record WHERE taxonomy @> '{Mammalia}'"),
        ("record_organism", "current_record WHERE organism = 'Phage'"),
        ("record_organism", "records_of_organism('Phage')"),
        ("record_division_date", "record WHERE division = 'BCT' AND update_date > '2020-01-01'"),
        ("record_absent", "record WHERE accession = 'AB000001' AND NOT is_current"),
        ("feature_pkey", "features_in(1, 10, 20)"),
        ("feature_pkey", "feature WHERE record_id = 1 ORDER BY ordinal"),
        ("feature_gene", "current_feature WHERE gene = 'dnaA'"),
        ("feature_locus_tag", "current_feature WHERE locus_tag = 'b0001'"),
        ("feature_product", "current_feature WHERE product = 'DNA polymerase'"),
        ("feature_db_xref", "feature WHERE db_xrefs @> '{taxon:1}'"),
        ("feature_further_name", "feature WHERE further_names @> '{gene=dnaA}'"),
        ("feature_gene", "features_with('gene', 'dnaA')"),
        ("feature_locus_tag", "features_with('locus_tag', 'b0001')"),
        ("feature_product", "features_with('product', 'DNA polymerase')"),
        ("feature_further_name", "features_with('gene', 'dnaA')"),
        ("feature_db_xref", "features_with('db_xref', 'taxon:1')"),
        ("reference_pkey", "reference WHERE record_id = 1 ORDER BY ordinal"),
        ("record_event_pkey", "record_event WHERE record_id = 1"),
        ("record_event_release", "release_changes WHERE release = '1.0' AND state = 'absent'"),
        ("record_event_accession", "release_changes WHERE accession = 'AB000001'"),
        ("record_event_accession", "records_as_of('genbank', '1.0') WHERE accession = 'AB000001'"),
    ],
)  # fmt: skip
def test_questions_people_ask_find_their_index(divisions: Divisions, index: str, question: str) -> None:
    divisions.load(divisions.make("genbank/bct", "1.0", {"gbbct1.seq.gz": [Entry("AB000001")]}))
    table = index_named(index).table
    with psycopg.connect(divisions.settings.postgres_url or "") as connection:
        connection.execute("SET enable_seqscan = off")
        # Only the index in question: with so few rows the planner would be as happy with any other.
        for other in indexes():
            if other.name != index and other.table == table:
                if other.is_primary_key:
                    connection.execute(f"ALTER TABLE genbank.{other.table} DROP CONSTRAINT {other.name}")
                else:
                    connection.execute(f"DROP INDEX genbank.{other.name}")
        plan = connection.execute(f"EXPLAIN SELECT * FROM genbank.{question}").fetchall()
        connection.rollback()
    found = index_named(index).name_on(f"{index_named(index).table}_genbank_bct")
    assert any(re.search(rf"(using|on) {found}\b", line) for (line,) in plan), plan


def index_named(name: str) -> Index:
    return next(index for index in indexes() if index.name == name)


def test_every_index_has_its_question() -> None:
    asked = set(re.findall(r'^        \("(\w+)", "', Path(__file__).read_text(), re.MULTILINE))
    assert asked == {index.name for index in indexes()}
