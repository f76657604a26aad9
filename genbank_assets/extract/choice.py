"""Selects features of a batch by key, gene or marker, and product.

Names are compared without case, spaces and punctuation; ``*`` is a wildcard. Synonyms belong to ``markers``.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pyarrow as pa

from genbank_assets.extract.markers import ANY, MITOCHONDRION, Marker, folded, marker_named
from genbank_assets.extract.selection import Selection
from genbank_assets.flatfile.known import FEATURE_KEYS
from genbank_assets.tables.feature_arrays import FeatureArrays, Flags

#: Why a record is excluded that has none of the selected features.
NO_FEATURE = "no such feature"
#: Feature keys searched if a gene or product is given without a key.
DEFAULT_KEYS = ("CDS", "rRNA", "tRNA", "tmRNA", "ncRNA", "misc_RNA")
_SPELLING = {key.lower(): key for key in FEATURE_KEYS}
_ORGANELLES = ("mitochondrion", "chloroplast", "plastid", "kinetoplast", "apicoplast", "chromatophore", "hydrogenosome",
               "chromoplast", "leucoplast", "proplastid", "cyanelle", "nucleomorph")  # fmt: skip


class FeatureChoice:
    """The features selected by a query."""

    def __init__(self, selection: Selection, *, keys: tuple[str, ...] = ()) -> None:
        self._keys = (
            tuple(map(feature_key, selection.features)) or keys or (DEFAULT_KEYS if selection.asks_for_features else ())
        )
        self._genes = [_matcher(name) for name in selection.genes if marker_named(name) is None]
        self._markers = [marker for name in selection.genes if (marker := marker_named(name)) is not None]
        self._products = [_matcher(name) for name in selection.products]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of a record it needs besides the features."""
        return ("source",) if any(marker.ambiguous for marker in self._markers) else ()

    def wanted(self, features: FeatureArrays, batch: pa.RecordBatch) -> Flags:
        """Return whether each feature is selected, (features,)."""
        flags = features.keyed(self._keys) if self._keys else np.ones(features.count, np.bool_)
        if self._genes or self._markers:
            named = np.zeros(features.count, np.bool_)
            for matches in self._genes:
                named |= _any_value(features, "gene", matches) | _any_value(features, "gene_synonym", matches)
            for marker in self._markers:
                named |= self._is_marker(marker, features, batch)
            flags = flags & named
        if self._products:
            named = np.zeros(features.count, np.bool_)
            for matches in self._products:
                named |= _any_value(features, "product", matches)
            flags = flags & named
        return flags

    def _is_marker(self, marker: Marker, features: FeatureArrays, batch: pa.RecordBatch) -> Flags:
        found = _any_value(features, "gene", _one_of(marker.genes)) | _any_value(
            features, "product", _one_of(marker.products)
        )
        if marker.ambiguous:
            ambiguous = _one_of(marker.ambiguous)
            named = _any_value(features, "gene", ambiguous) | _any_value(features, "product", ambiguous)
            found |= named & _in_organelle(batch, marker.organelle)[features.record]
        return found


def feature_key(name: str) -> str:
    """Return a feature key in NCBI's spelling: ``CDS`` for ``cds``; unknown keys are returned unchanged."""
    return _SPELLING.get(name.lower(), name)


def _in_organelle(batch: pa.RecordBatch, organelle: str) -> Flags:
    """Return whether each record's SOURCE line starts with the organelle, or with none."""
    names = [(text or "").split(" ", 1)[0].lower() for text in batch.column("source").to_pylist()]
    if organelle == ANY:
        return np.ones(len(names), np.bool_)
    if organelle == MITOCHONDRION:
        return np.array([name == MITOCHONDRION for name in names], np.bool_)
    return np.array([name not in _ORGANELLES for name in names], np.bool_)


def _matcher(name: str) -> Callable[[str], bool]:
    if "*" in name:
        pattern = re.compile(".*".join(re.escape(folded(part)) for part in name.split("*")))
        return lambda text: pattern.fullmatch(folded(text)) is not None
    return _one_of((name,))


def _one_of(names: tuple[str, ...]) -> Callable[[str], bool]:
    known = {folded(name) for name in names}
    return lambda text: (
        folded(text) in known or (";" in text and any(folded(part) in known for part in text.split(";")))
    )


def _any_value(features: FeatureArrays, qualifier: str, matches: Callable[[str], bool]) -> Flags:
    """Return whether any value of a qualifier matches, per feature; distinct values are tested once, (features,)."""
    found = np.zeros(features.count, np.bool_)
    owner, values = features.qualifier_rows(qualifier)
    if len(owner):
        encoded = values.dictionary_encode()
        good = np.array([text is not None and matches(text) for text in encoded.dictionary.to_pylist()] + [False])
        rows = encoded.indices.fill_null(len(good) - 1).to_numpy(zero_copy_only=False)
        found[owner[good[rows]]] = True
    return found
