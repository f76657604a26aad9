"""Computes changes between two releases kept in the store, from their membership tables.

The database has the complete history, the store only that of the releases it keeps. States are those of the database:
``new``, ``sequence_changed``, ``annotation_changed`` and ``absent``. A record that was absent and returned is ``new``
here, because two releases cannot distinguish the two. A GenBank record that moved to another division is compared with
its previous state there; RefSeq sections are compared separately, because they overlap. The database's computation
belongs to ``postgres``.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from genbank_assets.catalog.divisions import ReadableRelease
from genbank_assets.catalog.frames import memberships_frame
from genbank_assets.ncbi.catalog import GENBANK

_NOW = ["accession", "version", "accession_version", "record_sha256", "sequence_sha256"]
CHANGE_SCHEMA = pl.Schema(
    {
        "collection": pl.String(),
        "section": pl.String(),
        "release": pl.String(),
        "previous_release": pl.String(),
        "state": pl.String(),
        "accession": pl.String(),
        "version": pl.Int32(),
        "accession_version": pl.String(),
        "previous_accession_version": pl.String(),
        "previous_section": pl.String(),
        "record_sha256": pl.Binary(),
        "sequence_sha256": pl.Binary(),
    }
)


def changes_frame(pairs: Sequence[tuple[ReadableRelease, ReadableRelease]]) -> pl.LazyFrame:
    """Return one row per changed record, for pairs of (earlier, later) releases of a division.

    Absent records have their last version; ``record_sha256`` and ``sequence_sha256`` are those after the change, null
    for absent records.
    """
    frames = []
    for collection in sorted({later.key.collection for _, later in pairs}):
        ours = [pair for pair in pairs if pair[1].key.collection == collection]
        for release in dict.fromkeys(later.release for _, later in ours):
            steps = [pair for pair in ours if pair[1].release == release]
            frames.append(_compared(steps, by_section=collection != GENBANK.name))
    return pl.concat(frames) if frames else pl.LazyFrame(schema=CHANGE_SCHEMA)


def _compared(steps: Sequence[tuple[ReadableRelease, ReadableRelease]], *, by_section: bool) -> pl.LazyFrame:
    """Compare the divisions' later releases with their earlier ones."""
    later = steps[0][1]
    previous = {str(step[1].key.division): step[0].release for step in steps}
    on = ["section", "accession"] if by_section else ["accession"]
    now = _unique(memberships_frame([step[1] for step in steps])).with_columns(section_now=pl.col("section"))
    before = _unique(memberships_frame([step[0] for step in steps])).with_columns(section_before=pl.col("section"))
    drop = [] if by_section else ["section"]
    both = now.drop(drop).join(before.drop(drop), on=on, how="full", coalesce=True, suffix="_before")
    return (
        both.with_columns(state=_state(), section=pl.coalesce("section_now", "section_before"))
        .filter(pl.col("state").is_not_null())
        .select(
            collection=pl.lit(later.key.collection),
            section="section",
            release=pl.lit(later.release),
            previous_release=pl.col("section").replace_strict(previous, return_dtype=pl.String),
            state="state",
            accession="accession",
            version=pl.coalesce("version", "version_before"),
            accession_version=pl.coalesce("accession_version", "accession_version_before"),
            previous_accession_version="accession_version_before",
            previous_section=pl.when(pl.col("section_now") != pl.col("section_before")).then("section_before"),
            record_sha256="record_sha256",
            sequence_sha256="sequence_sha256",
        )
    )


def _unique(memberships: pl.LazyFrame) -> pl.LazyFrame:
    """Return one record per accession: its highest version, and the last of these if there are several."""
    return memberships.group_by("section", "accession").agg(
        pl.col(*_NOW[1:]).sort_by("version", "source_file", "record_ordinal", nulls_last=False).last()
    )


def _state() -> pl.Expr:
    same_residues = pl.col("sequence_sha256").eq_missing(pl.col("sequence_sha256_before"))
    same_version = pl.col("accession_version") == pl.col("accession_version_before")
    return (
        pl.when(pl.col("record_sha256_before").is_null())
        .then(pl.lit("new"))
        .when(pl.col("record_sha256").is_null())
        .then(pl.lit("absent"))
        .when(pl.col("record_sha256") == pl.col("record_sha256_before"))
        .then(pl.lit(None, pl.String))
        .when(same_residues & same_version)
        .then(pl.lit("annotation_changed"))
        .otherwise(pl.lit("sequence_changed"))
    )
