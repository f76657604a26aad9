"""Parses partitions, collections, divisions and releases in arguments: ``genbank/phg``, ``RefSeq/Viral``, ``refseq/*``.

The existing partitions are listed in ``ncbi.catalog``.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterable

from genbank_assets.errors import UsageError
from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.store import PartitionKey


def chosen_partitions(texts: Iterable[str], *, all_: bool = False) -> list[PartitionKey]:
    """Return the distinct partitions that match the arguments, in order; a pattern expands in catalog order.

    Raises:
        UsageError: an argument matches no partition; the message suggests the nearest one.
    """
    known = all_partitions()
    found = dict.fromkeys(known if all_ else ())
    for text in texts:
        name = text.strip().strip("/").lower()
        matching = [key for key in known if fnmatch.fnmatchcase(str(key), name)]
        if not matching:
            raise UsageError(f"there is no partition {text!r}{_suggestion(name, known)}")
        found |= dict.fromkeys(matching)
    return list(found)


def all_partitions() -> list[PartitionKey]:
    """Return every partition of every collection, in catalog order."""
    return [PartitionKey(c.name, division) for c in COLLECTIONS.values() for division in c.divisions]


def chosen_division(text: str | None) -> str | None:
    """Return a division code or section in the database's spelling.

    Raises:
        UsageError: there is no such division.
    """
    if text is None:
        return None
    divisions = [key.division for key in all_partitions()]
    if (name := text.strip().lower().rpartition("/")[2]) not in divisions:
        near = difflib.get_close_matches(name, divisions, n=1)
        raise UsageError(
            f"there is no division {text!r}{f': did you mean {near[0]}?' if near else '; the divisions are '}"
            f"{'' if near else ', '.join(divisions)}"
        )
    return name


def chosen_collection(text: str | None) -> str | None:
    """Return a collection's name in the database's spelling.

    Raises:
        UsageError: there is no such collection.
    """
    if text is None or text.strip().lower() in COLLECTIONS:
        return text and text.strip().lower()
    raise UsageError(f"there is no collection {text!r}; the collections are {' and '.join(COLLECTIONS)}")


def chosen_release(text: str | None) -> str | None:
    """Return a release, or a daily update such as 273.0.20260902.

    Raises:
        UsageError: the text is neither.
    """
    if text is not None and not re.fullmatch(r"\d{1,6}(\.\d{1,3})?(\.\d{8})?", text.strip()):
        raise UsageError(f"--release must be a number such as 273 or 273.0, not {text!r}")
    return text and text.strip()


def _suggestion(name: str, known: list[PartitionKey]) -> str:
    """Return a suggestion of similar names, or a list of valid ones."""
    collection, slash, division = name.partition("/")
    exact = [str(key) for key in known if not slash and key.division == collection]
    near = exact or difflib.get_close_matches(name, map(str, known), n=1, cutoff=0.7)
    if near:
        return f": did you mean {' or '.join(near)}?"
    if slash and collection in COLLECTIONS:
        title = COLLECTIONS[collection].title
        return f": the divisions of {title} are {', '.join(COLLECTIONS[collection].divisions)}"
    if slash and division:
        return f": the collections are {' and '.join(COLLECTIONS)}"
    return ": use a name such as genbank/phg or refseq/viral, a pattern such as 'refseq/*', or --all"
