"""GFF3: the features of records, one line per span, with NCBI's attributes.

https://github.com/The-Sequence-Ontology/Specifications: feature keys are converted to Sequence Ontology types if there
are any, and kept as ``gbkey``. A feature across the origin of a circular record ends beyond its length, as the format
requires. Features with a span in another record are excluded and counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa

from genbank_assets.extract.formats.base import Block, Format, FormatOptions
from genbank_assets.extract.formats.choice import FeatureChoice
from genbank_assets.extract.scan import Scan
from genbank_assets.extract.selection import Selection
from genbank_assets.tables.clades import Taxonomy
from genbank_assets.tables.feature_arrays import FeatureArrays, Flags
from genbank_assets.tables.splicing import REASONS, Spans, spans_of

#: Feature keys with a different name in the Sequence Ontology; keys in neither list become ``sequence_feature``.
ONTOLOGY = {
    "source": "region", "misc_feature": "sequence_feature", "5'UTR": "five_prime_UTR", "3'UTR": "three_prime_UTR",
    "rep_origin": "origin_of_replication", "sig_peptide": "signal_peptide", "mat_peptide": "mature_protein_region",
    "misc_RNA": "transcript", "D-loop": "D_loop", "variation": "sequence_alteration", "regulatory": "regulatory_region",
    "misc_difference": "sequence_difference", "assembly_gap": "gap", "protein_bind": "protein_binding_site",
    "misc_binding": "binding_site", "primer_bind": "primer_binding_site", "misc_recomb": "recombination_feature",
    "modified_base": "modified_DNA_base", "prim_transcript": "primary_transcript", "polyA_site": "polyA_site",
    "precursor_RNA": "primary_transcript", "unsure": "sequence_uncertainty", "V_region": "V_gene_segment",
    "misc_structure": "sequence_secondary_structure", "V_segment": "V_gene_segment", "D_segment": "D_gene_segment",
    "J_segment": "J_gene_segment", "C_region": "C_gene_segment", "transit_peptide": "transit_peptide",
    "propeptide": "propeptide", "Protein": "polypeptide",
}  # fmt: skip
SAME_IN_ONTOLOGY = frozenset(
    {
        "gene", "CDS", "mRNA", "tRNA", "rRNA", "ncRNA", "tmRNA", "exon", "intron", "gap", "operon", "repeat_region",
        "stem_loop", "STS", "centromere", "telomere", "mobile_genetic_element", "oriT", "iDNA",
    }
)  # fmt: skip
_NAMED = {"db_xref": "Dbxref", "note": "Note"}
_LEFT_OUT = frozenset({"translation"})
_COLUMNS = (
    "accession_version", "length", "topology", "features.list.element.key", "features.list.element.location",
    "features.list.element.operator", "features.list.element.strand", "features.list.element.partial_start",
    "features.list.element.partial_end", "features.list.element.spans_origin", "features.list.element.spans",
    "features.list.element.qualifiers",
)  # fmt: skip


_Gene = tuple[str, tuple[int, int]]  # its ID, first and last residue


class Gff3(Format):
    """``NC_001422.1  RefSeq  CDS  51  221  .  +  0  ID=…;Parent=…;gbkey=CDS;gene=K;…``."""

    name = "gff3"
    suffix = "gff3"

    def __init__(self, selection: Selection, options: FormatOptions, taxonomy: Taxonomy | None) -> None:
        super().__init__(selection, options, taxonomy)
        self._choice = FeatureChoice(selection)

    @property
    def preamble(self) -> bytes:
        return b"##gff-version 3\n"

    def blocks(self, scan: Scan) -> Iterator[Block]:
        source = "RefSeq" if scan.plan.input.partition.key.collection == "refseq" else "Genbank"
        for batch in scan.batches([*_COLUMNS, *self._choice.columns]):
            features = FeatureArrays(batch)
            wanted = self._choice.wanted(features, batch)
            circular = np.array([text == "circular" for text in batch.column("topology").to_pylist()], np.bool_)
            spans = spans_of(features, record_length=batch.column("length").to_numpy(), is_circular=circular)
            for number, count in zip(*np.unique(spans.refused[wanted], return_counts=True), strict=True):
                if number:
                    scan.counts[f"feature: {REASONS[number]}"] += int(count)
            texts = _records(batch, features, spans, wanted & (spans.refused == 0), circular, source=source)
            sizes = [len(text) for text in texts]
            starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]) if sizes else np.zeros(0, np.int64)
            yield Block(b"".join(texts), starts.astype(np.int64), batch.column("accession_version"))


def _records(
    batch: pa.RecordBatch, features: FeatureArrays, spans: Spans, wanted: Flags, circular: Flags, *, source: str
) -> list[bytes]:
    """Return the GFF3 text of each record of a batch."""
    keys = features.field("key").to_pylist()
    strands = features.field("strand").to_pylist()
    low, high = features.flags("partial_start").tolist(), features.flags("partial_end").tolist()
    qualifiers = features.field("qualifiers").to_pylist()
    names, lengths = batch.column("accession_version").to_pylist(), batch.column("length").to_pylist()
    bounds = np.searchsorted(features.record, np.arange(batch.num_rows + 1)).tolist()
    extents = _extents(spans)
    found = []
    for row, name in enumerate(names):
        lines = [f"##sequence-region {_seqid(name)} 1 {lengths[row]}"]
        genes: dict[str, list[_Gene]] = {}
        for feature in range(bounds[row], bounds[row + 1]):
            if not wanted[feature]:
                continue
            key, given = keys[feature], qualifiers[feature]
            identity = f"{_seqid(name)}_{feature - bounds[row] + 1}"
            attributes = [f"ID={identity}"]
            label = next((q["value"] for q in given if q["key"] in {"locus_tag", "gene"} and q["value"]), None)
            extent = extents[feature]
            if key == "gene" and label:
                genes.setdefault(label, []).append((identity, extent))
            elif label in genes and (parent := _parent(genes[label], extent)):
                attributes.append(f"Parent={parent}")
            attributes += _attributes(given, key=key)
            if key == "source" and circular[row]:
                attributes.append("Is_circular=true")
            if low[feature] or high[feature]:
                attributes.append("partial=true")
            lines += _lines(
                spans, feature, key=key, strand=strands[feature], seqid=_seqid(name), source=source,
                attributes=";".join(attributes), given=given, length=lengths[row],
            )  # fmt: skip
        found.append(("\n".join(lines) + "\n").encode())
    return found


def _extents(spans: Spans) -> list[tuple[int, int]]:
    """Return first and last residue of each feature that can be extracted; undefined for others."""
    if not len(spans.start):
        return [(0, 0)] * len(spans.refused)
    firsts = np.minimum(spans.offsets[:-1], len(spans.start) - 1)
    low, high = np.minimum.reduceat(spans.start, firsts), np.maximum.reduceat(spans.end, firsts)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def _parent(genes: list[_Gene], extent: tuple[int, int]) -> str | None:
    """Return the gene with the feature's name that encloses it; if there is only one, it need not enclose it."""
    around = [name for name, (low, high) in genes if low <= extent[0] and extent[1] <= high]
    return around[-1] if around else genes[0][0] if len(genes) == 1 else None


