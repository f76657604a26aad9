"""Flat-file text of any size for benchmarks: the records of the bundled sample repeated, and their next release.

Writing files and measuring belong to the benchmarks.
"""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent


def grown(megabytes: float, *, divisions: Sequence[str] = ("*",), first: int = 0) -> bytes:
    """The bundled sample's records over and over, each time under new accessions and with other residues.

    Args:
        megabytes: of text.
        divisions: whose records to take; all of the sample's by default.
        first: number of the accession before the first one.
    """
    folder = ROOT / "genbank_assets" / "sample" / "genbank"
    sample = sorted(path for division in divisions for path in folder.glob(f"gb{division}1.seq.gz"))
    records = [r for path in sample for r in records_of(gzip.decompress(path.read_bytes())) if b"\nORIGIN" in r]
    found, size = [], 0
    for number, record in endless(records, first=first):
        name = f"ZZ{number:08}".encode()
        old = re.search(rb"(?m)^ACCESSION +(\S+)", record)
        assert old is not None
        record = re.sub(rb"(?m)^(LOCUS +)\S+", rb"\g<1>" + name, record, count=1)
        record = re.sub(rb"(?m)^ACCESSION .*", b"ACCESSION   " + name, record, count=1)
        record = re.sub(rb"(?m)^VERSION .*", b"VERSION     " + name + b".1", record, count=1)
        mark = _mark(number)
        record = re.sub(rb"(?m)^( +1 )[a-z]{10}", rb"\g<1>" + mark, record, count=1)
        found.append(record)
        size += len(record)
        if size > megabytes * 1_000_000:
            break
    return b"".join(found)


class Mould:
    """Files of one size, each with accessions and residues of its own, made quickly: only those are rewritten.

    Args:
        text: of the first file, as :func:`grown` makes it, whatever was done to it since.
    """

    def __init__(self, text: bytes) -> None:
        self._text = np.frombuffer(text, np.uint8)
        self.records = text.count(b"\nLOCUS  ") + text.startswith(b"LOCUS  ")
        names = [(m.start(1), int(m[1])) for m in re.finditer(rb"\bZZ(\d{8})\b", text)]
        self._places, self._numbers = (np.array(column) for column in zip(*names, strict=True))
        begins = np.array([m.start() for m in re.finditer(rb"(?m)^LOCUS   ", text)])
        marks = [(m.start(1), m.start()) for m in re.finditer(rb"(?m)^ +1 ([a-z]{10})", text)]
        self._marks = np.array([place for place, _ in marks])
        records = np.searchsorted(begins, np.array([start for _, start in marks]), side="right")
        self._marked = records  # counted from 1, as the accessions of the first file are

    def cast(self, *, first: int) -> bytes:
        """A file whose accessions begin after number ``first``."""
        text = self._text.copy()
        numbers = self._numbers + first
        for digit in range(8):
            text[self._places + 7 - digit] = 48 + numbers // 10**digit % 10
        letters = np.frombuffer(b"acgt", np.uint8)
        for place in range(10):
            text[self._marks + place] = letters[(self._marked + first) >> 2 * place & 3]
        return text.tobytes()


def skewed(text: bytes) -> bytes:
    """The same records with one product on most features, one taxon for most records, and a few very long values.

    60 % of the products are "hypothetical protein", 90 % of the records severe acute respiratory syndrome coronavirus
    2; one record of a hundred has a gene of 5,000 and a note of 200,000 characters.
    """
    draw = random.Random(2)

    def product(match: re.Match[bytes]) -> bytes:
        return b'/product="hypothetical protein"' if draw.random() < 0.6 else match[0]

    head, *records = re.split(rb"(?m)^(?=LOCUS   )", re.sub(rb'/product="[^"]*"', product, text))
    name = b"Severe acute respiratory syndrome coronavirus 2"
    for number, record in enumerate(records):
        if draw.random() < 0.9:
            record = re.sub(rb'/organism="[^"]*"', b'/organism="' + name + b'"', record)
            record = re.sub(rb"taxon:\d+", b"taxon:2697049", record)
            record = re.sub(rb"(?m)^  ORGANISM  .*", b"  ORGANISM  " + name, record)
        if number % 100 == 50:
            lines = b"".join(b" " * 21 + b"x" * 58 + b"\n" for _ in range(3_450))
            long = b'                     /gene="' + b"g" * 5_000 + b'"\n                     /note="x\n' + lines
            long += b" " * 21 + b'x"\n'
            record = re.sub(rb"(?m)^(     source  .*\n)(?= {21}/)", lambda m, long=long: m[1] + long, record, count=1)
        records[number] = record
    return b"".join([head, *records])


