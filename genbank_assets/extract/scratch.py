"""A folder for what an extract sets aside while it runs.

It lies in the store, which has room; where tables are read in a bucket there may be none, and it lies among the host's
temporary files. What goes into it belongs to ``distinct`` and ``repeated_proteins``.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def scratch_folder(within: Path | None, *, prefix: str) -> Iterator[Path]:
    """A new folder that is gone afterwards.

    Args:
        within: where it lies, made where it is missing and removed again when empty; None for the temporary folder.
        prefix: how its name begins.
    """
    if within is not None:
        within.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=within))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if within is not None:
            with contextlib.suppress(OSError):  # another extract works in it
                within.rmdir()
