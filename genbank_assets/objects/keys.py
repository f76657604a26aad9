"""Names in the object set: where sequences, packs and a division's manifest lie below the set's root.

A sequence's key is made from its digest alone, so the same residues have one object whatever brought them; a pack's
key is the digest of its bytes. Folders keep listings short on file systems. Writing belongs to ``publish``.
"""

from __future__ import annotations

import re

from genbank_assets.errors import NotFoundError

MOLECULE_CLASSES = ("nucleotide", "protein")
_DIGEST = re.compile(r"[0-9a-f]{64}")
# Sets that development versions made have a second level, ab/cd/; their manifests still name such keys.
_SEQUENCE_KEY = re.compile(r"(nucleotide|protein)/([0-9a-f]{2})/(([0-9a-f]{2})/\2\4[0-9a-f]{60}|\2[0-9a-f]{62})")
_PACK_KEY = re.compile(r"packs/([0-9a-f]{2})/\1[0-9a-f]{62}")
_MANIFEST_KEY = re.compile(r"manifests/[a-z]+/\d+(\.\d+)?/[a-z_]+\.parquet")
_MEMBERSHIP_KEY = re.compile(r"memberships/[a-z]+/\d+(\.\d+)?/[a-z_]+/[0-9a-f]{64}\.parquet")
_LEASE_KEY = re.compile(r"leases/(publish|prune)/[0-9a-f]{32}")


def sequence_key(digest: str, *, molecule_class: str) -> str:
    """``nucleotide/ab/<sha256>``: the object with a sequence's residues.

    Raises:
        NotFoundError: the digest is not a SHA-256 in hex.
    """
    if not _DIGEST.fullmatch(digest):
        raise NotFoundError(f"not a SHA-256 in hex: {digest!r}")
    return f"{molecule_class}/{digest[:2]}/{digest}"


def pack_key(digest: str) -> str:
    """``packs/ab/<sha256 of the pack's bytes>``: many short sequences, each a zstd frame of its own."""
    return f"packs/{digest[:2]}/{digest}"


def manifest_key(collection: str, release: str, division: str) -> str:
    """``manifests/genbank/273.0/phg.parquet``: what the division's set consists of; written last."""
    return f"manifests/{collection}/{release}/{division}.parquet"


def membership_key(collection: str, release: str, division: str, sha256: str) -> str:
    """``memberships/genbank/273.0/phg/<sha256>.parquet``: which record has which sequence; the manifest names it."""
    return f"memberships/{collection}/{release}/{division}/{sha256}.parquet"


def lease_key(purpose: str, name: str) -> str:
    """``leases/publish/<32 hex>``: a run that works on the set now."""
    return f"leases/{purpose}/{name}"


def is_content_key(key: str) -> bool:
    """Return whether a key is one that this project gives to residues; others in the bucket are left alone."""
    return bool(_SEQUENCE_KEY.fullmatch(key) or _PACK_KEY.fullmatch(key))


def is_membership_key(key: str) -> bool:
    """Return whether a key is a division's table of memberships."""
    return bool(_MEMBERSHIP_KEY.fullmatch(key))


def is_lease_key(key: str) -> bool:
    """Return whether a key is the lease of a run."""
    return bool(_LEASE_KEY.fullmatch(key))


def is_manifest_key(key: str) -> bool:
    """Return whether a key is a division's manifest."""
    return bool(_MANIFEST_KEY.fullmatch(key))
