from typing import Any

import numpy as np

Ints = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

def fasta_text(
    residues: Any,
    starts: Any,
    ends: Any,
    begins: Any,
    headers: Any,
    header_offsets: Any,
    *,
    width: int = 60,
    column: int = 0,
    close: bool = True,
) -> tuple[memoryview, Ints, int]: ...
def spliced(
    residues: Any, bases: Any, span_offsets: Any, span_starts: Any, span_ends: Any, span_reverse: Any
) -> tuple[bytes, Ints]: ...
def complemented(residues: Any) -> bytes: ...
def translated(
    residues: Any, offsets: Any, frames: Any, codes: Any, from_start: Any, tables: Any, start_tables: Any
) -> tuple[bytes, Ints, Flags]: ...
