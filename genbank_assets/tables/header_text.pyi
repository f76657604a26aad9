from collections.abc import Sequence
from typing import Any

import numpy as np

Ints = np.ndarray[Any, np.dtype[np.int64]]

def header_lines(parts: Sequence[tuple[Any, Ints | None]], *, rows: int, words: int) -> tuple[bytes, Ints]: ...
