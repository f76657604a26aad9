"""Columns of the tables derived from features: samples and coding sequences.

Filling them belongs to ``samples`` and ``cds``. Qualifiers have the names of the feature table definition (FT).
"""

from __future__ import annotations

import pyarrow as pa

from genbank_assets.schema.tables import RECORD_COLUMNS, TEXT, Column

_NAMES = ("accession", "accession_version", "collection", "section", "release", "source_file", "record_ordinal")
_RECORD = (
    *(column for name in _NAMES for column in RECORD_COLUMNS if column.name == name),
    Column("feature_ordinal", pa.int32(), False, "0-based position of the feature in its record"),
)
SAMPLE_COLUMNS: tuple[Column, ...] = (
    *_RECORD,
    Column("location", TEXT, False, "The part of the record that the source describes, as written"),
    Column("taxon_id", pa.int64(), True, "NCBI taxon of this source (/db_xref)"),
    Column("organism", TEXT, True, "/organism"),
    Column("organelle", TEXT, True, "/organelle"),
    Column("molecule_type", TEXT, True, "/mol_type"),
    Column("strain", TEXT, True, "/strain"),
    Column("isolate", TEXT, True, "/isolate"),
    Column("host", TEXT, True, "/host; null for a term that says it is missing"),
    Column("isolation_source", TEXT, True, "/isolation_source; null for a term that says it is missing"),
    Column("country", TEXT, True, "Country or sea: what stands before the colon of /geo_loc_name or /country"),
    Column("region", TEXT, True, "What stands behind the colon, up to the first comma"),
    Column("locality", TEXT, True, "What stands behind that comma"),
    Column("latitude", pa.float64(), True, "Degrees north, of /lat_lon"),
    Column("longitude", pa.float64(), True, "Degrees east, of /lat_lon"),
    Column("collected_from", pa.date32(), True, "First day that /collection_date may mean"),
    Column("collected_to", pa.date32(), True, "Last day that it may mean"),
    Column("collection_precision", TEXT, True, "What is known: year, month, day or time; of a range, the coarser end"),
    Column("specimen_voucher", TEXT, True, "/specimen_voucher"),
    Column("culture_collection", TEXT, True, "/culture_collection"),
    Column("is_environmental", pa.bool_(), False, "Whether /environmental_sample is there"),
    Column("geo_loc_name", TEXT, True, "/geo_loc_name or the older /country as written"),
    Column("lat_lon", TEXT, True, "/lat_lon as written"),
    Column("collection_date", TEXT, True, "/collection_date as written"),
    Column("host_missing", TEXT, True, "The term by which /host says why it is missing"),
    Column("isolation_source_missing", TEXT, True, "The same of /isolation_source"),
    Column("geo_loc_name_missing", TEXT, True, "The same of /geo_loc_name or /country"),
    Column("lat_lon_missing", TEXT, True, "The same of /lat_lon"),
    Column("collection_date_missing", TEXT, True, "The same of /collection_date"),
)
SAMPLE_SCHEMA = pa.schema([pa.field(c.name, c.type, c.nullable) for c in SAMPLE_COLUMNS])

CDS_COLUMNS: tuple[Column, ...] = (
    *_RECORD,
    Column("protein_id", TEXT, True, "/protein_id"),
    Column("product", TEXT, True, "First /product"),
    Column("gene", TEXT, True, "/gene"),
    Column("locus_tag", TEXT, True, "/locus_tag"),
    Column("codon_start", pa.int8(), False, "Residue of the first codon, from 1 (/codon_start)"),
    Column("genetic_code", pa.int16(), False, "NCBI genetic code (/transl_table, 1 where it is not given)"),
    Column("location", TEXT, False, "Location as written"),
    Column("operator", TEXT, True, "join or order; null for a single span"),
    Column("start", pa.int64(), True, "Lowest residue"),
    Column("end", pa.int64(), True, "Highest residue"),
    Column("strand", pa.int8(), True, "1 or -1; null where spans disagree"),
    Column("partial_start", pa.bool_(), False, "Whether it goes on below its lowest residue"),
    Column("partial_end", pa.bool_(), False, "Whether it goes on above its highest residue"),
    Column("span_starts", pa.list_(pa.int64()), False, "First residue of each span, in reading order"),
    Column("span_ends", pa.list_(pa.int64()), False, "Last residue of each span"),
    Column("span_strands", pa.list_(pa.int8()), False, "Strand of each span"),
    Column("exception", TEXT, True, "/exception, or ribosomal slippage or trans-splicing where a qualifier says so"),
    Column("is_pseudo", pa.bool_(), False, "Whether /pseudo or /pseudogene is there"),
    Column("translation", TEXT, True, "/translation as given; null where there is none"),
    Column("translation_check", TEXT, False, "same, or why the translation of the spans is another or was not made"),
)
CDS_SCHEMA = pa.schema([pa.field(c.name, c.type, c.nullable) for c in CDS_COLUMNS])
