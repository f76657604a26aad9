"""Queries on a taxonomy in the store: finding a taxon by name, the taxa in a clade, and the lineage of a taxon.

A clade is a range of the nested set; a taxon id is looked up in two sorted arrays, whatever the size of the clade.
Merged taxa are followed, deleted ones are reported. Building the tables belongs to ``taxonomy``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from genbank_assets.errors import NotFoundError
from genbank_assets.ncbi.taxonomy_files import taxonomy_folder
from genbank_assets.tables.taxonomy import TaxonomyManifest, kept_dates, read_manifest, table_path

Ints = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
MAX_CANDIDATES = 10


@dataclasses.dataclass(frozen=True)
class Taxon:
    """A taxon and its interval in the nested set.

    Attributes:
        taxon_id: NCBI's id; for a merged taxon, the id it was merged into.
        scientific_name: scientific name.
        rank: rank, such as ``species``.
        left_value: left end of the interval.
        right_value: right end of the interval, which encloses all descendants.
    """

    taxon_id: int
    scientific_name: str
    rank: str
    left_value: int
    right_value: int


@dataclasses.dataclass(frozen=True)
class Resolved:
    """Current state of some taxon ids.

    Attributes:
        taxon_ids: current id of each taxon, following merges, (n,).
        left_values: left value in the nested set; 0 for an unknown id, (n,).
        merged: whether the id was merged into another, (n,).
        deleted: whether NCBI deleted the id, (n,).
    """

    taxon_ids: Ints
    left_values: Ints
    merged: Flags
    deleted: Flags

    @property
    def unknown(self) -> Flags:
        """Whether an id is neither a taxon, nor merged, nor deleted, (n,)."""
        unknown: Flags = (self.left_values == 0) & ~self.deleted
        return unknown


class Taxonomy:
    """The taxonomy of one date.

    Args:
        manifest: manifest of its tables.
        scan: opens one of its tables.
    """

    def __init__(self, manifest: TaxonomyManifest, *, scan: Callable[[str], pl.LazyFrame]) -> None:
        self.manifest = manifest
        self._scan = scan

    @property
    def date(self) -> str:
        """Date of NCBI's archive, ISO 8601."""
        return self.manifest.date

    def find(self, name: str) -> Taxon:
        """Find a taxon by id or by any of its names, ignoring case.

        Raises:
            NotFoundError: there is no such taxon, it was deleted, or the name is ambiguous.
        """
        text = name.strip()
        return self._numbered(int(text)) if text.isascii() and text.isdigit() else self._named(text)

    def _numbered(self, taxon_id: int) -> Taxon:
        found = self.resolve(np.array([taxon_id], np.int64))
        if found.deleted[0]:
            raise NotFoundError(f"taxon {taxon_id} was deleted by NCBI (taxonomy of {self.date})")
        if found.unknown[0]:
            raise NotFoundError(f"there is no taxon {taxon_id} in the taxonomy of {self.date}")
        return self._taxa(pl.col("left_value") == int(found.left_values[0]))[0]

    def _named(self, name: str) -> Taxon:
        key = name.lower()
        names = self._scan("names").filter(pl.col("name_key") == key).collect()
        if names.is_empty():
            names = self._scan("names").filter(pl.col("unique_name").str.to_lowercase() == key).collect()
        scientific = names.filter(pl.col("name_class") == "scientific name")
        ids = (scientific if len(scientific) else names)["taxon_id"].unique().sort().to_list()
        if not ids:
            raise NotFoundError(f"no taxon is named {name!r} in the taxonomy of {self.date}")
        taxa = self._taxa(pl.col("taxon_id").is_in(ids))
        if len(taxa) > 1:
            shown = ", ".join(f"{t.taxon_id} ({t.rank} {t.scientific_name})" for t in taxa[:MAX_CANDIDATES])
            raise NotFoundError(f"{len(taxa)} taxa are named {name!r}: ask for one by its number: {shown}")
        return taxa[0]

    def _taxa(self, condition: pl.Expr) -> list[Taxon]:
        columns = [field.name for field in dataclasses.fields(Taxon)]
        return [Taxon(*row) for row in self._scan("nodes").filter(condition).select(columns).collect().iter_rows()]

    @cached_property
    def _by_id(self) -> tuple[Ints, Ints]:
        nodes = self._scan("nodes").select("taxon_id", "left_value").collect().sort("taxon_id")
        return nodes["taxon_id"].to_numpy(), nodes["left_value"].to_numpy()

    @cached_property
    def _merged(self) -> tuple[Ints, Ints]:
        merged = self._scan("merged").collect()
        return merged["old_taxon_id"].to_numpy(), merged["taxon_id"].to_numpy()

    @cached_property
    def _deleted(self) -> Ints:
        return self._scan("deleted").collect()["taxon_id"].to_numpy()

    def resolve(self, taxon_ids: Ints) -> Resolved:
        """Look up the current state of some taxon ids, (n,)."""
        at, merged = _look_up(self._merged[0], taxon_ids)
        now = np.where(merged, self._merged[1][at], taxon_ids) if len(self._merged[0]) else taxon_ids
        ids, lefts = self._by_id
        at, known = _look_up(ids, now)
        return Resolved(
            taxon_ids=now,
            left_values=np.where(known, lefts[at], 0),
            merged=merged,
            deleted=_look_up(self._deleted, taxon_ids)[1] & ~known,
        )

    def clade(self, taxon: Taxon) -> Ints:
        """Return the ids of a taxon and all its descendants, ascending, (n,), from a range of row groups."""
        inside = pl.col("left_value").is_between(taxon.left_value, taxon.right_value)
        return self._scan("nodes").filter(inside).select("taxon_id").collect()["taxon_id"].sort().to_numpy()

    def ancestors(self, taxon: Taxon) -> list[Taxon]:
        """Return the ancestors of a taxon, root first, without the taxon itself."""
        inside = (pl.col("left_value") < taxon.left_value) & (pl.col("right_value") > taxon.right_value)
        return self._taxa(inside)

    @cached_property
    def _nodes(self) -> pl.DataFrame:
        return self._scan("nodes").select("taxon_id", "parent_id", "rank", "scientific_name").collect().sort("taxon_id")

    @cached_property
    def _parents(self) -> Ints:
        """Row of each node's parent, in order of taxon id; the root is its own parent."""
        ids = self._nodes["taxon_id"].to_numpy()
        parents = self._nodes["parent_id"].fill_null(pl.lit(int(ids[0]))).to_numpy()
        at = np.searchsorted(ids, parents)
        root = np.flatnonzero(self._nodes["parent_id"].is_null().to_numpy())
        at[root] = root
        return at

    @cached_property
    def ranks(self) -> frozenset[str]:
        """All ranks of this taxonomy."""
        return frozenset(self._scan("nodes").select(pl.col("rank").unique()).collect()["rank"].to_list())

    def lineage(self, taxon_ids: Ints, *, ranks: Sequence[str]) -> list[tuple[str | None, ...]]:
        """Return the names of each taxon's ancestors (including itself) at some ranks; None if it has none at a rank.

        Args:
            taxon_ids: ids as returned by :meth:`resolve`; unknown ids have no names, (n,).
            ranks: ranks as spelled by NCBI.
        """
        ids = self._nodes["taxon_id"].to_numpy()
        at, known = _look_up(ids, taxon_ids)
        rank_of = self._nodes["rank"].replace_strict(list(ranks), list(range(len(ranks))), default=-1).to_numpy()
        rows = np.full((len(taxon_ids), len(ranks)), -1, np.int64)
        node, active = at.copy(), known.copy()
        while active.any():
            here = np.flatnonzero(active)
            rank = rank_of[node[here]]
            marked = here[rank >= 0]
            column = rank[rank >= 0]
            empty = rows[marked, column] < 0
            rows[marked[empty], column[empty]] = node[marked[empty]]
            above = self._parents[node[here]]
            active[here] = above != node[here]
            node[here] = above
        names = self._nodes["scientific_name"]
        used = {int(row): names[int(row)] for row in np.unique(rows) if row >= 0}
        return [tuple(used.get(int(cell)) for cell in row) for row in rows]


def _look_up(keys: Ints, wanted: Ints) -> tuple[Ints, Flags]:
    """Return the position of each wanted key in a sorted array, and whether it is present."""
    if not len(keys):
        return np.zeros(len(wanted), np.int64), np.zeros(len(wanted), np.bool_)
    at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return at, keys[at] == wanted


def open_taxonomy(store: Path, *, date: str | None = None) -> Taxonomy:
    """Open the taxonomy of a date, or the newest one in the store.

    Raises:
        NotFoundError: it is not in the store.
    """
    dates = kept_dates(store)
    wanted = date or (dates[-1] if dates else None)
    manifest = read_manifest(taxonomy_folder(store) / wanted) if wanted else None
    if manifest is None:
        kept = f"there are those of {', '.join(dates[-5:])}" if dates else "there is none yet"
        raise NotFoundError(
            f"no taxonomy{f' of {date}' if date else ''} in the store ({kept}): run genbank-assets taxonomy --update"
        )
    return Taxonomy(manifest, scan=lambda table: pl.scan_parquet(table_path(store, manifest, table)))
