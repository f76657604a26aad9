"""Types of the native scanner; see scanner.pyx."""

from typing import Any, Literal

import pyarrow as pa

LIMITS: dict[Literal["raw_bytes", "line_bytes", "first_line_bytes"], int]

class Scanner:
    """Turns the bytes of one flat file into record batches of RECORD_SCHEMA and CHUNK_SCHEMA."""

    quarantine: list[tuple[int, int, int, int, str | None, str, bytes]]
    preamble: list[str]
    orphans: list[int]
    def __init__(
        self,
        *,
        source_file: str,
        collection: str = "",
        section: str = "",
        release: str = "",
        batch_bytes: int = ...,
        chunk_bytes: int = ...,
        sequence_batch_bytes: int = ...,
        annotation_limit: int = ...,
    ) -> None: ...
    def feed(
        self, data: bytes | bytearray | memoryview
    ) -> list[tuple[Literal["records", "sequences"], pa.RecordBatch]]: ...
    def finish(self) -> list[tuple[Literal["records", "sequences"], pa.RecordBatch]]: ...
    def abandon(self, reason: str) -> list[tuple[Literal["records", "sequences"], pa.RecordBatch]]: ...
    @property
    def totals(self) -> dict[str, Any]: ...

def sha256(data: bytes | bytearray | memoryview, *, accelerated: bool = True) -> bytes: ...
