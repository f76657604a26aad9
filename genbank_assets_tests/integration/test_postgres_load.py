"""The load: statements as the server's own log counts them, four divisions at once, columns against the tables."""

from __future__ import annotations

import dataclasses
import multiprocessing
import re
from pathlib import Path

import polars as pl
import psycopg
import pyarrow.parquet as pq
import pytest

from genbank_assets.postgres.connection import open_database
from genbank_assets.postgres.versions import ensure_schema
from genbank_assets.postgres_server.server import EmbeddedServer
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, PartitionRelease
from genbank_assets_tests.fix_postgres import Divisions, Entry
from genbank_assets_tests.integration.test_mirror import mirror
from genbank_assets_tests.integration.test_postgres_changes import many
from genbank_assets_tests.paths import SAMPLE

MAX_STATEMENTS_PER_FILE = 12


def test_a_file_takes_few_statements_by_the_servers_own_log(
    settings: Settings, server: EmbeddedServer, mirror_273: str, mirror_274: str
) -> None:
    key = PartitionKey("genbank", "vrl")
    with open_database(settings) as opened:
        ensure_schema(opened)
    database = (settings.postgres_url or "").split("/")[-1].split("?")[0]
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE \"{database}\" SET log_statement = 'all'")
    log = server.data.parent / "server.log"
    for source, planned in ((mirror_273, "plan_first_file"), (mirror_274, "plan_file")):
        settings = dataclasses.replace(settings, source=source)
        mirror(key, settings, stages=3)
        before = len(log.read_text())
        loaded = mirror(key, settings, stages=4)[3]
        statements = log_of_statements(log.read_text()[before:])
        of_file = [group for group in statements.values() if any(planned in line for line in group)]
        assert len(of_file) == 1
        at = next(n for n, line in enumerate(of_file[0]) if planned in line)
        begin = max(n for n in range(at) if "BEGIN" in of_file[0][n])
        end = next(n for n in range(at, len(of_file[0])) if "COMMIT" in of_file[0][n])
        assert end - begin + 1 <= MAX_STATEMENTS_PER_FILE
        assert sum(map(len, statements.values())) == loaded.report.sql_statements
        with open_database(settings) as opened, opened.transaction() as session:
            counted = session.execute("SELECT sql_statements FROM genbank.source_file ORDER BY source_file_id")
            assert counted[-1] == (end - begin + 1,)


def test_the_statements_of_a_file_do_not_grow_with_its_records(divisions: Divisions) -> None:
    for section, number in (("bct", 3), ("inv", 60)):
        records = many(number, prefix=section[:2].upper())
        changed = [dataclasses.replace(entry, title="Changed") for entry in records]
        for release, entries in (("1.0", records), ("2.0", changed)):
            divisions.load(divisions.make(f"genbank/{section}", release, {"gb1.seq.gz": entries}))
    counted = divisions.query("SELECT release, array_agg(DISTINCT sql_statements) FROM genbank.source_file GROUP BY 1")
    assert len(counted) == 2
    for _, numbers in counted:
        assert len(numbers) == 1
        assert numbers[0] <= MAX_STATEMENTS_PER_FILE


