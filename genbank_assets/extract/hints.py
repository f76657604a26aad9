"""Messages that help to understand an extract: markers with the same name, and queries that select nothing.

The names themselves belong to ``markers`` and ``choice``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator

from genbank_assets.extract.choice import DEFAULT_KEYS, NO_FEATURE, feature_key
from genbank_assets.extract.manifest import Extract
from genbank_assets.extract.markers import MARKERS, marker_named, notes_of
from genbank_assets.extract.selection import Selection
from genbank_assets.flatfile.known import FEATURE_KEYS


def hints_of(selection: Selection, found: Extract) -> list[str]:
    """Return messages about a finished extract for the user, each a sentence."""
    hints = notes_of(selection.genes)
    if selection.accessions == ():
        hints.append("nothing matched: the list of accessions is empty")
    elif found.records and not found.entries:
        hints.append(f"nothing matched: {found.records:,} record(s) examined, none of which meets all conditions")
        if found.excluded.get(NO_FEATURE) or found.features == 0:
            hints += _about_features(selection)
    return hints


def _about_features(selection: Selection) -> Iterator[str]:
    keys = [feature_key(name) for name in selection.features]
    for key in keys:
        if key not in FEATURE_KEYS:
            near = difflib.get_close_matches(key, sorted(FEATURE_KEYS), 1)
            yield f"{key} is not a feature key of NCBI's{f': did you mean {near[0]}?' if near else ''}"
    if len(selection.genes) + len(selection.products) != 1:
        return
    where = f"no {', '.join(keys or DEFAULT_KEYS)} of these records has the"
    for name in selection.products:
        yield f"{where} product {name!r}; * matches anything, as in '*{name.strip('*')}*'"
    for name in selection.genes:
        if marker_named(name) is not None:
            yield f"{where} gene {name!r} under any of its names"
        else:
            markers = ", ".join(marker.names[0] for marker in MARKERS)
            yield f"{where} gene {name!r}, and it is not one of the markers with known synonyms ({markers})"
