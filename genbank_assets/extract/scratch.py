"""Temporary folders for an extract.

Located in the store, which has space; if tables are read from a bucket, there may be no store, and the system's
temporary folder is used. Content belongs to ``distinct`` and ``repeated_proteins``.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def scratch_folder(within: Path | None, *, prefix: str) -> Iterator[Path]:
    """Create a folder that is deleted after the block.

    Args:
        within: parent folder, created if missing and removed if empty; None for the system's temporary folder.
        prefix: prefix of its name.
    """
    if within is not None:
        within.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=within))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if within is not None:
            with contextlib.suppress(OSError):  # in use by another extract
                within.rmdir()
