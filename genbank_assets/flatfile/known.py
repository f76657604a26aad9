"""Known vocabulary of NCBI's files: feature keys, qualifiers, keywords, accession formats and LOCUS values.

Compiled from the INSDC feature table definition (version 11.3 and earlier), the GenBank release notes and NCBI's list
of accession prefixes. Parsing does not depend on these lists; ``tables.drift`` reports values that are not in them.
"""

from __future__ import annotations

import re


def _words(text: str) -> list[str]:
    return text.split()


FEATURE_KEYS = frozenset(
    _words("""
    assembly_gap attenuator C_region CAAT_signal CDS centromere conflict D-loop D_segment enhancer exon gap
    GC_signal gene iDNA intron J_segment LTR mat_peptide misc_binding misc_difference misc_feature misc_recomb
    misc_RNA misc_signal misc_structure mobile_element modified_base mRNA mutation N_region ncRNA old_sequence
    operon oriT polyA_signal polyA_site precursor_RNA prim_transcript primer_bind promoter propeptide
    protein_bind RBS regulatory rep_origin repeat_region repeat_unit rRNA S_region satellite scRNA sig_peptide
    snRNA snoRNA source stem_loop STS TATA_signal telomere terminator tmRNA transit_peptide transposon tRNA
    unsure V_region V_segment variation virion 3'clip 3'UTR 5'clip 5'UTR -10_signal -35_signal - allele cellular
    insertion_seq provirus proprotein Bond Het NonStdRes Protein Region SecStr Site
    """)
)

QUALIFIERS = frozenset(
    _words("""
    allele altitude anticodon artificial_location bio_material bound_moiety calculated_mol_wt cell_line
    cell_type chloroplast chromoplast chromosome circular_RNA citation clone clone_lib coded_by codon
    codon_start collected_by collection_date compare cons_splice country cultivar culture_collection cyanelle
    db_xref dev_stage direction EC_number ecotype environmental_sample estimated_length evidence exception
    experiment focus frequency function gap_type gdb_xref gene gene_synonym geo_loc_name germline GO_component
    GO_function GO_process haplogroup haplotype host hybrid_id identified_by inference insertion_seq isolate
    isolation_source kinetoplast lab_host label lat_lon linkage_evidence locus_tag macronuclear map mating_type
    metagenome_source metagenomic mitochondrion mobile_element mobile_element_type mod_base mol_type name
    ncRNA_class non_std_residue biovar codon_recognized nomenclature note number old_locus_tag operon organelle
    organism partial PCR_conditions PCR_primers peptide phenotype plasmid pop_variant product protein_id
    proviral pseudo pseudogene rearranged recombination_class region_name regulatory_class replace
    ribosomal_slippage rpt_family rpt_type rpt_unit rpt_unit_range rpt_unit_seq satellite sec_str_type segment
    sequenced_mol serotype serovar sex site_type bond_type heterogen specific_host specimen_voucher
    standard_name strain sub_clone sub_species sub_strain submitter_seqid tag_peptide tissue_lib tissue_type
    trans_splicing transcript_id transcription transgenic transl_except transl_table translation transposon
    type_material UniProtKB_evidence usedin variety virion whole_replicon derived_from authority
    """)
)

OTHER_KEYWORDS = frozenset(
    ["GI", "NID", "PID", "MEDLINE", "DATE", "BASE COUNT", "ORIGIN", "UNIMARK", "SITES", "MGA", "STANDARD"]
)

MOLECULES = frozenset(
    ["DNA", "RNA", "mRNA", "rRNA", "tRNA", "cRNA", "tmRNA", "snRNA", "scRNA", "snoRNA", "uRNA", "NA", "AA"]
)

DIVISIONS = frozenset(
    _words("""
    PRI ROD MAM VRT INV PLN BCT RNA VRL PHG SYN UNA EST PAT STS ORG GSS HUM HTG CON HTC ENV TSA TLS
    """)
)

ACCESSION = re.compile(
    r"""
    [A-Z]\d{5} | [A-Z]{2}\d{6} | [A-Z]{2}\d{8} | [A-Z]{2}\d{10}                        # INSDC nucleotides
    | [A-Z]{3}\d{5} | [A-Z]{3}\d{7} | [A-Z]{3}\d{9} | [A-Z]{3}\d{11}                   # INSDC proteins
    | [A-Z]{4}\d{2}S?\d{6,8} | [A-Z]{6}\d{2}S?\d{7,9} | [A-Z]{5}\d{7}                  # WGS, TSA, TLS, MGA
    | [A-Z]{2}_\d{6} | [A-Z]{2}_\d{8,9} | [A-Z]{2}_[A-Z]{2}\d{6,8}                     # RefSeq
    | NZ_[A-Z]{4}\d{8,10} | NZ_[A-Z]{6}\d{9,11} | NZ_[A-Z]\d{5}
    | [A-NR-Z]\d[A-Z][A-Z\d]{2}\d | [OPQ]\d[A-Z\d]{3}\d                                # UniProt
    | [A-NR-Z]\d(?:[A-Z][A-Z\d]{2}\d){2}
    | \d[A-Z\d]{3}_[A-Za-z\d]+ | \d{6,7}[A-Z]{1,2}? | [A-Z]\d{5}[A-Z]?                 # PDB, PRF, PIR
    """,
    re.VERBOSE,
)
