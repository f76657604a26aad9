"""Columns of the record tables, the single source for everything that depends on them.

The Parquet schema, the PostgreSQL DDL and its comments, Dagster's column schema and the data dictionary are derived
from this list. To add a column, add it here and fill it in the scanner. The format is cited as "gbrel §x" (GenBank
release notes) and "FT" (the INSDC feature table definition).
"""

from __future__ import annotations

import dataclasses

import pyarrow as pa

TEXT = pa.string()
DIGEST = pa.binary(32)

SPAN = pa.struct(
    [
        pa.field("accession", TEXT),  # accession.version of another record; null for this one
        pa.field("start", pa.int64()),  # 1-based, inclusive; null for gap()
        pa.field("end", pa.int64()),
        pa.field("strand", pa.int8()),  # 1 or -1
        pa.field("partial_start", pa.bool_()),  # "<" (or ">") before the lower coordinate
        pa.field("partial_end", pa.bool_()),
        pa.field("kind", TEXT),  # range | base | between | within | gap | unparsed
    ]
)
QUALIFIER = pa.struct([pa.field("key", TEXT), pa.field("value", TEXT)])
FEATURE = pa.struct(
    [
        pa.field("key", TEXT),
        pa.field("location", TEXT),
        pa.field("operator", TEXT),  # join | order | bond | one-of; null for a single span
        pa.field("start", pa.int64()),
        pa.field("end", pa.int64()),
        pa.field("strand", pa.int8()),  # 1, -1; null when spans disagree or the location is unreadable
        pa.field("partial_start", pa.bool_()),
        pa.field("partial_end", pa.bool_()),
        pa.field("spans_origin", pa.bool_()),
        pa.field("spans", pa.list_(SPAN)),
        pa.field("qualifiers", pa.list_(QUALIFIER)),
    ]
)
REFERENCE = pa.struct(
    [
        pa.field("number", pa.int32()),
        pa.field("location", TEXT),  # text in parentheses: "bases 1 to 68450", "sites", "residues 1 to 64"
        pa.field("authors", TEXT),
        pa.field("consortium", TEXT),
        pa.field("title", TEXT),
        pa.field("journal", TEXT),
        pa.field("medline", TEXT),
        pa.field("pubmed", TEXT),
        pa.field("remark", TEXT),
    ]
)
DBLINK = pa.struct([pa.field("key", TEXT), pa.field("value", TEXT)])
STRUCTURED_COMMENT = pa.struct([pa.field("name", TEXT), pa.field("items", pa.list_(QUALIFIER))])
OTHER_LINE = pa.struct([pa.field("keyword", TEXT), pa.field("text", TEXT)])  # keyword "": a line without one
WGS_RANGE = pa.struct([pa.field("key", TEXT), pa.field("value", TEXT)])


