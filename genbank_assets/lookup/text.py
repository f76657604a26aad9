"""A record's original text, cut from its raw file byte for byte.

Where a record lies is known by its row of the membership table, which ``records`` finds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from genbank_assets.errors import IntegrityError, NotFoundError
from genbank_assets.flatfile.inflate import inflated
from genbank_assets.lookup.records import Found


def original_text(found: Found) -> Iterator[bytes]:
    """The record's text, byte for byte, cut from the raw file; checked against its digest at the end, if it has one.

    Raises:
        NotFoundError: the raw file is no longer in the store.
        IntegrityError: the text is not what was parsed.
    """
    path = found.partition.files_folder("raw_files") / str(found.row["source_file"])
    if not path.is_file():
        raise NotFoundError(f"the raw file {path.name} of release {found.partition.release} is not in the store")
    begin = int(found.row["record_offset"])
    end = begin + int(found.row["record_bytes"])
    at = 0
    hasher = hashlib.sha256()
    for piece in inflated(path):
        if at + len(piece) > begin:
            cut = bytes(piece[max(0, begin - at) : end - at])
            hasher.update(cut)
            yield cut
        at += len(piece)
        if at >= end:
            break
    if hasher.digest() != (found.row["record_sha256"] or hasher.digest()):
        raise IntegrityError(f"the text of {found.row['accession_version']} in {path.name} is not what was parsed")
