"""A database of version 0.1.0 goes forward: answers stay, what others made in it stays, a kill costs one table."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest

from genbank_assets.errors import DatabaseError
from genbank_assets.postgres import repartition, versions
from genbank_assets.postgres.connection import Database
from genbank_assets.postgres.versions import SCHEMA_VERSION, ensure_schema
from genbank_assets.settings import Settings
from genbank_assets_tests.fix_postgres import Divisions, Entry
from genbank_assets_tests.integration.test_daily import VIRAL, accession

VERSION_4 = Path(__file__).with_name("postgres_version_4.sql")
# What people asked version 0.1.0, and what they ask now where a name has changed.
QUESTIONS: list[tuple[LiteralString, LiteralString]] = [
    (
        "SELECT collection, section, accession_version, is_current, definition, first_release, last_release, organism "
        "FROM genbank.record_lineage ORDER BY 1, 2, 3",
    )
    * 2,
    (
        "SELECT collection, division, accession, state, release, accession_version, previous_accession_version, "
        "record_sha256, evidence FROM genbank.release_changes ORDER BY 1, 2, 3, 5, 4",
        "SELECT collection, section, accession, state, release, accession_version, previous_accession_version, "
        "record_sha256, evidence FROM genbank.release_changes ORDER BY 1, 2, 3, 5, 4",
    ),
    *(
        (
            f"SELECT division, accession, accession_version, state, since_release, record_sha256 "
            f"FROM genbank.records_as_of('{collection}', '{release}') ORDER BY 1, 2",
            f"SELECT section, accession, accession_version, state, since_release, record_sha256 "
            f"FROM genbank.records_as_of('{collection}', '{release}') ORDER BY 1, 2",
        )
        for collection, release in (
            ("genbank", "1.0"), ("genbank", "1.0.20260902"), ("genbank", "2.0"), ("genbank", "2.0.20261020"),
            ("genbank", "3.0"), ("refseq", "7"), ("refseq", "8"),
        )
    ),
    *(
        (f"SELECT r.section, r.accession, f.key, f.ordinal, f.gene FROM genbank.features_with{question} f "
         "JOIN genbank.record r USING (record_id) ORDER BY 1, 2, 4",) * 2
        for question in ("('gene', 'b')", "('gene', 'gAB000003')", "('db_xref', 'taxon:1')")
    ),
    ("SELECT record_id, ordinal, key, location, qualifiers::text, gene, product, db_xrefs, further_names "
     "FROM genbank.feature ORDER BY 1, 2",) * 2,
    ("SELECT record_id, ordinal, title, authors FROM genbank.reference ORDER BY 1, 2",) * 2,
    ("SELECT collection, section, release, files, records FROM genbank.division_release ORDER BY 1, 2, 3",) * 2,
    ("SELECT source_file_id, name, release, raw_sha256, records_new FROM genbank.source_file ORDER BY 1",) * 2,
    ("SELECT l.accession, l.last_file, l.raw_sha256, p.record_offset, p.record_ordinal FROM genbank.record_lineage l "
     "JOIN genbank.record_presence p ON p.record_id = l.record_id ORDER BY l.record_id",) * 2,
    ("SELECT sequence_sha256, molecule_class, length FROM genbank.sequence WHERE sequence_sha256 IN "
     "(SELECT sequence_sha256 FROM genbank.record) ORDER BY 1",) * 2,
]  # fmt: skip


@pytest.fixture
def old(postgres_url: str) -> str:
    """The URL of a database of version 0.1.0 with three releases and two days."""
    with psycopg.connect(postgres_url) as connection:
        connection.execute("SET check_function_bodies = off")
        connection.execute(VERSION_4.read_text(encoding="utf-8"))
    return postgres_url


def answers(url: str, *, now: bool) -> list[Any]:
    with psycopg.connect(url) as connection:
        return [connection.execute(question[now]).fetchall() for question in QUESTIONS]


def upgrade(url: str) -> list[str]:
    lines: list[str] = []
    with Database(url, pool_size=2) as database:
        ensure_schema(database, progress=lines.append)
    return lines


def test_answers_are_the_same_afterwards(old: str) -> None:
    before = answers(old, now=False)
    lines = upgrade(old)
    assert any("genbank/vrl, 2 of 4 divisions" in line for line in lines), lines
    assert upgrade(old) == []
    after = answers(old, now=True)
    for question, then, now in zip(QUESTIONS, before, after, strict=True):
        assert then == now, question[1]
    with psycopg.connect(old) as connection:
        assert connection.execute("SELECT to_regnamespace('genbank_next')").fetchone() == (None,)
        invalid = connection.execute(
            "SELECT i.indexrelid::regclass FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
            "WHERE c.relnamespace = 'genbank'::regnamespace AND NOT i.indisvalid"
        ).fetchall()
        assert invalid == []


def test_loads_and_days_resume_where_they_stopped(old: str, settings: Settings) -> None:
    upgrade(old)
    divisions = Divisions(dataclasses.replace(settings, postgres_url=old))
    third = Entry("AB000003", version=2, residues="ttt")
    added = {"viral.1.genomic.gbff.gz": [third, Entry("AB000004")]}
    divisions.load(divisions.make("refseq/viral", "9", added), max_absent_fraction=1.0)
    assert divisions.states("9", collection="refseq") == {"viral/AB000001": "absent", "viral/AB000004": "new"}
    with pytest.raises(DatabaseError, match="the older 7 is not loaded"):
        divisions.load(divisions.make("refseq/viral", "7", {}))
    # The record that release 3.0 of vrl confirmed is later than any day before that release.
    rows = divisions.query("SELECT genbank.date_of_point(point)::text FROM genbank.record WHERE accession = %s",
                           accession(VIRAL[4]))  # fmt: skip
    assert rows == [("2026-12-15",)]


THEIRS = [
    "CREATE VIEW public.mine AS SELECT accession, organism FROM genbank.record WHERE is_current",
    "CREATE VIEW public.on_mine AS SELECT count(*) AS n FROM public.mine",
    "COMMENT ON VIEW public.mine IS 'mine'",
    "GRANT SELECT ON public.mine TO pg_monitor WITH GRANT OPTION",
    "CREATE MATERIALIZED VIEW public.kept AS SELECT accession FROM genbank.record_lineage",
    "CREATE MATERIALIZED VIEW public.counts WITH (fillfactor = 90) AS SELECT accession, count(*) AS n "
    "FROM genbank.record GROUP BY 1 WITH NO DATA",
    "CREATE UNIQUE INDEX counts_accession ON public.counts (accession)",
    "COMMENT ON COLUMN public.counts.n IS 'records'",
    "CREATE VIEW public.guarded WITH (security_barrier) AS SELECT accession, version FROM genbank.record",
    "CREATE FUNCTION public.on_insert() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
    "CREATE TRIGGER instead INSTEAD OF INSERT ON public.guarded FOR EACH ROW EXECUTE FUNCTION public.on_insert()",
    "CREATE TRIGGER mine AFTER INSERT ON genbank.record FOR EACH ROW EXECUTE FUNCTION public.on_insert()",
    "CREATE FUNCTION public.number() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM genbank.record; END",
    "CREATE FUNCTION genbank.mine(r genbank.record) RETURNS text LANGUAGE sql AS 'SELECT r.accession'",
    "CREATE VIEW public.on_functions AS SELECT public.number(), accession, genbank.release_key('1.0') "
    "FROM genbank.records_as_of('genbank', '1.0')",
    "REVOKE ALL ON FUNCTION public.number() FROM PUBLIC",
    "CREATE TABLE public.notes (collection text, release text, major integer[] DEFAULT genbank.release_key('1.0'), "
    "CONSTRAINT known FOREIGN KEY (collection, release) REFERENCES genbank.release)",
    "INSERT INTO public.notes VALUES ('genbank', '1.0', '{7}')",
    "CREATE INDEX notes_key ON public.notes (genbank.release_key(release))",
    "CREATE RULE counted AS ON DELETE TO public.notes DO ALSO SELECT count(*) FROM genbank.record",
    "CREATE POLICY few ON genbank.reference FOR SELECT USING (ordinal < 9)",
    "ALTER TABLE genbank.reference ENABLE ROW LEVEL SECURITY",
    "CREATE STATISTICS public.together ON accession, organism FROM genbank.record",
    "CREATE INDEX record_source ON genbank.record (source)",
    "GRANT SELECT ON genbank.record, genbank.release_changes TO PUBLIC",
    "GRANT SELECT (accession) ON genbank.record TO pg_monitor",
    "ALTER DEFAULT PRIVILEGES IN SCHEMA genbank GRANT SELECT ON TABLES TO pg_monitor",
]  # fmt: skip
INVENTORY: LiteralString = """
    SELECT pg_describe_object('pg_class'::regclass, oid, 0), relispopulated::text, reloptions::text, relacl::text
    FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm', 'r', 'i')
    UNION ALL SELECT oid::regprocedure::text, '', '', proacl::text FROM pg_proc
    WHERE pronamespace = 'public'::regnamespace OR proname = 'mine'
    UNION ALL SELECT tgname, tgrelid::regclass::text, '', '' FROM pg_trigger WHERE NOT tgisinternal AND tgparentid = 0
    UNION ALL SELECT conname, conrelid::regclass::text, confrelid::regclass::text, '' FROM pg_constraint
    WHERE conname = 'known'
    UNION ALL SELECT rulename, pg_get_ruledef(oid), '', '' FROM pg_rewrite WHERE rulename = 'counted'
    UNION ALL SELECT 'default', pg_get_expr(adbin, adrelid), '', '' FROM pg_attrdef
    WHERE adrelid = 'public.notes'::regclass
    UNION ALL SELECT polname, polrelid::regclass::text, '', '' FROM pg_policy
    UNION ALL SELECT stxname, stxrelid::regclass::text, '', '' FROM pg_statistic_ext
    UNION ALL SELECT 'rls', relname, relrowsecurity::text, '' FROM pg_class WHERE oid = 'genbank.reference'::regclass
    UNION ALL SELECT 'index', to_regclass('genbank.record_source')::text, '', ''
    UNION ALL SELECT 'comment', col_description('public.counts'::regclass, 2), obj_description('public.mine'::regclass),
        (SELECT n FROM public.on_mine)::text || (SELECT count(*) FROM public.kept)
    UNION ALL SELECT 'grant', c.relname, a.privilege_type, a.grantee::text FROM pg_class c, aclexplode(c.relacl) a
    WHERE c.oid IN ('genbank.record'::regclass, 'genbank.release_changes'::regclass) AND a.grantee = 0
    UNION ALL SELECT 'column grant', attname, attacl::text, '' FROM pg_attribute
    WHERE attrelid = 'genbank.record'::regclass AND attacl IS NOT NULL
    ORDER BY 1, 2, 3, 4"""


def test_whatever_others_made_on_tables_views_and_functions_stays(old: str) -> None:
    with psycopg.connect(old) as connection:
        for statement in THEIRS:
            connection.execute(statement.encode())
        before = connection.execute(INVENTORY).fetchall()
        connection.execute("CREATE VIEW public.old_name AS SELECT division FROM genbank.release_changes")
        connection.execute("CREATE TABLE public.theirs (record_id bigint CONSTRAINT there REFERENCES genbank.record)")
        connection.execute("CREATE FUNCTION genbank.clade(wanted bigint) RETURNS int LANGUAGE sql AS 'SELECT 7'")
    told = [line.partition(" (")[0] for line in upgrade(old) if "view_aside" in line]
    assert told == [
        "the function genbank.clade(bigint) gives way to one of genbank-assets: see genbank.view_aside",
        "the constraint there of theirs cannot be recreated",
        "the view public.old_name cannot be recreated",
    ]
    with psycopg.connect(old) as connection:
        aside = connection.execute("SELECT name FROM genbank.view_aside WHERE definition ~ 'SELECT 7|release_changes'")
        assert aside.fetchall() == [("genbank.clade(bigint)",), ("public.old_name",)]
        connection.execute("DROP TABLE public.theirs")
        assert connection.execute(INVENTORY).fetchall() == before
        assert connection.execute("SELECT major FROM public.notes").fetchall() == [([7],)]
        readable = "SELECT has_table_privilege('pg_monitor', 'genbank.division', 'SELECT')"
        assert connection.execute(readable).fetchone() == (True,)


def test_rows_of_a_user_are_never_dropped_with_ours(old: str) -> None:
    with psycopg.connect(old) as connection:
        connection.execute("CREATE TABLE public.kept (mine genbank.record)")
    with pytest.raises(DatabaseError, match=r"column mine of table kept depends on what is replaced.* drop it and run"):
        upgrade(old)
    with psycopg.connect(old) as connection:  # before anything is copied
        assert connection.execute("SELECT to_regnamespace('genbank_next')").fetchone() == (None,)


def test_a_function_whose_result_changes_is_replaced_with_what_others_made_on_it(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgrade(postgres_url)
    with psycopg.connect(postgres_url) as connection:
        connection.execute("CREATE VIEW public.keys AS SELECT genbank.release_key('1.0') AS key")
        connection.execute("CREATE VIEW public.changes AS SELECT accession FROM genbank.release_changes")
        connection.execute("GRANT SELECT ON genbank.release_changes TO PUBLIC")
    text = versions.sql_text
    changed = {
        "functions": text("functions").replace("release_key(release text)", "release_key(named text)")
        .replace("string_to_array(release, '.')", "string_to_array(named, '.')"),
        "views": text("views").replace("SELECT accession, version,", "SELECT version, accession,"),
    }  # fmt: skip
    assert all(changed[name] != text(name) for name in changed)
    monkeypatch.setattr(versions, "sql_text", lambda name: changed.get(name) or text(name))
    assert upgrade(postgres_url) == []
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT key FROM public.keys").fetchall() == [([1, 0],)]
        assert connection.execute("SELECT count(*) FROM public.changes").fetchall() == [(0,)]
        granted = "SELECT has_table_privilege('pg_monitor', 'genbank.release_changes', 'SELECT')"
        assert connection.execute(granted).fetchone() == (True,)


def test_an_interrupted_migration_resumes(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = answers(old, now=False)
    copied: list[str] = []
    copy = repartition._copy

    def dying(session: Any, table: str, *, collection: str, section: str) -> None:
        if len(copied) == 6:
            raise KeyboardInterrupt
        copied.append(f"{table} {collection}/{section}")
        copy(session, table, collection=collection, section=section)

    with monkeypatch.context() as patch:
        patch.setattr(repartition, "_copy", dying)
        with pytest.raises(KeyboardInterrupt):
            upgrade(old)
    assert answers(old, now=False) == before  # readers see what they saw
    monkeypatch.setattr(repartition, "_copy", lambda *a, **k: (copied.append(f"{a[1]} {k['section']}"), copy(*a, **k)))
    assert any("resuming an interrupted migration" in line for line in upgrade(old))
    assert len(copied) == 16  # four tables of four divisions, each once
    assert answers(old, now=True) == before


def test_a_load_by_the_earlier_version_meanwhile_is_noticed(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    swap = repartition._swap

    def after_a_load(session: Any, *arguments: Any, **options: Any) -> None:
        with psycopg.connect(old) as connection:
            connection.execute(
                "INSERT INTO genbank.source_file (collection, release, section, name, raw_sha256, records, "
                "quarantined, residues, run_id, transaction_id) "
                "VALUES ('genbank', '3.0', 'vrl', 'gbvrl2.seq.gz', '', 0, 0, 0, '', 0)"
            )
        swap(session, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(repartition, "_swap", after_a_load)
        with pytest.raises(DatabaseError, match="an earlier version of this package has loaded"):
            upgrade(old)
    upgrade(old)
    with psycopg.connect(old) as connection:
        assert connection.execute("SELECT max(version) FROM genbank.schema_version").fetchone() == (SCHEMA_VERSION,)
        names = connection.execute("SELECT count(*) FROM genbank.source_file WHERE name = 'gbvrl2.seq.gz'").fetchone()
        assert names == (1,)
