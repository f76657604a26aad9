"""A small source generated from a seed: two releases, each issued twice, and two days, with every kind of change."""

from __future__ import annotations

import dataclasses
import datetime as dt
import gzip
import os
import random
import shutil
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from genbank_assets_tests.fix_postgres import Entry

OLDER_DAY, LATER_DAY = dt.date(2026, 9, 2), dt.date(2026, 10, 20)
RECORDS = 24  # per file
LONG = 20_000_000  # residues; more than two parts of a multipart upload


class Source:
    """A folder with NCBI's layout; identical for the same seed."""

    def __init__(self, folder: Path, *, seed: int) -> None:
        self.folder = folder
        draw = random.Random(seed)
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "genbank" / "daily-nc").mkdir(parents=True)
        self.bct = [_entry(draw, f"AB{n:06}", "BCT") for n in range(3 * RECORDS)]
        self.vrl = [_entry(draw, f"CD{n:06}", "VRL") for n in range(2 * RECORDS)]
        self.vrl[3] = dataclasses.replace(self.vrl[3], residues=self.bct[5].residues)  # in both divisions
        self.new = [_entry(draw, f"EF{n:06}", "BCT") for n in range(8)]
        self.vrl[7] = dataclasses.replace(self.vrl[7], residues=(self.vrl[7].residues * LONG)[:LONG])
        self._days()

    def first(self) -> None:
        """Release 1.0 of August."""
        self._first(self.bct)

    def first_again(self) -> None:
        """Release 1.0 issued again: same number and date, some records changed, one removed."""
        bct = [dataclasses.replace(entry, title="Issued again") for entry in self.bct[:3]]
        bct.append(dataclasses.replace(self.bct[3], version=2, residues=self.bct[3].residues[::-1]))
        self._first([*bct, *self.bct[4:-1]])

    def _first(self, bct: Sequence[Entry]) -> None:
        self._release("1.0", "August 15 2026", bct=_files(bct, 3), vrl=_files(self.vrl, 2))

    def second(self) -> None:
        """Release 2.0 of October: changed, replaced, new and removed records, one moved to another division."""
        self._second("The release changed it")

    def second_again(self) -> None:
        """Release 2.0 issued again, with one record changed."""
        self._second("The release issued again changed it")

    def _second(self, title: str) -> None:
        bct = list(self.bct)
        bct[0] = dataclasses.replace(bct[0], title=title)
        bct[30] = dataclasses.replace(bct[30], version=2, residues=bct[30].residues[::-1] + "acgt")
        moved = dataclasses.replace(bct.pop(40), division="VRL")
        bct.pop(50)
        vrl = [*self.vrl[:-1], moved]
        # Two records in the first two files of bct are changed; of vrl only the last file is.
        self._release("2.0", "October 15 2026", bct=_files([*bct, self.new[0]], 3), vrl=_files(vrl, 2))

    def _days(self) -> None:
        changed = [dataclasses.replace(entry, title="The older day changed it") for entry in self.bct[:4]]
        self._day(OLDER_DAY, [*changed, self.new[0], self.new[1]])
        changed = [dataclasses.replace(entry, title="The later day changed it") for entry in self.vrl[:4]]
        self._day(LATER_DAY, [*changed, *self.new[2:]])

    def _day(self, day: dt.date, entries: Sequence[Entry]) -> None:
        path = self.folder / "genbank" / "daily-nc" / f"nc{day:%m%d}.flat.gz"
        _write(path, gzip.compress("".join(map(_text, entries)).encode(), mtime=0))

    def _release(self, number: str, date: str, **divisions: list[list[Entry]]) -> None:
        genbank = self.folder / "genbank"
        lines = [f"{'':25}{date}", "", f"                NCBI-GenBank Flat File Release {number}", ""]
        files = [
            (f"gb{section}{part}.seq", part, entries)
            for section, parts in divisions.items()
            for part, entries in enumerate(parts, start=1)
        ]
        for place, (name, part, entries) in enumerate(files, start=1):
            lines.append(f"{place}. {name} - sequences, part {part}.")
            _write(genbank / f"{name}.gz", _packed("".join(map(_text, entries))))
        _write(genbank / "GB_Release_Number", f"{number}\n".encode())
        _write(genbank / "gbrel.txt", ("\n".join(lines) + "\n").encode())


def _entry(draw: random.Random, accession: str, division: str) -> Entry:
    residues = "".join(draw.choices("acgt", k=draw.randrange(60, 3000)))
    return Entry(accession, residues=residues, division=division)


@lru_cache(maxsize=1000)
def _text(entry: Entry) -> str:
    return entry.text()


@lru_cache(maxsize=20)
def _packed(text: str) -> bytes:
    return gzip.compress(text.encode(), compresslevel=1, mtime=0)


def _files(entries: Sequence[Entry], count: int) -> list[list[Entry]]:
    size = -(-len(entries) // count)
    return [list(entries[start : start + size]) for start in range(0, len(entries), size)]


def _write(path: Path, content: bytes) -> None:
    """Write a file with a modification time derived from its content, so that the same content is the same file."""
    path.write_bytes(content)
    os.utime(path, (1_780_000_000, 1_780_000_000 + zlib.crc32(content) % 1_000_000))