@dataclasses.dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: column name.
        type: Arrow type.
        nullable: whether it may be null.
        meaning: one-line description, for comments and the data dictionary.
    """

    name: str
    type: pa.DataType
    nullable: bool
    meaning: str


RECORD_COLUMNS: tuple[Column, ...] = (
    Column(
        "accession", TEXT, False, "Primary accession (ACCESSION, first token); the LOCUS name where ACCESSION is absent"
    ),
    Column("version", pa.int32(), True, "Version number after the dot of VERSION; null where the line has none"),
    Column(
        "accession_version", TEXT, False, "accession.version as written; the accession alone where there is no version"
    ),
    Column("locus_name", TEXT, False, "Name on the LOCUS line; neither stable nor unique (gbrel §3.4.4)"),
    Column("collection", TEXT, False, "genbank or refseq; empty for files parsed outside a collection"),
    Column(
        "section",
        TEXT,
        False,
        "Partition of the file: division of GenBank (phg), section of RefSeq (viral), or daily; empty outside a store",
    ),
    Column("division", TEXT, True, "Division code on the LOCUS line, such as PHG; null where blank"),
    Column(
        "molecule_type", TEXT, True, "Molecule type on the LOCUS line without its strand prefix: DNA, RNA, mRNA ..."
    ),
    Column("strandedness", TEXT, True, "ss, ds or ms, where the LOCUS line says so"),
    Column("topology", TEXT, True, "linear or circular; null in layouts that do not say"),
    Column("update_date", pa.date32(), True, "Date on the LOCUS line: last substantial change"),
    Column("length", pa.int64(), False, "Length on the LOCUS line, in length_unit"),
    Column("length_unit", TEXT, False, "bp, aa, or rc (a master record that counts records, gbrel §3.4.4)"),
    Column("definition", TEXT, True, "DEFINITION as one line, without its final period"),
    Column(
        "secondary_accessions",
        pa.list_(TEXT),
        False,
        "Further tokens of ACCESSION in order; ranges A-B kept as written",
    ),
    Column("dblinks", pa.list_(DBLINK), False, "DBLINK (or PROJECT) entries: database and identifier"),
    Column("keywords", pa.list_(TEXT), False, "KEYWORDS in order; empty for a lone period"),
    Column("segment", TEXT, True, "SEGMENT line (obsolete since 2017)"),
    Column("dbsource", TEXT, True, "DBSOURCE of protein records, line breaks kept"),
    Column("source", TEXT, True, "SOURCE line: organelle, common name; without the period that ends it"),
    Column("organism", TEXT, True, "Scientific name (ORGANISM)"),
    Column("taxonomy", pa.list_(TEXT), False, "Lineage below ORGANISM, root first"),
    Column("taxon_id", pa.int64(), True, "NCBI taxon of the first source feature"),
    Column("taxon_ids", pa.list_(pa.int64()), False, "Taxa of all source features in order, each once"),
    Column("references", pa.list_(REFERENCE), False, "REFERENCE blocks in order"),
    Column("comment", TEXT, True, "All COMMENT text, line breaks kept"),
    Column("structured_comments", pa.list_(STRUCTURED_COMMENT), False, "##Name-START## blocks of the comment"),
    Column("primary", TEXT, True, "PRIMARY block of third-party annotation, line breaks kept"),
    Column("contig", TEXT, True, "CONTIG: how the record is built from others, without white space"),
    Column("wgs_ranges", pa.list_(WGS_RANGE), False, "WGS, WGS_SCAFLD, TSA and TLS lines of master records"),
    Column("features", pa.list_(FEATURE), False, "Feature table in order (FT)"),
    Column(
        "other_lines",
        pa.list_(OTHER_LINE),
        True,
        "Text that has no column, by keyword: GI, BASE COUNT, text behind ORIGIN; null in tables of version 0.1.0",
    ),
    Column("notes", pa.list_(TEXT), False, "What the reader found odd but could keep, or had to guess, in words"),
    Column("gc_fraction", pa.float64(), True, "(G+C+S)/(A+C+G+T+U+W+S) of the residues; null without nucleotides"),
    Column(
        "sequence_sha256", DIGEST, True, "SHA-256 of the residues in upper case; null for a record without residues"
    ),
    Column("record_sha256", DIGEST, False, "SHA-256 of the record's text, LOCUS to // with its line end"),
    Column("release", TEXT, False, "Release as NCBI writes it; empty for files parsed outside a release"),
    Column("source_file", TEXT, False, "Name of the file the record was read from"),
    Column("record_offset", pa.int64(), False, "Byte of the L of LOCUS in the uncompressed file"),
    Column("record_bytes", pa.int64(), False, "Bytes from there through the line of //"),
    Column("record_ordinal", pa.int64(), False, "0-based position among the file's LOCUS blocks"),
)
RECORD_SCHEMA = pa.schema([pa.field(c.name, c.type, c.nullable) for c in RECORD_COLUMNS])

_OF_A_PARTITION: tuple[Column, ...] = (
    Column("collection", TEXT, False, "genbank or refseq; empty outside of a store"),
    Column("section", TEXT, False, "Division of GenBank or section of RefSeq: the partition"),
    Column("release", TEXT, False, "Release of the table, as NCBI writes it"),
)
SEQUENCE_COLUMNS: tuple[Column, ...] = (
    Column("record_ordinal", pa.int64(), False, "The record in the same file's record table"),
    Column("chunk_ordinal", pa.int32(), False, "0-based position of the chunk in its sequence"),
    Column("accession_version", TEXT, False, "The record, together with collection and section"),
    Column("sequence_sha256", DIGEST, False, "SHA-256 of the whole sequence in upper case, also on each of its chunks"),
    *_OF_A_PARTITION,
    Column("residues", TEXT, False, "Residues in upper case; at most a few MiB"),
)
SEQUENCE_SCHEMA = pa.schema([pa.field(c.name, c.type, c.nullable) for c in SEQUENCE_COLUMNS])
# Output of the scanner: chunks are emitted before their record ends, when its digest is not yet known.
CHUNK_SCHEMA = pa.schema([SEQUENCE_SCHEMA.field(name) for name in ("record_ordinal", "chunk_ordinal", "residues")])

QUARANTINE_COLUMNS: tuple[Column, ...] = (
    Column("source_file", TEXT, False, "Name of the file"),
    Column("record_offset", pa.int64(), False, "Byte of the block's first character in the uncompressed file"),
    Column("record_bytes", pa.int64(), False, "Bytes of the block"),
    Column("record_ordinal", pa.int64(), False, "0-based position among the file's LOCUS blocks"),
    Column("line", pa.int64(), False, "1-based line at which the reason was found"),
    Column("accession", TEXT, True, "Accession, or LOCUS name, if legible"),
    Column("reason", TEXT, False, "Why the block is not a row"),
    Column("raw_text", pa.binary(), False, "The block's first bytes, at most 64 KiB"),
)
QUARANTINE_SCHEMA = pa.schema([pa.field(c.name, c.type, c.nullable) for c in QUARANTINE_COLUMNS])

UNIQUE_SEQUENCE_COLUMNS: tuple[Column, ...] = (
    Column("sequence_sha256", DIGEST, False, "SHA-256 of the residues in upper case"),
    Column("molecule_class", TEXT, False, "nucleotide or protein; part of the identity"),
    Column("length", pa.int64(), False, "Residues"),
    Column("member_count", pa.int64(), False, "Records of the division with these residues"),
    Column("representative_accession_version", TEXT, False, "The member that comes first by accession and version"),
    Column("representative_source_file", TEXT, False, "Raw file of the representative"),
    Column("representative_record_ordinal", pa.int64(), False, "Its position in that file"),
    *_OF_A_PARTITION,
)
UNIQUE_SEQUENCE_SCHEMA = pa.schema([pa.field(c.name, c.type, c.nullable) for c in UNIQUE_SEQUENCE_COLUMNS])

MEMBERSHIP_COLUMNS: tuple[Column, ...] = (
    Column("accession", TEXT, False, "Primary accession; the table is sorted by it"),
    Column("version", pa.int32(), True, "Version number"),
    Column("accession_version", TEXT, False, "accession.version as written"),
    Column("source_file", TEXT, False, "Raw file of the record"),
    Column("record_ordinal", pa.int64(), False, "0-based position among the file's LOCUS blocks"),
    Column("record_offset", pa.int64(), False, "Byte of the L of LOCUS in the uncompressed file"),
    Column("record_bytes", pa.int64(), False, "Bytes from there through the line of //"),
    Column("length", pa.int64(), False, "Length on the LOCUS line"),
    Column("record_sha256", DIGEST, False, "SHA-256 of the record's text"),
    Column("sequence_sha256", DIGEST, True, "SHA-256 of the residues; null for a record without residues"),
    Column("molecule_class", TEXT, False, "nucleotide or protein"),
    Column("is_representative", pa.bool_(), False, "Whether the record stands for its sequence"),
    *_OF_A_PARTITION,
)
MEMBERSHIP_SCHEMA = pa.schema([pa.field(c.name, c.type, c.nullable) for c in MEMBERSHIP_COLUMNS])

EVIDENCE_COLUMNS: tuple[Column, ...] = (
    Column("accession", TEXT, False, "Accession without version, as the list has it, in upper case"),
    Column("list", TEXT, False, "gbdel, gbnew or gbchg; removed-records with the kind of removal (RefSeq)"),
    Column("source_file", TEXT, False, "Name of NCBI's list"),
)
EVIDENCE_SCHEMA = pa.schema([pa.field(c.name, c.type, c.nullable) for c in EVIDENCE_COLUMNS])

OBJECT_COLUMNS: tuple[Column, ...] = (
    Column("sequence_sha256", DIGEST, False, "SHA-256 of the residues in upper case; the table is sorted by it"),
    Column("molecule_class", TEXT, False, "nucleotide or protein"),
    Column("length", pa.int64(), False, "Residues"),
    Column("key", TEXT, False, "Object with the sequence, below the set's root"),
    Column("offset", pa.int64(), False, "Byte of the object at which the sequence's bytes begin"),
    Column("bytes", pa.int64(), False, "Bytes of the sequence in the object"),
    Column("encoding", TEXT, False, "identity (the residues as they are) or zstd (one frame of a pack)"),
    Column("object_bytes", pa.int64(), False, "Bytes of the whole object"),
    Column("object_sha256", DIGEST, False, "SHA-256 of the whole object"),
    Column("etag", TEXT, True, "ETag the store gave the object; null where it gives none"),
    Column("refget", TEXT, True, "GA4GH refget digest (SQ. and sha512t24u); null where the setting is off"),
)
OBJECT_SCHEMA = pa.schema([pa.field(c.name, c.type, c.nullable) for c in OBJECT_COLUMNS])