def log_of_statements(text: str) -> dict[str, list[str]]:
    """Statements of each server process, in order."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if match := re.search(r"\[(\d+)\] LOG:  (?:statement|execute [^:]+): (.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


def load_one(division: str, settings: Settings) -> None:
    mirror(PartitionKey("genbank", division), settings, stages=4)


def test_four_divisions_load_at_once(settings: Settings, mirror_274: str) -> None:
    settings = dataclasses.replace(settings, source=mirror_274)
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=load_one, args=(d, settings)) for d in ("bct", "pri", "vrl", "pln")]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    with open_database(settings) as database, database.transaction() as session:
        assert session.execute("SELECT count(*) FROM genbank.record")[0][0] == 111 + 21 + 49 + 66


def test_rows_are_what_the_tables_hold(settings: Settings) -> None:
    settings = dataclasses.replace(settings, source=SAMPLE.as_uri())
    key = PartitionKey("genbank", "pln")
    _, records, _, _ = mirror(key, settings, stages=4)
    folder = PartitionRelease(settings.store, key, "1.0").files_folder("records")
    frame = pl.read_parquet(folder / records.files[0]["records_file"])
    with open_database(settings) as database, database.transaction() as session:
        for row in frame.iter_rows(named=True):
            found = session.execute(
                "SELECT definition, organism, taxonomy, keywords, taxon_id, length, update_date, sequence_sha256, "
                "comment, record_id FROM genbank.record WHERE accession = %s",
                [row["accession"]],
            )[0]
            names = (
                "definition",
                "organism",
                "taxonomy",
                "keywords",
                "taxon_id",
                "length",
                "update_date",
                "sequence_sha256",
                "comment",
            )
            assert found[:9] == tuple(row[name] for name in names)
            features = session.execute(
                "SELECT key, location, start_position, end_position, strand, qualifiers FROM genbank.feature "
                "WHERE record_id = %s ORDER BY ordinal",
                [found[9]],
            )
            assert features == [
                (
                    f["key"],
                    f["location"],
                    f["start"],
                    f["end"],
                    f["strand"],
                    [[q["key"], q["value"]] for q in f["qualifiers"]],
                )
                for f in row["features"]
            ]
            references = session.execute(
                "SELECT number, authors, title, journal, pubmed FROM genbank.reference WHERE record_id = %s "
                "ORDER BY ordinal",
                [found[9]],
            )
            assert references == [
                (r["number"], r["authors"], r["title"], r["journal"], r["pubmed"]) for r in row["references"]
            ]


@pytest.mark.slow
def test_a_release_can_be_seen_as_it_was(settings: Settings, mirror_273: str, mirror_274: str, tmp_path: Path) -> None:
    key = PartitionKey("genbank", "vrl")
    for source in (mirror_273, mirror_274):
        mirror(key, dataclasses.replace(settings, source=source), stages=4)
    with open_database(settings) as database, database.transaction() as session:
        counts = [
            session.execute("SELECT count(*) FROM genbank.records_as_of('genbank', %s)", [release])[0][0]
            for release in ("273.0", "274.0")
        ]
    assert counts == [46, 49]


def test_long_texts_and_many_qualifiers_fit(divisions: Divisions) -> None:
    note = "".join(f'                     /note="{n}"\n' for n in range(20_000))
    long = "x" * 40
    lines = [long] * 200  # 8 kB
    wrapped = "\n                     ".join(lines)
    product = f'                     /product="{wrapped}"\n                     /db_xref="{wrapped}"\n'
    contig = ",\n            ".join(f"AB{n:06}.1:1..1000" for n in range(100_000))
    text = (
        "LOCUS       AB000001                  10 bp    DNA     linear   CON 01-JAN-2020\nDEFINITION  Long.\n"
        "ACCESSION   AB000001\nVERSION     AB000001.1\n"
        "FEATURES             Location/Qualifiers\n     gene            1..6\n"
        f'                     /gene="{wrapped}"\n                     /db_xref="GeneID:1"\n{product}{note}'
        f"CONTIG      join({contig})\n//\n"
    )
    divisions.load(divisions.make("genbank/con", "1.0", {"gbcon1.seq.gz": [text]}))
    ((contig_bytes,),) = divisions.query("SELECT length(contig) FROM genbank.record")
    assert contig_bytes == len("join()") + 100_000 * len("AB000000.1:1..1000,") - 1
    ((count, product_bytes, gene_bytes, xrefs),) = divisions.query(
        "SELECT jsonb_array_length(qualifiers), length(product), length(gene), db_xrefs FROM genbank.feature"
    )
    assert (count, xrefs) == (20_004, ["GeneID:1"])
    assert product_bytes == gene_bytes == 200 * 41 - 1


def test_a_feature_is_found_by_every_name_it_has(divisions: Divisions) -> None:
    lines = ("     CDS             1..6", *(f'                     /{pair}' for pair in (
        'gene="a"', 'product="p1"', 'gene="b"', "pseudo", 'product="p2"', 'gene="a"', 'locus_tag="t"',
        f'product="{"x" * 1_001}"', 'db_xref="GeneID:7"',
    )))  # fmt: skip
    text = (
        Entry("AB000001").text().replace("     gene            1..6", "\n".join((*lines, "     gene            1..6")))
    )
    divisions.load(divisions.make("genbank/bct", "1.0", {"gbbct1.seq.gz": [text, Entry("AB000002")]}))
    found = divisions.query("SELECT gene, locus_tag, product, further_names FROM genbank.feature WHERE key = 'CDS'")
    assert found == [("a", "t", "p1", ["gene=b", "gene=a", "product=p2"])]
    for qualifier, value, count in [
        ("gene", "a", 1), ("gene", "b", 1), ("product", "p1", 1), ("product", "p2", 1), ("locus_tag", "t", 1),
        ("db_xref", "GeneID:7", 1), ("gene", "gAB000002", 1), ("gene", "p1", 0), ("note", "a", 0),
    ]:  # fmt: skip
        ask = "SELECT count(*) FROM genbank.features_with(%s, %s)"
        assert divisions.query(ask, qualifier, value) == [(count,)], (qualifier, value)


def test_a_feature_over_the_origin_is_found_by_the_interval_it_covers(divisions: Divisions) -> None:
    lines = "     CDS             8..3\n     tRNA            4..5\n     gene            1..6"
    text = Entry("AB000001").text().replace("     gene            1..6", lines).replace("linear  ", "circular")
    divisions.load(divisions.make("genbank/bct", "1.0", {"gbbct1.seq.gz": [text]}))
    for first, last, keys in [(9, 10, ["CDS"]), (1, 2, ["CDS", "gene"]), (5, 5, ["gene", "tRNA"]), (7, 7, [])]:
        found = divisions.query(
            "SELECT f.key FROM genbank.record r, genbank.features_in(r.record_id, %s, %s) f WHERE f.key <> 'source' "
            "ORDER BY lower(f.key)", first, last,
        )  # fmt: skip
        assert [key for (key,) in found] == keys, (first, last)


def test_wanted_records_of_many_row_groups_come_with_their_own_features(divisions: Divisions) -> None:
    note = "".join(f'                     /note="{n:050}"\n' for n in range(40_000))

    def file(*, changed: bool) -> list[str]:
        titles = ["Other" if changed and n % 3 == 0 else "A record" for n in range(12)]
        texts = [Entry(f"AB{n:06}", title=title).text() for n, title in enumerate(titles)]
        return [text.replace("ORIGIN", note + "ORIGIN") for text in texts]

    name = "gbbct1.seq.gz"
    divisions.load(divisions.make("genbank/bct", "1.0", {name: file(changed=False)}))
    second = divisions.make("genbank/bct", "2.0", {name: file(changed=True)})
    assert pq.read_metadata(second.files_folder("records") / "records/gbbct1.parquet").num_row_groups > 2
    loaded = divisions.load(second)
    assert (loaded.report.records_annotation_changed, loaded.report.records_unchanged) == (4, 8)
    assert divisions.query(
        "SELECT r.accession, r.definition, f.gene, jsonb_array_length(f.qualifiers) "
        "FROM genbank.record r JOIN genbank.feature f USING (record_id) WHERE f.key = 'gene' ORDER BY 1"
    ) == [(f"AB{n:06}", "Other" if n % 3 == 0 else "A record", f"gAB{n:06}", 40_001) for n in range(12)]
    places = divisions.query("SELECT record_ordinal FROM genbank.record_presence ORDER BY 1")
    assert places == [(n,) for n in range(12)]
