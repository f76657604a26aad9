"""Names in GFF3: the Sequence Ontology types of feature keys and the attribute names of qualifiers.

http://www.sequenceontology.org/; writing lines belongs to ``gff3``.
"""

from __future__ import annotations

#: Feature keys with a different name in the Sequence Ontology; keys in neither list become ``sequence_feature``.
_OTHERWISE = {
    "source": "region", "misc_feature": "sequence_feature", "5'UTR": "five_prime_UTR", "3'UTR": "three_prime_UTR",
    "rep_origin": "origin_of_replication", "sig_peptide": "signal_peptide", "mat_peptide": "mature_protein_region",
    "misc_RNA": "transcript", "D-loop": "D_loop", "variation": "sequence_alteration", "regulatory": "regulatory_region",
    "misc_difference": "sequence_difference", "assembly_gap": "gap", "protein_bind": "protein_binding_site",
    "misc_binding": "binding_site", "primer_bind": "primer_binding_site", "misc_recomb": "recombination_feature",
    "modified_base": "modified_DNA_base", "prim_transcript": "primary_transcript", "polyA_site": "polyA_site",
    "precursor_RNA": "primary_transcript", "unsure": "sequence_uncertainty", "V_region": "V_gene_segment",
    "misc_structure": "sequence_secondary_structure", "V_segment": "V_gene_segment", "D_segment": "D_gene_segment",
    "J_segment": "J_gene_segment", "C_region": "C_gene_segment", "transit_peptide": "transit_peptide",
    "propeptide": "propeptide", "Protein": "polypeptide", "conflict": "sequence_conflict",
    "misc_signal": "regulatory_region", "TATA_signal": "TATA_box",
    "polyA_signal": "polyA_signal_sequence", "-10_signal": "minus_10_signal",
    "-35_signal": "minus_35_signal", "GC_signal": "GC_rich_promoter_region", "RBS": "Shine_Dalgarno_sequence",
    "LTR": "long_terminal_repeat", "satellite": "satellite_DNA",
}  # fmt: skip
_SAME = frozenset(
    {
        "gene", "CDS", "mRNA", "tRNA", "rRNA", "ncRNA", "tmRNA", "exon", "intron", "gap", "operon", "repeat_region",
        "stem_loop", "STS", "centromere", "telomere", "mobile_genetic_element", "oriT", "iDNA", "scRNA", "snRNA",
        "snoRNA", "promoter", "terminator", "enhancer", "attenuator", "CAAT_signal",
    }
)  # fmt: skip
#: Feature keys that are parts of a gene in the Sequence Ontology: ``Parent`` is restricted to parts.
PARTS_OF_GENES = (
    "CDS", "mRNA", "tRNA", "rRNA", "ncRNA", "tmRNA", "misc_RNA", "scRNA", "snRNA", "snoRNA", "prim_transcript",
    "precursor_RNA", "exon", "intron", "5'UTR", "3'UTR", "polyA_site", "regulatory",
)  # fmt: skip
#: Products of a coding sequence that are not parts of it: ``Derives_from``.
PEPTIDES = ("mat_peptide", "sig_peptide", "transit_peptide", "propeptide")
#: Sequence Ontology type by feature key.
TYPES = _OTHERWISE | {key: key for key in _SAME}
#: Qualifiers with an attribute defined by the format.
_NAMED = {"db_xref": "Dbxref", "note": "Note"}
#: Qualifiers that are not written.
LEFT_OUT = ("translation",)
#: Qualifiers without a value; empty values of other qualifiers are not written.
FLAGS = (
    "environmental_sample", "focus", "germline", "macronuclear", "partial", "proviral", "pseudo", "rearranged",
    "ribosomal_slippage", "trans_splicing", "transgenic",
)  # fmt: skip
#: Qualifiers used as ``Name``, in order of preference.
LABELS = ("gene", "locus_tag", "product")
#: The characters that the format requires to be percent-encoded in attributes.
ESCAPED = {chr(code): f"%{code:02X}" for code in (*range(0x20), 0x7F, *map(ord, "%;=&,"))}


def attribute_name(key: str) -> str:
    """Return the attribute name of a qualifier; only names defined by the format begin with a capital letter."""
    name = _NAMED.get(key) or (key.lower() if key[:1].isupper() else key)
    return "".join(ESCAPED.get(letter, letter) for letter in name)
