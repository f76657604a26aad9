"""Flat-file text of any size for benchmarks: the bundled sample's records over and over, and their next release.

Writing and measuring belong to the benchmarks.
"""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent


def grown(megabytes: float, *, divisions: Sequence[str] = ("*",), first: int = 0) -> bytes:
    """The bundled sample's records over and over, each time under new accessions and with other residues.

    Args:
        megabytes: of text.
        divisions: whose records to take; all of the sample's, when nothing is said.
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
        mark = "".join("acgt"[number >> shift & 3] for shift in range(0, 20, 2)).encode()
        record = re.sub(rb"(?m)^( +1 )[a-z]{10}", rb"\g<1>" + mark, record, count=1)
        found.append(record)
        size += len(record)
        if size > megabytes * 1_000_000:
            break
    return b"".join(found)


def endless(records: list[bytes], *, first: int = 0) -> Iterator[tuple[int, bytes]]:
    number = first
    while True:
        for record in records:
            number += 1
            yield number, record


def records_of(text: bytes) -> list[bytes]:
    return re.findall(rb"(?ms)^LOCUS   .*?^//\n", text)


def revised(text: bytes) -> bytes:
    """The next release: one of fifty records has another title.

    Drawn, not counted off: the sample comes round every 170 records, and each fiftieth of those would be the same
    seventeen, which have twice the features of the others.
    """
    head, *records = re.split(rb"(?m)^(?=LOCUS   )", text.replace(b"Release 273", b"Release 274"))
    for number in random.Random(1).sample(range(len(records)), len(records) // 50):
        records[number] = records[number].replace(b"DEFINITION  ", b"DEFINITION  Revised ", 1)
    return b"".join([head, *records])
