"""Records what an unfinished publication has sent, file by file, so that the next one can resume.

The records are hints, not proof: objects may have been pruned or damaged since. A publication therefore compares them
with the store before using them. Sending belongs to ``publish``.
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

from genbank_assets.objects.etags import bare_etag
from genbank_assets.objects.listing import objects_under, ranges
from genbank_assets.objects.requests import Stored, stored_as
from genbank_assets.objects.retry import no_progress, retried
from genbank_assets.settings import Settings
from genbank_assets.store import temporary_beside

FOLDER = ".sent"
# Listing this many objects takes about as long as one of several concurrent requests for single objects.
LISTED_AT_ONCE = 20


class SentFiles:
    """Rows of the object table that were sent, in a folder per raw file.

    Args:
        folder: folder in the division's stage.
        input_digest: digest of the manifest being published.
        settings: name the set and the digests; records with other ones are ignored.
    """

    def __init__(self, folder: Path, *, input_digest: str, settings: Settings) -> None:
        self._root = folder / FOLDER
        name = hashlib.sha256(f"{input_digest} {settings.objects_url} {settings.refget}".encode()).hexdigest()[:16]
        self._folder = self._root / name

    def absolute(self) -> SentFiles:
        """Return the same with absolute paths, for processes with another working directory."""
        there = copy.copy(self)
        there._root, there._folder = self._root.absolute(), self._folder.absolute()
        return there

    def tables(self, name: str) -> list[Path]:
        """Return the tables of what was sent of a raw file."""
        return sorted((self._folder / name).glob("[0-9]*.parquet"))

    def add(self, name: str, rows: pl.DataFrame) -> Path:
        """Record what was sent of a raw file, in a table beside those of earlier runs."""
        path = self._folder / name / f"{len(self.tables(name)):06}.parquet"
        with temporary_beside(path) as temporary:
            rows.write_parquet(temporary, compression="zstd")
        return path

    def drop_missing(
        self, store: ObjectStore, *, set_rows: int, concurrency: int, progress: Callable[[str], None] = no_progress
    ) -> int:
        """Discard records of objects that are not in the store as sent.

        Args:
            store: the object set.
            set_rows: approximate number of sequences in the set: few records are looked up individually, many by
                listing.
            concurrency: requests in flight.
            progress: called with messages for the user.

        Returns:
            Number of discarded sequences.

        Raises:
            ObjectStoreError: the store failed.
        """
        paths = sorted(self._folder.rglob("[0-9]*.parquet"))
        if not paths:
            return 0
        notes = pl.scan_parquet(paths).select("key", "object_bytes", "etag").unique("key").collect(engine="streaming")
        if len(notes) * LISTED_AT_ONCE < set_rows:
            there = _found(store, notes["key"].to_list(), concurrency=concurrency, progress=progress)
        else:
            spans = ranges(max(set_rows, len(notes)))
            found = (objects_under(store, span.prefixes, progress=progress) for span in spans)
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
        """Delete all records; the manifest now has the rows."""
        shutil.rmtree(self._root, ignore_errors=True)


def _found(store: ObjectStore, keys: list[str], *, concurrency: int, progress: Callable[[str], None]) -> pl.DataFrame:
    def ask(key: str) -> Stored | None:
        return retried(lambda: stored_as(store, key), doing=f"read {key}", progress=progress)

    with ThreadPoolExecutor(concurrency, thread_name_prefix="compare") as pool:
        found = [stored for stored in pool.map(ask, keys) if stored is not None]
    rows = [(stored.key, stored.bytes, bare_etag(stored.etag) or None) for stored in found]
    return pl.DataFrame(rows, schema={"key": pl.String, "size": pl.Int64, "etag_now": pl.String}, orient="row")


def forget_sent(store_folder: Path) -> None:
    """Discard what killed runs of a store have sent, for all divisions, because objects may be deleted now."""
    for folder in store_folder.glob(f"*/*/*/object_set/{FOLDER}"):
        shutil.rmtree(folder)
