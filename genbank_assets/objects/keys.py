"""Keys in the object set: sequences, packs, and a division's manifest and memberships.

The key of a sequence depends only on its digest, so identical residues share an object; the key of a pack is the digest
of its bytes. Two-digit folders keep listings short on file systems. Writing belongs to ``publish``.
"""

from __future__ import annotations

import re

from genbank_assets.errors import NotFoundError

MOLECULE_CLASSES = ("nucleotide", "protein")
PACKS = "packs/"
_DIGEST = re.compile(r"[0-9a-f]{64}")
# Development versions used two folder levels, ab/cd/, and their manifests still contain such keys.
_SEQUENCE_KEY = re.compile(r"(nucleotide|protein)/([0-9a-f]{2})/(([0-9a-f]{2})/\2\4[0-9a-f]{60}|\2[0-9a-f]{62})")
_PACK_KEY = re.compile(r"packs/([0-9a-f]{2})/\1[0-9a-f]{62}")
_MANIFEST_KEY = re.compile(r"manifests/[a-z]+/\d+(\.\d+)?/[a-z_]+\.parquet")
_MEMBERSHIP_KEY = re.compile(r"memberships/[a-z]+/\d+(\.\d+)?/[a-z_]+/[0-9a-f]{64}\.parquet")
_LEASE_KEY = re.compile(r"leases/(publish|prune)/[0-9a-f]{32}")


def sequence_key(digest: str, *, molecule_class: str) -> str:
    """Return the key of a sequence's residues, ``nucleotide/ab/<sha256>``.

    Raises:
        NotFoundError: the digest is not a hex SHA-256.
    """
    if not _DIGEST.fullmatch(digest):
        raise NotFoundError(f"not a SHA-256 in hex: {digest!r}")
    return f"{molecule_class}/{digest[:2]}/{digest}"


def pack_key(digest: str) -> str:
    """Return the key of a pack, ``packs/ab/<sha256 of its bytes>``."""
    return f"packs/{digest[:2]}/{digest}"


def manifest_key(collection: str, release: str, division: str) -> str:
    """Return the key of a division's manifest, ``manifests/genbank/273.0/phg.parquet``."""
    return f"manifests/{collection}/{release}/{division}.parquet"


def membership_key(collection: str, release: str, division: str, sha256: str) -> str:
    """Return the key of a membership table, ``memberships/genbank/273.0/phg/<sha256>.parquet``."""
    return f"memberships/{collection}/{release}/{division}/{sha256}.parquet"


def lease_key(purpose: str, name: str) -> str:
    """Return the key of a run's lease, ``leases/publish/<32 hex>``."""
    return f"leases/{purpose}/{name}"


def is_content_key(key: str) -> bool:
    """Return whether a key is one of this project's for residues; other objects in the bucket are not touched."""
    return bool(_SEQUENCE_KEY.fullmatch(key) or _PACK_KEY.fullmatch(key))


def is_membership_key(key: str) -> bool:
    """Return whether a key is that of a membership table."""
    return bool(_MEMBERSHIP_KEY.fullmatch(key))


def is_lease_key(key: str) -> bool:
    """Return whether a key is that of a lease."""
    return bool(_LEASE_KEY.fullmatch(key))


def is_manifest_key(key: str) -> bool:
    """Return whether a key is that of a division's manifest."""
    return bool(_MANIFEST_KEY.fullmatch(key))
