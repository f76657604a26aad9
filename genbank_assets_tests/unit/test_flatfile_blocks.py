"""Every block from LOCUS to // is a row or is quarantined; nothing stops the file."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from genbank_assets.errors import CorruptGzipError, FlatFileError
from genbank_assets.flatfile.reader import QUARANTINE_BYTES, FlatFileReader
from genbank_assets.flatfile.scanner import LIMITS, sha256
from genbank_assets.tables.writer import parse_file
from genbank_assets_tests.flatfiles import origin, record, scan

GOOD = record(name="AB000009")


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (record(residues="acgtacgt", locus="LOCUS  X  9 bp DNA linear BCT 01-JAN-2020"), "do not number"),
        (record(residues="acgtacgt", locus="LOCUS  X  7 bp DNA linear BCT 01-JAN-2020"), "more residues"),
        (record(tail="ORIGIN\n        1 acgtacgta%\n"), "not a residue"),
        (record(tail="ORIGIN\nacgtacgtac\n"), "without coordinate"),
        (record(header="%%%%\n"), "not a line of a flat file"),
        (record(header="COMMENT     a\0b\n"), "binary data"),
        (record(locus="LOCUS  A\0B  10 bp DNA linear BCT 01-JAN-2020"), "binary data"),
        (record(features='                     /gene="x"\n     CDS             1..2\n'), "before any feature key"),
        (record()[:-3], "before //"),
        (record(name="A" * 300), "the accession is absurdly long"),
        (record().replace("VERSION     AB000001", "VERSION     " + "A" * 5_000), "the version is absurdly long"),
    ],
)
def test_a_bad_block_is_quarantined_and_the_next_one_read(block: str, reason: str) -> None:
    scanner, rows, _ = scan(block + GOOD)
    assert [row["accession"] for row in rows] == ["AB000009"]
    ((offset, size, ordinal, line, _, why, raw),) = scanner.quarantine
    assert reason in why
    assert (offset, ordinal, size) == (0, 0, len(block))
    assert raw == block.encode()
    assert 1 <= line <= block.count("\n") + 1


def test_the_end_of_the_file_inside_a_record_is_quarantined() -> None:
    scanner, rows, _ = scan(GOOD + GOOD[:-4])
    assert len(rows) == 1
    assert "file ends before //" in scanner.quarantine[0][5]


def test_text_outside_of_records_is_counted() -> None:
    scanner, rows, _ = scan(GOOD + "garbage\nmore\n\n" + GOOD)
    assert len(rows) == 2
    assert (scanner.totals["stray_lines"], scanner.totals["stray_offset"]) == (2, len(GOOD))


def test_a_locus_line_in_the_place_of_a_definition_does_not_cost_the_record() -> None:
    lines = GOOD.splitlines(keepends=True)
    scanner, rows, _ = scan(lines[0] + "LOCUS       CYC1 [Saccharomyces cerevisiae].\n" + "".join(lines[2:]))
    assert [row["accession"] for row in rows] == ["AB000009"]
    assert scanner.totals["locus_fragments"] == 1
    assert scanner.totals["locus_lines"] == 2
    for end in ("\n", "\r\n"):
        text = (GOOD[:-3] + "LOCUS       x").replace("\n", end) + (end if end == "\r\n" else "")
        scanner, _, _ = scan(text)
        (at, size, *_, raw) = scanner.quarantine[0]
        assert raw.decode() == text[at : at + size] == text[text.index("LOCUS       x") :]


def test_offsets_and_digests_lead_back_to_the_text() -> None:
    data = ("header\n" + GOOD + record(name="AB000002", residues="ACGTNNNN" * 20)).encode()
    _, rows, residues = scan(data)
    for row in rows:
        text = data[row["record_offset"] : row["record_offset"] + row["record_bytes"]]
        assert text.startswith(b"LOCUS")
        assert hashlib.sha256(text).digest() == row["record_sha256"]
        assert hashlib.sha256(residues[row["record_ordinal"]].encode()).digest() == row["sequence_sha256"]


def test_a_record_without_residues_has_no_digest() -> None:
    _, rows, residues = scan(record(tail="CONTIG      join(AB000002.1:1..5,\n            AB000003.1:1..5)\n"))
    assert rows[0]["sequence_sha256"] is None
    assert rows[0]["contig"] == "join(AB000002.1:1..5,AB000003.1:1..5)"
    assert residues == {}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_all_systems(end: str) -> None:
    _, rows, residues = scan((GOOD + record(name="AB000002")).replace("\n", end))
    assert [row["accession"] for row in rows] == ["AB000009", "AB000002"]
    assert residues[1] == "ACGTACGTAC"


def test_latin_1_and_utf_8_both_become_text() -> None:
    comment = "COMMENT     caf\xe9\n"
    assert scan(record(header=comment))[1][0]["comment"] == "café"
    assert scan(record(header=comment).encode("utf-8"))[1][0]["comment"] == "café"


def test_a_sequence_in_one_endless_line_is_streamed() -> None:
    residues = "acgt" * 1_000_000
    locus = f"LOCUS       AB000001 {len(residues)} bp DNA linear BCT 01-JAN-2020"
    text = record(locus=locus, residues=residues, tail=f"ORIGIN\n        1 {residues}\n")
    _, rows, found = scan(text, step=100_000)
    assert found[0] == residues.upper()
    assert rows[0]["gc_fraction"] == 0.5


@pytest.mark.parametrize("step", [700_005, 500_000, None])
def test_an_endless_line_reads_the_same_in_any_buffers(step: int | None) -> None:
    residues = "acgt" * 500_000
    locus = f"LOCUS       AB000001 {len(residues)} bp DNA linear BCT 01-JAN-2020"
    text = record(locus=locus, residues=residues, tail=f"ORIGIN\n        1 {residues}\n")
    # At 700,005 bytes the buffer ends inside the coordinate.
    before = "x" * (700_000 - text.index("        1 ")) + "\n"
    _, rows, found = scan(before + text, step=step)
    assert [row["length"] for row in rows] == [2_000_000]
    assert found[0] == residues.upper()
    contig = f"join({','.join(['AB000002.1:1..5'] * 100_000)})"
    _, rows, _ = scan(record(tail=origin("acgtacgtac") + f"CONTIG      {contig}\n"), step=step)
    assert rows[0]["contig"] == contig


@pytest.mark.parametrize("step", [500_000, None])
def test_a_line_over_the_limit_costs_its_record_alone(step: int | None) -> None:
    endless = "x" * (LIMITS["line_bytes"] + 1)
    bad = record(header=f"COMMENT\n{endless}\n")
    scanner, rows, _ = scan(GOOD + bad + f"LOCUS  {endless}\n" + GOOD, step=step)
    assert len(rows) == 2
    assert [(row[0], row[1], row[5]) for row in scanner.quarantine] == [(len(GOOD), len(bad), "a line of over 32 MiB")]
    assert scanner.totals["stray_lines"] == 1


def test_a_long_key_before_many_commas_does_not_fill_the_memory() -> None:
    line = f"DBLINK      {'k' * 100_000}: {','.join('x' * 100_000)}\n"
    scanner, rows, _ = scan(record(header=line) + GOOD, annotation_limit=1 << 20)
    assert len(rows) == 1
    assert "larger than the reader's limit" in scanner.quarantine[0][5]


def test_a_long_comment_is_looked_through_once() -> None:
    lines = "            A line of a comment that is nothing but long.\n" * 400_000
    begun = time.monotonic()
    _, rows, _ = scan(record(header=f"COMMENT     It begins.\n{lines}            ## ends it\n"))
    assert rows[0]["comment"].endswith("\n## ends it")
    assert time.monotonic() - begun < 15


def test_a_note_is_utf_8_with_any_buffers() -> None:
    text = record(features='     CDS             1..2\n                     /n\xf6te="no end\n')
    for step in (1, 100, None):
        _, rows, _ = scan(text, step=step)
        assert rows[0]["notes"] == [
            "closing quote missing: /nöte",
            "a guess: bytes that are not UTF-8 were read as Latin-1, first in FEATURES",
        ]
    _, rows, _ = scan(record(header=f"PROVENANCE  {'x' * 47}é\n").encode())
    assert rows[0]["notes"] == [f"keyword not known: PROVENANCE  {'x' * 47}"]


def test_chunks_of_a_quarantined_record_are_orphans() -> None:
    residues = "acgt" * 5000
    locus = f"LOCUS       AB000001 {len(residues) + 1} bp DNA linear BCT 01-JAN-2020"
    scanner, rows, found = scan(
        record(locus=locus, residues=residues) + GOOD, chunk_bytes=1000, sequence_batch_bytes=2000
    )
    assert len(rows) == 1
    assert scanner.orphans == [0]
    assert set(found) == {0, 1}


@pytest.mark.parametrize("step", [1, 7, 500, None])
def test_a_full_chunk_leaves_at_once_in_any_buffers(step: int | None) -> None:
    # Two chunks of two lines, and no end of the record.
    text = record(residues="acgtacgtac" * 24)[:-3] + f"CONTIG      {'x' * 100}\n"
    scanner, _, found = scan(text, step=step, chunk_bytes=120, sequence_batch_bytes=240)
    assert scanner.orphans == [0]
    assert len(found[0]) == 240


def test_orphans_do_not_reach_the_sequence_table(tmp_path: Path) -> None:
    import polars as pl

    residues = "acgt" * 5_000_000
    locus = f"LOCUS       AB000001 {len(residues) + 1} bp DNA linear BCT 01-JAN-2020"
    path = tmp_path / "x.seq"
    path.write_text(record(locus=locus, residues=residues) + GOOD)
    parsed = parse_file(path, out=tmp_path / "out")
    assert (parsed.records, parsed.quarantined) == (1, 1)
    frame = pl.read_parquet(tmp_path / "out" / parsed.sequences_file)
    assert frame["record_ordinal"].to_list() == [1]


def test_a_record_with_endless_annotation_is_given_up() -> None:
    note = '                     /note="' + "x" * 50 + '"\n'
    scanner, rows, _ = scan(
        record(features="     CDS             1..2\n" + note * 4000) + GOOD, step=10_000, annotation_limit=50_000
    )
    assert len(rows) == 1
    assert "larger than the reader's limit" in scanner.quarantine[0][5]


@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_a_broken_gzip_stream_keeps_what_was_whole(tmp_path: Path, keep: float) -> None:
    path = tmp_path / "x.seq.gz"
    text = "".join(
        record(
            name=f"AB{n:06}",
            residues=hashlib.sha256(str(n).encode())
            .hexdigest()
            .translate(str.maketrans("0123456789abcdef", "acgtacgtacgtacgt")),
        )
        for n in range(2000)
    )
    content = gzip.compress(text.encode())
    path.write_bytes(content[: int(len(content) * keep)])
    reader = FlatFileReader(path)
    with pytest.raises(CorruptGzipError) as raised:
        for _ in reader:
            pass
    assert reader.totals["records"] > 2000 * keep * 0.8
    assert raised.value.offset == reader.totals["text_bytes"]
    with pytest.raises(CorruptGzipError):
        parse_file(path, out=tmp_path / "out")
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


def test_gzip_members_may_follow_one_another(tmp_path: Path) -> None:
    path = tmp_path / "x.seq.gz"
    path.write_bytes(gzip.compress(GOOD[:100].encode()) + gzip.compress((GOOD[100:] + GOOD).encode()))
    assert parse_file(path, out=tmp_path / "out").records == 2


def test_a_file_without_records_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("hello\n")
    with pytest.raises(FlatFileError, match="no LOCUS line"):
        parse_file(path, out=tmp_path)


@pytest.mark.parametrize("size", [0, 1, 55, 56, 63, 64, 65, 127, 128, 1000, 70_001])
def test_sha256_is_sha256(size: int) -> None:
    data = bytes(i * 7 % 256 for i in range(size))
    expected = hashlib.sha256(data).digest()
    assert sha256(data) == sha256(data, accelerated=False) == expected


def test_sequence_lines_beyond_a_thousand_million_are_read() -> None:
    lines = origin("acgtacgtac" * 12).splitlines()
    wide = "\n".join([lines[0], *(f"1{line}" if n else line for n, line in enumerate(lines[1:]))])
    shifted = wide.replace("1       61", "1000000021")
    _, _, residues = scan(record(residues="acgtacgtac" * 12, tail=shifted + "\n"))
    assert len(residues[0]) == 120


@pytest.mark.parametrize("step", [None, 1, 1000])
def test_a_stray_carriage_return_in_the_first_line_does_not_make_a_file_one_line(step: int | None) -> None:
    text = GOOD.replace(" bp ", " bp\r", 1) + GOOD
    scanner, rows, _ = scan(text, step=step)
    assert (scanner.totals["locus_lines"], len(rows)) == (2, 2)


@pytest.mark.parametrize("step", [None, 1, 7])
def test_a_byte_order_mark_is_not_part_of_the_record(step: int | None) -> None:
    marked = b"\xef\xbb\xbf" + GOOD.encode()
    scanner, rows, _ = scan(marked + GOOD.encode() + marked, step=step)  # as files strung together have it
    assert [row["record_offset"] for row in rows] == [3, 3 + len(GOOD), 6 + 2 * len(GOOD)]
    assert {row["record_sha256"] for row in rows} == {hashlib.sha256(GOOD.encode()).digest()}
    assert (scanner.totals["locus_lines"], scanner.totals["stray_lines"], scanner.preamble) == (3, 0, [])


def test_a_byte_order_mark_ends_a_record_that_lost_its_end_like_any_locus_line() -> None:
    scanner, rows, _ = scan(GOOD.replace("//\n", "").encode() + b"\xef\xbb\xbf" + GOOD.encode())
    assert [row["record_offset"] for row in rows] == [len(GOOD)]
    ((offset, size, _, _, _, why, raw),) = scanner.quarantine
    assert (offset, size, raw.decode()) == (0, len(GOOD) - 3, GOOD.replace("//\n", ""))
    assert why == "the next LOCUS line comes before //"


def test_a_locus_line_without_blank_is_quarantined_not_stray() -> None:
    scanner, rows, _ = scan(GOOD + GOOD.replace("LOCUS ", "LOCUS?", 1) + GOOD)
    assert len(rows) == 2
    ((offset, size, ordinal, _, _, why, _),) = scanner.quarantine
    assert (offset, size, ordinal) == (len(GOOD), len(GOOD), 1)
    assert "no blank follows LOCUS" in why
    assert scanner.totals["stray_lines"] == 0


@pytest.mark.parametrize(("before", "line"), [('/note="a', "b" * 50), ("/note=a", "b"), ("", "1..2,")])
def test_one_endless_value_is_given_up_not_held(before: str, line: str) -> None:
    lines = [f"     CDS             {'' if before else 'join('}1..2,"] + ([before] if before else [])
    text = "\n".join([lines[0], *(f"{'':21}{part}" for part in [*lines[1:], *[line] * 5000])])
    scanner, rows, _ = scan(record(features=text + "\n") + GOOD, step=1000, annotation_limit=4000)
    assert len(rows) == 1
    assert "larger than the reader's limit" in scanner.quarantine[0][5]


def test_a_file_of_bad_records_does_not_fill_memory(tmp_path: Path) -> None:
    bad = record(header="COMMENT     x\n" + "            y\n" * 5000, residues="acgt", locus="LOCUS  X  9 bp DNA")
    path = tmp_path / "bad.seq"
    path.write_text(bad * 1000 + GOOD)
    handed: list[pa.Table] = []
    reader = FlatFileReader(path, quarantined=handed.append)
    assert sum(batch.num_rows for table, batch in reader if table == "records") == 1
    assert len(handed) > 1
    assert all(table.nbytes < 2 * QUARANTINE_BYTES for table in handed)
    parsed = parse_file(path, out=tmp_path)
    assert (parsed.records, parsed.quarantined) == (1, 1000)
    blocks = pq.read_table(tmp_path / str(parsed.quarantine_file))
    assert blocks["record_ordinal"].to_pylist() == list(range(1000))
    assert blocks["record_offset"].to_pylist() == [len(bad) * n for n in range(1000)]
    assert pa.concat_tables([*handed, reader.quarantine()]).equals(blocks)


GIANTS = """
import gc, sys
from genbank_assets.flatfile.scanner import Scanner
from genbank_assets_tests.flatfiles import record

def rss():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS")) // 1024

scanner = Scanner(source_file="x.seq")
before = rss()
text = "word " * 13 + "\\n            "
fields = ["COMMENT     ", "DEFINITION  ", "DBSOURCE    ", "PRIMARY     ", "SEGMENT     ", "CONTIG      "]
fields += [f"REFERENCE   1\\n  {key:<10}" for key in ("AUTHORS", "CONSRTM", "TITLE", "JOURNAL", "REMARK")]
for field in fields:
    scanner.feed(record(header=field + text * 250_000).encode())
    gc.collect()
assert scanner.totals["records"] == len(fields), scanner.totals
print(rss() - before)
"""


def test_giant_records_leave_no_memory_behind() -> None:
    """Whatever column they fill: their blocks go back to the system."""
    found = subprocess.run([sys.executable, "-c", GIANTS], capture_output=True, text=True, check=True)
    assert int(found.stdout) < 120  # MB
