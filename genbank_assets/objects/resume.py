"""What a publication that did not end has sent, kept file by file so that the next one resumes after it.

It is a note, not a proof: objects may have been pruned or damaged since. So a publication that finds such notes
compares them with the store before it believes them. Sending belongs to ``publish``.
"""

from __future__ import annotations

import copy
import hashlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
from obstore.store import ObjectStore

from genbank_assets.objects.listing import objects_under, ranges
from genbank_assets.objects.requests import Stored, stored_as
from genbank_assets.objects.retry import no_progress, retried
from genbank_assets.settings import Settings
from genbank_assets.store import temporary_beside

FOLDER = ".sent"
# A request for one object takes as long as one of a listing that names so many, asked several at a time.
LISTED_AT_ONCE = 20


class SentFiles:
    """Rows of the object table of what was sent, a folder a raw file.

    Args:
        folder: of the division's stage.
        input_digest: of the manifest that the publication is made from.
        settings: the set, and what is kept of each sequence: notes of another set or other digests do not count.
    """

    def __init__(self, folder: Path, *, input_digest: str, settings: Settings) -> None:
        self._root = folder / FOLDER
        name = hashlib.sha256(f"{input_digest} {settings.objects_url} {settings.refget}".encode()).hexdigest()[:16]
        self._folder = self._root / name

    def absolute(self) -> SentFiles:
        """Return the same notes, for processes with another working directory."""
        there = copy.copy(self)
        there._root, there._folder = self._root.absolute(), self._folder.absolute()
        return there

    def tables(self, name: str) -> list[Path]:
        """Return the tables of what was sent of a raw file."""
        return sorted((self._folder / name).glob("[0-9]*.parquet"))

    def add(self, name: str, rows: pl.DataFrame) -> Path:
        """Note what was sent of a raw file, in a table beside those of earlier runs."""
        path = self._folder / name / f"{len(self.tables(name)):06}.parquet"
        with temporary_beside(path) as temporary:
            rows.write_parquet(temporary, compression="zstd")
        return path

    def drop_missing(
        self, store: ObjectStore, *, set_rows: int, concurrency: int, progress: Callable[[str], None] = no_progress
    ) -> int:
        """Forget what is not in the store as it was sent.

        Args:
            store: the object set.
            set_rows: about how many sequences the set has: few notes are asked for one by one, many beside a listing.
            concurrency: requests in flight.
            progress: called with lines for people.

        Returns:
            Sequences that were forgotten.

        Raises:
            ObjectStoreError: the store cannot be asked.
        """
        paths = sorted(self._folder.rglob("[0-9]*.parquet"))
        if not paths:
            return 0
        notes = pl.scan_parquet(paths).select("key", "object_bytes", "etag").unique("key").collect(engine="streaming")
        if len(notes) * LISTED_AT_ONCE < set_rows:
            there = _found(store, notes["key"].to_list(), concurrency=concurrency, progress=progress)
        else:
            spans = ranges(max(set_rows, len(notes)))
            found = [objects_under(store, span.prefix, progress=progress) for span in spans]
            there = pl.concat([frame.join(notes, on="key", how="semi") for frame in found])
        same_etag = pl.col("etag").is_null() | pl.col("etag_now").is_null() | (pl.col("etag") == pl.col("etag_now"))
        kept = (
            notes.with_columns(pl.col("etag").str.strip_chars('"'))
            .join(there.select("key", "size", "etag_now"), on="key", how="inner")
            .filter(pl.col("size") == pl.col("object_bytes"), same_etag)
        )
        if len(kept) == len(notes):
            return 0
        forgotten = 0
        for path in paths:
            rows = pl.read_parquet(path)
            left = rows.join(kept, on="key", how="semi", maintain_order="left")
            if len(left) == len(rows):
                continue
            forgotten += len(rows) - len(left)
            with temporary_beside(path) as temporary:
                left.write_parquet(temporary, compression="zstd")
        progress(f"{forgotten:,} sequences that an earlier run sent are no longer in the store as it sent them")
        return forgotten

    def clear(self) -> None:
        """Forget everything: the manifest has the rows now."""
        shutil.rmtree(self._root, ignore_errors=True)


def _found(store: ObjectStore, keys: list[str], *, concurrency: int, progress: Callable[[str], None]) -> pl.DataFrame:
    def ask(key: str) -> Stored | None:
        return retried(lambda: stored_as(store, key), doing=f"read {key}", progress=progress)

    with ThreadPoolExecutor(concurrency, thread_name_prefix="compare") as pool:
        found = [stored for stored in pool.map(ask, keys) if stored is not None]
    rows = [(stored.key, stored.bytes, (stored.etag or "").strip('"') or None) for stored in found]
    return pl.DataFrame(rows, schema={"key": pl.String, "size": pl.Int64, "etag_now": pl.String}, orient="row")


def forget_sent(store_folder: Path) -> None:
    """Forget what killed runs of a store have sent, of all divisions: it may be deleted now."""
    for folder in store_folder.glob(f"*/*/*/object_set/{FOLDER}"):
        shutil.rmtree(folder)
