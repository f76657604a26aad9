"""Destinations of an extract: standard output, a file, or shards; uncompressed, gzip (BGZF) or zstd.

A file gets its final name when it is complete. Shards end between entries, and the end of each finished shard is
recorded, so that an interrupted run can resume. The content belongs to ``formats``.
"""

from __future__ import annotations

import abc
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from genbank_assets.durable import hidden_name, sweep_temporaries
from genbank_assets.errors import SettingsError
from genbank_assets.extract.formats import Block
from genbank_assets.extract.packing import ENCODERS, Plain
from genbank_assets.store import write_atomically


@dataclasses.dataclass(frozen=True)
class WrittenFile:
    """A finished file.

    Attributes:
        name: file name without folder.
        bytes: size on disk.
        sha256: hex SHA-256 of the file on disk.
        entries: number of entries that start in it.
    """

    name: str
    bytes: int
    sha256: str
    entries: int


class Output(abc.ABC):
    """Receives blocks in order."""

    #: State of an interrupted run, see :meth:`Shards.state`; None to start from the beginning.
    resumed: dict[str, Any] | None = None

    @abc.abstractmethod
    def write(self, block: Block) -> None:
        """Write a block."""

    def stretch_done(self, number: int, counts: dict[str, int]) -> None:  # noqa: B027 -- most have no use for it
        """Record the end of a stretch, with all counts so far."""

    @abc.abstractmethod
    def finish(self) -> tuple[WrittenFile, ...]:
        """Finish the files after the last block: rename them to their final names."""

    @abc.abstractmethod
    def abandon(self) -> None:
        """Remove unfinished files after a failure."""


class StreamOutput(Output):
    """Text to a binary stream, such as standard output."""

    def __init__(self, stream: BinaryIO, *, preamble: bytes, name: str = "-") -> None:
        self._encoder = Plain(stream)
        self._stream = stream
        self._name = name
        self._entries = 0
        self._encoder.write(preamble)

    def write(self, block: Block) -> None:
        self._encoder.write(block.data)
        self._entries += len(block.starts)

    def finish(self) -> tuple[WrittenFile, ...]:
        self._stream.flush()
        return (WrittenFile(self._name, self._encoder.bytes, self._encoder.sha256, self._entries),)

    def abandon(self) -> None:
        pass


class FileOutput(Output):
    """Text to a file, which appears when it is complete."""

    def __init__(self, path: Path, *, preamble: bytes) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_temporaries(path.parent, name=path.name)
        self._path = path
        self._temporary = path.with_name(hidden_name(path.name, suffix=".tmp"))
        self._file = self._temporary.open("wb")
        self._encoder = ENCODERS.get(path.suffix, Plain)(self._file)
        self._entries = 0
        self.text_bytes = 0
        self._text(preamble)

    def _text(self, data: Any) -> None:
        self._encoder.write(data)
        self.text_bytes += len(data)

    def write(self, block: Block) -> None:
        self._text(block.data)
        self._entries += len(block.starts)

    def finish(self) -> tuple[WrittenFile, ...]:
        # Not fsynced: that would take longer than the extract, which can be repeated.
        self._encoder.finish()
        self._file.close()
        self._temporary.replace(self._path)
        return (WrittenFile(self._path.name, self._encoder.bytes, self._encoder.sha256, self._entries),)

    def abandon(self) -> None:
        self._file.close()
        self._temporary.unlink(missing_ok=True)


class ParquetOutput(Output):
    """Rows to a Parquet file, which appears when it is complete."""

    def __init__(self, path: Path, *, schema: pa.Schema) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_temporaries(path.parent, name=path.name)
        self._path = path
        self._temporary = path.with_name(hidden_name(path.name, suffix=".tmp"))
        self._writer = pq.ParquetWriter(self._temporary, schema, compression="zstd")
        self._entries = 0

    def write(self, block: Block) -> None:
        if block.table is not None and len(block.table):
            self._writer.write_table(block.table)
            self._entries += len(block.table)

    def finish(self) -> tuple[WrittenFile, ...]:
        self._writer.close()
        with self._temporary.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = self._temporary.stat().st_size
        self._temporary.replace(self._path)
        return (WrittenFile(self._path.name, size, digest, self._entries),)

    def abandon(self) -> None:
        self._writer.close()
        self._temporary.unlink(missing_ok=True)


