"""Reads plain or gzip files as uncompressed bytes, in buffers of bounded size.

Decompression uses ISA-L; files may have several gzip members. A damaged stream yields all recoverable bytes, then
raises :class:`CorruptGzipError` with the offset. Interpreting the bytes belongs to the scanner.
"""

from __future__ import annotations

import collections
import zlib
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from isal import isal_zlib
from isal.igzip_lib import IsalError

from genbank_assets.errors import CorruptGzipError

BUFFER_BYTES = 512 * 1024
BUFFERS = 8  # read-ahead: waking the thread for every single buffer would be too slow
_GZIP_MAGIC = b"\x1f\x8b"


def inflated(path: Path, *, buffer_bytes: int = BUFFER_BYTES) -> Iterator[memoryview]:
    """Yield the uncompressed bytes of ``path``; each view is valid only until the next one is requested.

    Raises:
        CorruptGzipError: the gzip stream is damaged or truncated; raised after yielding everything readable.
    """
    with path.open("rb") as file:
        magic = file.read(2)
        file.seek(0)
        if magic == _GZIP_MAGIC:
            yield from _gunzipped(file, path=path, buffer_bytes=buffer_bytes)
            return
        buffer = bytearray(buffer_bytes)
        view = memoryview(buffer)
        while got := file.readinto(buffer):
            yield view[:got]


def _gunzipped(file: BinaryIO, *, path: Path, buffer_bytes: int) -> Iterator[memoryview]:
    # The reader inside of the public IGzipFile, which would add a buffered layer and a copy.
    reader = isal_zlib._GzipReader(file, 512 * 1024)
    free = collections.deque(memoryview(bytearray(buffer_bytes)) for _ in range(BUFFERS))
    waiting: collections.deque[tuple[memoryview, Future[int]]] = collections.deque()
    offset = 0
    with ThreadPoolExecutor(1, thread_name_prefix="inflate") as ahead:
        while True:
            while free:  # decompress ahead while the consumer processes earlier buffers
                waiting.append((free[0], ahead.submit(reader.readinto, free.popleft())))
            buffer, inflated_bytes = waiting.popleft()
            try:
                got = inflated_bytes.result()
            except (OSError, EOFError, zlib.error, IsalError) as error:  # type: ignore[misc]
                yield from _salvaged(path, already=offset, because=str(error), buffer_bytes=buffer_bytes)
                return
            if not got:
                return
            offset += got
            yield buffer[:got]
            free.append(buffer)


def _salvaged(path: Path, *, already: int, because: str, buffer_bytes: int) -> Iterator[memoryview]:
    """Yield what zlib can still decompress after ``already`` bytes, in small steps, then raise the error.

    ISA-L discards the buffer in which a stream breaks; a second pass recovers the records in it that are complete.
    """
    offset = 0
    inflater = zlib.decompressobj(wbits=31)
    with path.open("rb") as file:
        while compressed := file.read(256):
            while compressed:
                try:
                    piece = inflater.decompress(compressed, buffer_bytes)
                except zlib.error as error:
                    raise CorruptGzipError(
                        f"the gzip stream is damaged: {error}", file=path.name, offset=offset
                    ) from error
                if offset + len(piece) > already:
                    yield memoryview(piece)[max(0, already - offset) :]
                offset += len(piece)
                compressed = inflater.unconsumed_tail
                if inflater.eof:
                    compressed = inflater.unused_data.lstrip(b"\0")
                    inflater = zlib.decompressobj(wbits=31)
    raise CorruptGzipError(f"the gzip stream is damaged: {because}", file=path.name, offset=offset)
