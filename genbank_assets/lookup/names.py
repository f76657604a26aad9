"""Resolves many names to records: accessions, with or without version, and digests of residues.

Searching the tables belongs to ``records``, using the records to ``texts`` and ``sequences``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from genbank_assets.errors import GenbankAssetsError, NotFoundError
from genbank_assets.lookup.records import Found, Lookup, not_found

# Called with a name and the reason why it has no record.
Missing = Callable[[str, GenbankAssetsError], None]
_SHA256 = re.compile(r"[0-9A-Fa-f]{64}")
_REFGET = re.compile(r"(?:ga4gh:)?(SQ\.[A-Za-z0-9_-]{32})")


def is_sha256(name: str) -> bool:
    """Return whether a name is a SHA-256 in hex."""
    return bool(_SHA256.fullmatch(name))


def refget_of(name: str) -> str | None:
    """Return the part of a refget digest after its prefix, or None if the name is not one."""
    found = _REFGET.fullmatch(name)
    return found[1] if found else None


def is_digest(name: str) -> bool:
    """Return whether a name is a SHA-256 in hex or a refget digest."""
    return is_sha256(name) or refget_of(name) is not None


def named_records(
    lookup: Lookup, names: list[str], missing: Missing, *, columns: Sequence[str]
) -> Iterator[tuple[str, Found]]:
    """Yield the record of each name; for versions that only an earlier release has, that release is used."""
    for name in names:
        if is_digest(name):
            missing(name, NotFoundError("a digest names residues, not a record: ask for an accession"))
    accessions = [name for name in names if not is_digest(name)]
    found = lookup.find_each(accessions, columns=columns)
    absent = [name for name in accessions if name not in found]
    earlier = lookup.find_earlier(absent) if absent else {}
    for name in accessions:
        if name in found:
            yield name, found[name]
        elif "." in name and name in earlier:
            yield name, earlier[name][0]
        else:
            missing(name, NotFoundError(not_found(lookup, name, earlier.get(name, []))))