def _lines(
    spans: Spans, feature: int, *, key: str, strand: int | None, seqid: str, source: str, attributes: str,
    given: list[dict[str, Any]], length: int,
) -> Iterator[str]:  # fmt: skip
    """Yield a line per span; the two parts of a span across the origin become one line, as GFF3 requires."""
    first, last = int(spans.offsets[feature]), int(spans.offsets[feature + 1])
    parts = [[int(spans.start[span]), int(spans.end[span]), bool(spans.reverse[span])] for span in range(first, last)]
    joined: list[list[Any]] = []
    for start, end, reverse in parts:
        before = joined[-1] if joined else None
        if before is not None and not reverse and not before[2] and before[1] == length and start == 1:
            before[1] = length + end
        elif before is not None and reverse and before[2] and before[0] == 1 and end == length:
            before[0], before[1] = start, length + before[1]
        else:
            joined.append([start, end, reverse])
    type_ = key if key in SAME_IN_ONTOLOGY else ONTOLOGY.get(key, "sequence_feature")
    skip = next((int(q["value"]) - 1 for q in given if q["key"] == "codon_start" and (q["value"] or "").isdigit()), 0)
    done = 0
    for start, end, reverse in joined:
        phase = str((skip - done) % 3) if key == "CDS" else "."
        done += max(0, end - start + 1)
        sign = "." if strand is None and last == first else "-" if reverse else "+"
        begin, stop = (start, end) if end >= start else (start - 1 or 1, start - 1 or 1)  # position between residues
        yield "\t".join([seqid, source, type_, str(begin), str(stop), ".", sign, phase, attributes])


def _attributes(given: list[dict[str, Any]], *, key: str) -> list[str]:
    """Return qualifiers as attributes, combining values of the same name."""
    values: dict[str, list[str]] = {}
    for qualifier in given:
        if qualifier["key"] not in _LEFT_OUT:
            value = "true" if qualifier["value"] is None else qualifier["value"]
            values.setdefault(_NAMED.get(qualifier["key"], qualifier["key"]), []).append(_escaped(value))
    label = next((values[name][0] for name in ("gene", "locus_tag", "product") if name in values), None)
    head = [f"Name={label}"] if label else []
    return [*head, f"gbkey={_escaped(key)}", *(f"{name}={','.join(listed)}" for name, listed in values.items())]


def _escaped(text: str) -> str:
    return quote(text, safe=" !\"#$'()*+-./:<>?@[\\]^_`{|}~")


def _seqid(name: str) -> str:
    return quote(name, safe=".:^*$@!+_?-|")
