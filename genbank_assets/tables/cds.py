"""Coding sequences: one row per CDS feature, with its translation compared to the ``/translation`` qualifier.

Spans are cut and translated natively, one row group at a time; only differing translations are examined individually.
Writing the tables belongs to ``derived``.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from genbank_assets.schema.derived import CDS_SCHEMA
from genbank_assets.tables.arrow_text import text_bytes
from genbank_assets.tables.cutting import cut
from genbank_assets.tables.feature_arrays import FeatureArrays, Flags, Ints
from genbank_assets.tables.genetic_codes import WITH_AMBIGUOUS_STOPS, code_rows, translation_tables
from genbank_assets.tables.residue_text import translated
from genbank_assets.tables.residues import ResidueReader
from genbank_assets.tables.splicing import NO_RESIDUES, REASONS, Spans, spans_of

_E = "features.list.element."
COLUMNS = (
    "accession", "accession_version", "collection", "release", "source_file", "record_ordinal", "length",
    "length_unit", "topology", "sequence_sha256", _E + "key", _E + "location", _E + "operator", _E + "start",
    _E + "end", _E + "strand", _E + "partial_start", _E + "partial_end", _E + "spans_origin", _E + "spans",
    _E + "qualifiers",
)  # fmt: skip
SAME = "same"
NOT_GIVEN = "no translation is given"
PSEUDO = "no translation is given for a pseudogene"
UNKNOWN_CODE = "the genetic code is none of NCBI's"
#: Reasons for a differing translation, most specific first.
DIFFERENCES = (
    "an exception is declared", "another first residue", "another length", "residues that are ambiguous",
    "other residues",
)  # fmt: skip
_EXCEPT = re.compile(r"pos:(?:complement\()?(?:join\()?<?(\d+)[^,]*,\s*aa:\s*([A-Za-z]+)")
_THREE = {
    "ALA": "A", "ARG": "R", "ASN": "N", "ASP": "D", "CYS": "C", "GLN": "Q", "GLU": "E", "GLY": "G", "HIS": "H",
    "ILE": "I", "LEU": "L", "LYS": "K", "MET": "M", "PHE": "F", "PRO": "P", "SER": "S", "THR": "T", "TRP": "W",
    "TYR": "Y", "VAL": "V", "SEC": "U", "PYL": "O", "ASX": "B", "GLX": "Z", "XLE": "J", "OTHER": "X", "TERM": "*",
}  # fmt: skip


def coding_sequences_of(batch: pa.RecordBatch, *, section: str, reader: ResidueReader) -> pa.Table:
    """Return the coding sequences of a batch of records, in order.

    Args:
        batch: records with the columns :data:`COLUMNS`.
        section: the partition.
        reader: residues of the batch's file.
    """
    features = FeatureArrays(batch)
    chosen = np.flatnonzero(features.keyed(["CDS"]))
    take, rows = pa.array(chosen), features.record[chosen]
    spans = spans_of(
        features,
        record_length=batch.column("length").to_numpy(),
        is_circular=_equal(batch.column("topology"), "circular"),
    )
    columns: dict[str, Any] = {
        name: batch.column(name).take(pa.array(rows))
        for name in ("accession", "accession_version", "collection", "release", "source_file", "record_ordinal")
    }
    columns |= {"section": pa.repeat(section, len(chosen)), "feature_ordinal": features.ordinal[chosen]}
    for name in ("location", "operator", "start", "end", "strand", "partial_start", "partial_end"):
        columns[name] = features.field(name).take(take)
    for name in ("protein_id", "product", "gene", "locus_tag", "translation"):
        columns[name] = features.first(name).take(take)
    columns["translation"] = _without_space(columns["translation"])
    columns["codon_start"] = _small(features.first("codon_start").take(take), default=1, low=1, high=3)
    columns["genetic_code"] = _small(features.first("transl_table").take(take), default=1, low=1, high=999)
    columns["exception"] = _exceptions(features, take)
    columns["is_pseudo"] = (features.has("pseudo") | features.has("pseudogene"))[chosen]
    mine = spans.take(chosen)
    for name, values in (("start", mine.start), ("end", mine.end), ("strand", np.where(mine.reverse, -1, 1))):
        columns[f"span_{name}s"] = pa.ListArray.from_arrays(pa.array(mine.offsets, pa.int32()), pa.array(values))
    has_residues = batch.column("sequence_sha256").is_valid().to_numpy(zero_copy_only=False)[rows]
    refused = np.where(has_residues | (mine.refused > 0), mine.refused, NO_RESIDUES)
    five_prime = _flags(columns["partial_start"]), _flags(columns["partial_end"])
    columns["translation_check"] = pa.array(
        _checked(
            columns,
            spans=mine,
            refused=refused,
            ordinals=columns["record_ordinal"].to_numpy(),
            lengths=batch.column("length").to_numpy()[rows],
            begins_here=~np.where(_reversed(mine), five_prime[1], five_prime[0]),
            excepted=_excepted(features, chosen),
            reader=reader,
        )
    )
    arrays = [
        (c if isinstance(c, pa.Array) else pa.array(c)).cast(CDS_SCHEMA.field(name).type)
        for name, c in ((name, columns[name]) for name in CDS_SCHEMA.names)
    ]
    return pa.Table.from_arrays(arrays, schema=CDS_SCHEMA)


def _checked(
    columns: dict[str, Any],
    *,
    spans: Spans,
    refused: Ints,
    ordinals: Ints,
    lengths: Ints,
    begins_here: Flags,
    excepted: dict[int, list[str]],
    reader: ResidueReader,
) -> list[str]:
    """Return :data:`SAME` for each coding sequence, or why its translation differs or is missing."""
    given = columns["translation"]
    codes = code_rows(columns["genetic_code"])
    found = np.array([*REASONS, SAME, NOT_GIVEN, PSEUDO, UNKNOWN_CODE, *DIFFERENCES], dtype=object)
    at = {reason: number for number, reason in enumerate(found.tolist())}
    state = refused.copy()
    missing = given.is_null().to_numpy(zero_copy_only=False)
    state[(codes < 0) & (state == 0)] = at[UNKNOWN_CODE]
    state[missing] = np.where(columns["is_pseudo"][missing], at[PSEUDO], at[NOT_GIVEN])
    todo = np.flatnonzero(state == 0)
    tables = translation_tables()
    frames = columns["codon_start"] - 1
    part = spans.take(todo)
    for piece in cut(part, ordinals=ordinals[todo], lengths=lengths[todo], reader=reader):
        features = todo[piece.features]
        residues, offsets = piece.residues, piece.offsets
        if piece.pieces is not None:
            residues = b"".join(piece.pieces)
            offsets = np.array([0, len(residues)])
        letters, letter_offsets, cut_short = translated(
            residues, offsets, frames[features], codes[features],
            begins_here[features] & (frames[features] == 0), *tables,
        )  # fmt: skip
        text = memoryview(letters)
        wanted = given.take(pa.array(features))
        same = _equal_text(letters, letter_offsets, cut_short, wanted)
        state[features[same]] = at[SAME]
        for n in np.flatnonzero(~same).tolist():
            feature = int(features[n])
            made = bytes(text[int(letter_offsets[n]) : int(letter_offsets[n + 1])]).decode()
            mark = _applied(made, excepted.get(feature, []), spans, feature, int(frames[feature]))
            reason = _difference(mark, wanted[n].as_py(), cut_short=bool(cut_short[n]))
            if reason != SAME and columns["genetic_code"][feature] in WITH_AMBIGUOUS_STOPS:
                reason = _difference(f"{mark[:-1]}*", wanted[n].as_py(), cut_short=False)
            if reason != SAME and columns["exception"][feature].is_valid:
                reason = DIFFERENCES[0]
            state[feature] = at[reason]
    names: list[str] = found[state].tolist()
    return names


def _equal_text(letters: bytes, offsets: Ints, cut_short: Any, wanted: pa.Array) -> Flags:
    """Return whether translations equal the given ones, ignoring the stop and an incomplete last codon, (n,)."""
    codes = np.frombuffer(letters, np.uint8)
    ends = offsets[1:].copy()
    filled = ends > offsets[:-1]
    last = codes[np.maximum(ends - 1, 0)] if len(codes) else np.zeros(len(ends), np.uint8)
    given_lengths = pc.binary_length(wanted).to_numpy(zero_copy_only=False)
    dropped = filled & ((last == ord("*")) | (cut_short & (ends - offsets[:-1] == given_lengths + 1)))
    sizes = ends - offsets[:-1] - dropped
    same: Flags = sizes == given_lengths
    # Compare all letters that count with all given letters as one array of bytes.
    keep = np.ones(len(codes), np.bool_)
    keep[ends[dropped] - 1] = False
    keep[np.repeat(~same, ends - offsets[:-1])] = False
    mine = codes[keep]
    theirs = text_bytes(wanted.filter(pa.array(same)))
    differs = np.concatenate([[0], np.cumsum(mine != theirs)])
    bounds = np.concatenate([[0], np.cumsum(sizes[same])])
    same[same] = differs[bounds[1:]] == differs[bounds[:-1]]
    return same


def _applied(made: str, exceptions: list[str], spans: Spans, feature: int, frame: int) -> str:
    """Apply the residues named by ``/transl_except`` to a translation."""
    letters = list(made)
    for text in exceptions:
        found = _EXCEPT.search(text)
        letter = _THREE.get(found[2].upper()) if found else None
        if found is None or letter is None:
            continue
        offset = _offset_in_cds(spans, feature, int(found[1]))
        codon = (offset - frame) // 3 if offset is not None else -1
        if 0 <= codon < len(letters):
            letters[codon] = letter
        elif codon == len(letters) and letter != "*":
            letters.append(letter)
    return "".join(letters)


def _offset_in_cds(spans: Spans, feature: int, residue: int) -> int | None:
    """Return the 0-based offset within the coding sequence of the first-named residue of a codon."""
    before = 0
    for span in range(int(spans.offsets[feature]), int(spans.offsets[feature + 1])):
        start, end = int(spans.start[span]), int(spans.end[span])
        if start <= residue <= end:
            # On the reverse strand, the position written first is the codon's last residue.
            return before + (max(0, end - residue - 2) if spans.reverse[span] else residue - start)
        before += max(0, end - start + 1)
    return None


def _difference(made: str, given: str, *, cut_short: bool) -> str:
    body = made[:-1] if made.endswith("*") else made
    if cut_short and len(body) == len(given) + 1:
        body = body[:-1]
    if body == given:
        return SAME
    if len(body) != len(given):
        return "another length"
    if body[1:] == given[1:]:
        return "another first residue"
    ambiguous = all(a == b or a in "XBZJ" or b in "XBZJ" for a, b in zip(body, given, strict=True))
    return "residues that are ambiguous" if ambiguous else "other residues"


def _excepted(features: FeatureArrays, chosen: Ints) -> dict[int, list[str]]:
    """Return the values of ``/transl_except`` by number of the coding sequence."""
    owner, values = features.qualifier_rows("transl_except")
    number = {int(feature): n for n, feature in enumerate(chosen.tolist())} if len(owner) else {}
    found: dict[int, list[str]] = {}
    for feature, text in zip(owner.tolist(), values.to_pylist(), strict=True):
        if feature in number:
            found.setdefault(number[feature], []).append(text or "")
    return found


def _exceptions(features: FeatureArrays, take: pa.Array) -> pa.Array:
    """Return the values of ``/exception``, or of the valueless qualifiers that mean the same."""
    found = features.first("exception")
    for name, text in (("ribosomal_slippage", "ribosomal slippage"), ("trans_splicing", "trans-splicing")):
        flags = pa.array(features.has(name))
        found = pc.if_else(pc.and_(flags, found.is_null()), pa.scalar(text), found)
    return found.take(take)


def _reversed(spans: Spans) -> Flags:
    """Return whether the first span of each feature is on the reverse strand, (features,)."""
    first = np.minimum(spans.offsets[:-1], max(0, len(spans.reverse) - 1))
    filled = np.diff(spans.offsets) > 0
    return filled & spans.reverse[first] if len(spans.reverse) else filled


def _small(values: pa.Array, *, default: int, low: int, high: int) -> Ints:
    """Parse small numbers in qualifiers; ``default`` for missing, invalid or out-of-range values, (n,)."""
    series = pl.Series(pl.from_arrow(values)).cast(pl.String).str.strip_chars().cast(pl.Int64, strict=False)
    return series.set(~series.is_between(low, high), None).fill_null(default).to_numpy()


def _without_space(values: pa.Array) -> pa.Array:
    return pc.replace_substring_regex(values, r"\s+", "")


def _flags(values: pa.Array) -> Flags:
    found: Flags = pc.fill_null(values, fill_value=False).to_numpy(zero_copy_only=False)
    return found


def _equal(values: pa.Array, text: str) -> Flags:
    return _flags(pc.equal(values, text))
