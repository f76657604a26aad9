"""The deletion plan as a table on disk, because it may be as large as the set.

Computing it and carrying it out belong to ``prune``.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import pyarrow as pa

BATCH_ROWS = 1000  # maximum number of keys in one S3 delete request
_PLAN = pa.schema([
    pa.field("kind", pa.string()), pa.field("key", pa.string()), pa.field("bytes", pa.int64()),
    pa.field("modified", pa.string()), pa.field("upload_id", pa.string()),
])  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Orphan:
    """Something no manifest lists: an object, an unfinished upload (``KEY?uploads``) or an unfinished file (``KEY#1``).

    Attributes:
        key: the object's key.
        bytes: its size.
        modified: modification time, ISO 8601.
    """

    key: str
    bytes: int
    modified: str


@dataclasses.dataclass(frozen=True)
class Planned:
    """A row of the plan; ``kind`` determines how it is deleted.

    Attributes:
        key: the object's key.
        bytes: its size.
        modified: modification time, ISO 8601.
        upload_id: id of an unfinished upload, needed to abort it.
    """

    kind: Literal["object", "upload", "file"]
    key: str
    bytes: int
    modified: str
    upload_id: str = ""

    @property
    def orphan(self) -> Orphan:
        """The orphan, for announcements."""
        return Orphan(f"{self.key}?uploads" if self.kind == "upload" else self.key, self.bytes, self.modified)


class Plan:
    """A plan that is written once and read in order.

    Attributes:
        objects: number of rows.
        bytes: total size.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.objects = 0
        self.bytes = 0

    def write(self, rows: Iterator[Planned]) -> None:
        """Write all rows."""
        with self._path.open("wb") as file, pa.ipc.new_stream(file, _PLAN) as writer:
            while batch := list(itertools.islice(rows, BATCH_ROWS)):
                self.objects += len(batch)
                self.bytes += sum(row.bytes for row in batch)
                writer.write_batch(pa.RecordBatch.from_pylist([dataclasses.asdict(row) for row in batch], _PLAN))

    def announce(
        self,
        what: str,
        *,
        dry_run: bool,
        announce: Callable[[Orphan], None],
        announced: Callable[[], None],
        progress: Callable[[str], None],
    ) -> None:
        """Announce the totals and then each row, before any deletion; an exception in a callback stops everything.

        Args:
            what: noun for the rows, such as ``objects``.
            dry_run: whether they will be kept.
            announce: called with every row.
            announced: called after all rows.
            progress: called with a message about the totals.
        """
        done = "would be deleted" if dry_run else "will be deleted"
        progress(f"{self.objects:,} {what} with {self.bytes:,} bytes that no manifest lists {done}")
        for planned in self:
            announce(planned.orphan)
        announced()

    def batches(self) -> Iterator[list[Planned]]:
        """Yield the rows in batches of a thousand."""
        with self._path.open("rb") as file, pa.ipc.open_stream(file) as reader:
            for batch in reader:
                yield [Planned(**row) for row in batch.to_pylist()]

    def __iter__(self) -> Iterator[Planned]:
        for batch in self.batches():
            yield from batch
