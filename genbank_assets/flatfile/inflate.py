"""Bytes of a plain or gzip file, inflated as they are read, in buffers of bounded size.

ISA-L does the work. gzip members may follow one another. A damaged stream gives all bytes that can still be
had, then :class:`CorruptGzipError` with the offset. What the bytes mean belongs to the scanner.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

from isal import isal_zlib
from isal.igzip_lib import IsalError

from genbank_assets.errors import CorruptGzipError

BUFFER_BYTES = 512 * 1024
_GZIP_MAGIC = b"\x1f\x8b"


def inflated(path: Path, *, buffer_bytes: int = BUFFER_BYTES) -> Iterator[memoryview]:
    """Yield the uncompressed bytes of ``path``; each view is only good until the next one is asked for.

    Raises:
        CorruptGzipError: the gzip stream is damaged or ends early, after everything readable was yielded.
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
    reader = isal_zlib._GzipReader(file, 512 * 1024)
    this, other = (memoryview(bytearray(buffer_bytes)) for _ in range(2))
    offset = 0
    with ThreadPoolExecutor(1, thread_name_prefix="inflate") as ahead:
        waiting = ahead.submit(reader.readinto, this)
        while True:
            try:
                got = waiting.result()
            except (OSError, EOFError, zlib.error, IsalError) as error:  # type: ignore[misc]
                yield from _salvaged(path, already=offset, because=str(error), buffer_bytes=buffer_bytes)
                return
            if not got:
                return
            offset += got
            waiting = ahead.submit(reader.readinto, other)  # while the consumer is at work on this one
            yield this[:got]
            this, other = other, this


def _salvaged(path: Path, *, already: int, because: str, buffer_bytes: int) -> Iterator[memoryview]:
    """What zlib can still inflate behind ``already`` bytes, in small steps, then the error.

    The quick reader drops the buffer in which a stream breaks; records that ended before the break are worth
    the second pass.
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