class Shards(Output):
    """Text to files ``NAME.00001.fasta`` …, each ending between entries once it has the given size of text.

    The file ``.NAME.shards.json`` records the progress of finished shards; it is deleted when all are finished.
    """

    def __init__(self, path: Path, *, preamble: bytes, shard_bytes: int, query_digest: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._preamble = preamble
        self._shard_bytes = shard_bytes
        self._note = path.with_name(f".{path.name}.shards.json")
        sweep_temporaries(path.parent, name=self._note.name)
        self._query_digest = query_digest
        self._files: list[WrittenFile] = []
        self._current: FileOutput | None = None
        self._stretch = self._entries = 0  # entries started in the current stretch
        self._counts: dict[str, int] = {}
        self.resumed = self._state()
        if self.resumed is not None:
            self._files = [WrittenFile(**entry) for entry in self.resumed["files"]]
            self._stretch, self._counts = self.resumed["stretch"], self.resumed["counts"]
        self._in_shards = self.resumed["entries"] if self.resumed else 0  # entries of the stretch to skip

    def _state(self) -> dict[str, Any] | None:
        """Return where to resume, if there are intact shards of the same query."""
        try:
            state: dict[str, Any] = json.loads(self._note.read_text(encoding="utf-8"))
            whole = all(self._path.with_name(f["name"]).stat().st_size == f["bytes"] for f in state["files"])
        except (OSError, ValueError, KeyError):
            return None
        return state if whole and state["query_digest"] == self._query_digest else None

    def _shard_path(self) -> Path:
        stem, dot, suffixes = self._path.name.partition(".")
        return self._path.with_name(f"{stem}.{len(self._files) + 1:05d}{dot}{suffixes}")

    def write(self, block: Block) -> None:
        begin, starts, data = 0, block.starts, memoryview(block.data)
        if self._in_shards:
            if self._entries + len(starts) <= self._in_shards:
                self._entries += len(starts)
                return
            begin = int(starts[self._in_shards - self._entries])
            self._entries, self._in_shards = self._in_shards, 0
        while begin < len(data):
            size = self._current.text_bytes if self._current else len(self._preamble)
            ends = starts[(starts >= begin) if self._current else (starts > begin)]
            ends = ends[ends - begin >= self._shard_bytes - size]
            end = int(ends[0]) if len(ends) else len(data)
            if end > begin:
                inside = starts[(starts >= begin) & (starts < end)]
                if self._current is None:
                    self._current = FileOutput(self._shard_path(), preamble=self._preamble)
                self._current.write(Block(data[begin:end], inside, block.names))
                self._entries += len(inside)
            if len(ends):
                self._end_shard()
            begin = end

    def _end_shard(self) -> None:
        if self._current is not None:
            self._files += self._current.finish()
            self._current = None
            state = {
                "query_digest": self._query_digest,
                "files": [dataclasses.asdict(file) for file in self._files],
                "stretch": self._stretch,
                "entries": self._entries,
                "counts": self._counts,
            }
            write_atomically(self._note, json.dumps(state).encode())

    def stretch_done(self, number: int, counts: dict[str, int]) -> None:
        self._stretch, self._entries, self._in_shards = number + 1, 0, 0
        self._counts = counts

    def finish(self) -> tuple[WrittenFile, ...]:
        if self._current is None and not self._files:
            self._current = FileOutput(self._shard_path(), preamble=self._preamble)
        if self._current is not None:
            self._files += self._current.finish()
            self._current = None
        self._note.unlink(missing_ok=True)
        return tuple(self._files)

    def abandon(self) -> None:
        if self._current is not None:
            self._current.abandon()


def check_shard_size(megabytes: float) -> int:
    """Convert a shard size to bytes.

    Raises:
        SettingsError: it is not positive.
    """
    if not 0.001 <= megabytes < 1e9:
        raise SettingsError(f"a shard has at least 0.001 MB, not {megabytes}")
    return int(megabytes * 1_000_000)
