"""Properties of the reader: splits change nothing, what is rendered is read back, mutations never crash."""

from __future__ import annotations

import gzip
import random

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from genbank_assets.flatfile.scanner import Scanner
from genbank_assets_tests.flatfiles import record, scan
from genbank_assets_tests.paths import SAMPLE, SHARED

WORD = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789,-().'", min_size=1, max_size=12)
VALUE = st.lists(WORD, min_size=1, max_size=25).map(" ".join)
# Words of which every broken line tells how it was broken: no blank is lost after a comma or hyphen.
LONG_WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789-:|()", min_size=1, max_size=90).filter(
    lambda word: not word.endswith("-")
)
LONG_VALUE = st.lists(LONG_WORD, min_size=1, max_size=6).map(" ".join)
RESIDUES = st.text("acgtnryk", min_size=1, max_size=400)
FILES = [gzip.decompress(path.read_bytes()) for path in sorted(SAMPLE.rglob("*.gz")) if path.stat().st_size < 12_000]


def wrapped(text: str, width: int = 58) -> list[str]:
    """NCBI's wrapping: at a space, else after a comma or hyphen, else where the line is full."""
    lines = []
    while len(text) > width:
        space = text.rfind(" ", 0, width + 1)
        if space > 0:
            lines.append(text[:space])
            text = text[space + 1 :]
            continue
        at = (text.rfind(",", 0, width) + 1) or (text.rfind("-", 0, width) + 1) or width
        lines.append(text[:at])
        text = text[at:]
    return [*lines, text]


@given(values=st.lists(VALUE, min_size=1, max_size=4), residues=RESIDUES)
@settings(max_examples=300, deadline=None)
def test_what_is_rendered_is_read_back(values: list[str], residues: str) -> None:
    lines = ["     CDS             1..2"]
    for value in values:
        lines += [f"{'':21}{line}" for line in wrapped(f'/note="{value}"')]
    _, rows, found = scan(record(residues=residues, features="\n".join(lines) + "\n"))
    assert [q["value"] for q in rows[0]["features"][0]["qualifiers"]] == values
    assert found[0] == residues.upper()


@given(value=LONG_VALUE)
@settings(max_examples=300, deadline=None)
def test_words_longer_than_a_line_are_read_back(value: str) -> None:
    text = f'/note="{value}"'
    lines, at = wrapped(text), 0
    for line in lines[:-1]:
        at += len(line)
        if text[at] == " ":
            # A word that just fills its line looks like a longer one that was cut.
            assume(len(line) < 58 or set(line) & set(" ,-"))
            at += 1
    features = "\n".join(["     CDS             1..2", *(f"{'':21}{line}" for line in lines)])
    _, rows, _ = scan(record(features=features + "\n"))
    assert rows[0]["features"][0]["qualifiers"][0]["value"] == value


@given(data=st.sampled_from(FILES), cuts=st.lists(st.integers(1, 3000), min_size=1, max_size=30))
@settings(max_examples=150, deadline=None)
def test_any_split_gives_identical_batches(data: bytes, cuts: list[int]) -> None:
    limits = {"batch_bytes": 4000, "chunk_bytes": 700, "sequence_batch_bytes": 3000}
    whole = Scanner(source_file="x", **limits)
    expected = whole.feed(data) + whole.finish()
    split = Scanner(source_file="x", **limits)
    batches, at, turn = [], 0, 0
    while at < len(data):
        step = cuts[turn % len(cuts)]
        batches += split.feed(data[at : at + step])
        at += step
        turn += 1
    batches += split.finish()
    assert split.totals == whole.totals
    for table in ("records", "sequences"):
        assert [b for t, b in batches if t == table] == [b for t, b in expected if t == table]


@given(data=st.sampled_from(FILES), seed=st.integers(0, 2**32), changes=st.integers(1, 40))
@settings(max_examples=300, deadline=None)
def test_mutations_of_real_files_end_as_rows_or_quarantine(data: bytes, seed: int, changes: int) -> None:
    check_mutation(data, seed=seed, changes=changes)


def check_mutation(data: bytes, *, seed: int, changes: int) -> None:
    """Damage a file and read it: it ends, and every LOCUS line is accounted for."""
    chance = random.Random(seed)
    damaged = bytearray(data)
    for _ in range(changes):
        at = chance.randrange(len(damaged))
        kind = chance.randrange(4)
        if kind == 0:
            damaged[at] = chance.randrange(256)
        elif kind == 1:
            del damaged[at : at + chance.randrange(1, 200)]
        elif kind == 2:
            damaged[at:at] = damaged[at : at + chance.randrange(1, 200)]
        else:
            damaged[at:at] = bytes(chance.choices(b'\n\r"/ \t\0(),<>^.', k=chance.randrange(1, 5)))
        if not damaged:
            return
    scanner, rows, residues = scan(bytes(damaged), step=chance.choice([None, 1000, 37]), chunk_bytes=500)
    totals = scanner.totals
    assert totals["records"] + totals["quarantined"] == totals["locus_lines"]
    assert totals["records"] == len(rows)
    assert totals["text_bytes"] == len(damaged)
    for row in rows:
        if row["sequence_sha256"] is not None and row["length_unit"] != "rc":
            assert len(residues[row["record_ordinal"]]) == row["length"]


@pytest.mark.slow
def test_mutations_by_the_thousand() -> None:
    files = FILES + [
        path.read_bytes() for path in sorted((SHARED / "odd").glob("*.gb*")) if path.stat().st_size < 20_000
    ]
    for seed in range(4000):
        check_mutation(files[seed % len(files)], seed=seed, changes=1 + seed % 25)
