-- All indexes of the partitioned tables, one per line, each below its purpose; docs/database.md has their costs. They are
-- created for a partition at the end of its first load. None has long runs of equal values, and none fails on long values:
-- names are indexed by their first 255 characters.
-- A record by id, from feature, reference and record_event.
CREATE UNIQUE INDEX record_pkey ON genbank.record (record_id, collection, section);
-- A record by accession; covers the columns compared by a load, so that an update does not read the rows.
CREATE UNIQUE INDEX record_accession ON genbank.record (accession, section, collection) INCLUDE (record_id, point, is_current, code_version, record_sha256);
-- A record by accession.version.
CREATE INDEX record_accession_version ON genbank.record (accession_version);
-- Records by residues.
CREATE INDEX record_sequence ON genbank.record (sequence_sha256);
-- Records of a taxon.
CREATE INDEX record_taxon ON genbank.record (taxon_id);
-- Records of a clade, by any name of their lineage.
CREATE INDEX record_taxonomy ON genbank.record USING gin (taxonomy);
-- Records of an organism: genbank.records_of_organism(), current_record.
CREATE INDEX record_organism ON genbank.record (left(organism, 255));
-- Records of a division code updated since a date.
CREATE INDEX record_division_date ON genbank.record (division, update_date);
-- Absent records, which may return or move to another division.
CREATE INDEX record_absent ON genbank.record (accession) WHERE NOT is_current;
-- Features of a record in order, or within an interval.
CREATE UNIQUE INDEX feature_pkey ON genbank.feature (record_id, ordinal, collection, section);
-- Features by name: genbank.features_with(), current_feature.
CREATE INDEX feature_gene ON genbank.feature (left(gene, 255)) WHERE gene IS NOT NULL;
CREATE INDEX feature_locus_tag ON genbank.feature (left(locus_tag, 255)) WHERE locus_tag IS NOT NULL;
CREATE INDEX feature_product ON genbank.feature (left(product, 255)) WHERE product IS NOT NULL;
CREATE INDEX feature_db_xref ON genbank.feature USING gin (db_xrefs) WHERE db_xrefs IS NOT NULL;
CREATE INDEX feature_further_name ON genbank.feature USING gin (further_names) WHERE further_names IS NOT NULL;
-- References of a record in order.
CREATE UNIQUE INDEX reference_pkey ON genbank.reference (record_id, ordinal, collection, section);
-- History of a record.
CREATE UNIQUE INDEX record_event_pkey ON genbank.record_event (record_id, release, state, collection, section);
-- Changes of a release.
CREATE INDEX record_event_release ON genbank.record_event (release, state);
-- History of an accession, also for records_as_of().
CREATE INDEX record_event_accession ON genbank.record_event (accession);