def uneven(text: bytes, *, times: int = 1) -> bytes:
    """The same records with 3,000 organisms of which few are frequent, empty values, and values no B-tree takes.

    60 % of all features, whatever they are, have the product "hypothetical protein", a third an empty gene; one of 500
    has a locus tag and a db_xref of 3,000 drawn characters, whose first 300 are alike.

    Args:
        text: as :func:`grown` makes it.
        times: how often each record has its features but ``source``.
    """
    draw = random.Random(3)
    names = [b"Speciosum numerosum %d" % number for number in range(3_000)]
    shares = [1 / (number + 1) for number in range(len(names))]
    head, *records = re.split(rb"(?m)^(?=LOCUS   )", text)

    def feature(match: re.Match[bytes]) -> bytes:
        found = match[0]
        if draw.random() < 0.6:
            found = re.sub(rb'(?m)^ {21}/product="[^"]*"\n', b"", found) + _qualifier("product", "hypothetical protein")
        if draw.random() < 1 / 3:
            found += _qualifier("gene", "")
        if draw.random() < 1 / 500:
            long = "p" * 300 + "".join(draw.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=2_700))
            found += _qualifier("locus_tag", long) + _qualifier("db_xref", f"Long:{long}")
        return found

    for number, record in enumerate(records):
        begin, features, end = re.split(rb"(?m)^(FEATURES  (?:.|\n)*?)(?=^\S)", record, maxsplit=1)
        (name,) = draw.choices(names, shares)
        source, *others = re.split(rb"(?m)^(?= {5}\S)", features)[1:]
        source = re.sub(rb'/organism="[^"]*"', b'/organism="' + name + b'"', source)
        source = re.sub(rb"taxon:\d+", b"taxon:%d" % (3_000_000 + int(name.split()[-1])), source)
        others = [re.sub(rb"(?s).+", feature, other) for other in others * times]
        begin = re.sub(rb"(?m)^  ORGANISM  .*", b"  ORGANISM  " + name, begin)
        records[number] = begin + features.split(b"\n", 1)[0] + b"\n" + source + b"".join(others) + end
    return b"".join([head, *records])


def _qualifier(name: str, value: str) -> bytes:
    return f'{"":21}/{name}="{value}"\n'.encode()


def _mark(number: int) -> bytes:
    """Ten residues that tell record from record."""
    return "".join("acgt"[number >> shift & 3] for shift in range(0, 20, 2)).encode()


def endless(records: list[bytes], *, first: int = 0) -> Iterator[tuple[int, bytes]]:
    number = first
    while True:
        for record in records:
            number += 1
            yield number, record


def records_of(text: bytes) -> list[bytes]:
    return re.findall(rb"(?ms)^LOCUS   .*?^//\n", text)


def spread(text: bytes, *, among: int, seed: int) -> bytes:
    """The same records under accessions drawn from the first ``among`` of a division."""
    old = {int(m) for m in re.findall(rb"\bZZ(\d{8})\b", text)}
    drawn = random.Random(seed).sample(range(1, among + 1), len(old))
    new = dict(zip(sorted(old), drawn, strict=True))
    return re.sub(rb"\bZZ(\d{8})\b", lambda m: b"ZZ%08d" % new[int(m[1])], text)


def revised(text: bytes) -> bytes:
    """The next release: one of fifty records has another title.

    Drawn, not counted off: the sample comes round every 170 records, and each fiftieth of those would be the same
    seventeen, which have twice the features of the others.
    """
    head, *records = re.split(rb"(?m)^(?=LOCUS   )", text.replace(b"Release 273", b"Release 274"))
    for number in random.Random(1).sample(range(len(records)), len(records) // 50):
        records[number] = records[number].replace(b"DEFINITION  ", b"DEFINITION  Revised ", 1)
    return b"".join([head, *records])
