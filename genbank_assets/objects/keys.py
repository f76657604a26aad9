"""Names in the object set: where a sequence and a division's manifest lie below the set's root.

A key is made from the digest alone, so the same residues have one object whatever brought them. Two levels of folders
keep listings short on file systems. Writing belongs to ``publish``.
"""

from __future__ import annotations

import re

from genbank_assets.errors import NotFoundError

_DIGEST = re.compile(r"[0-9a-f]{64}")


def sequence_key(digest: str, *, molecule_class: str) -> str:
    """``nucleotide/ab/cd/<sha256>``: the object with a sequence's residues."""
    if not _DIGEST.fullmatch(digest):
        raise NotFoundError(f"not a SHA-256 in hex: {digest!r}")
    return f"{molecule_class}/{digest[:2]}/{digest[2:4]}/{digest}"


def manifest_key(collection: str, release: str, division: str) -> str:
    """``manifests/genbank/273.0/phg.parquet``: what the division's set consists of; written last."""
    return f"manifests/{collection}/{release}/{division}.parquet"
