-- Every index of the partitioned tables, one a line: what it is for stands above it, what it costs in docs/database.md.
-- A partition gets them when its first load has ended. None has a chain of equal values to walk, and none refuses a long
-- value: names are indexed by their first 255 characters.
-- A record by its number: from feature, reference, record_event.
CREATE UNIQUE INDEX record_pkey ON genbank.record (record_id, collection, section);
-- A record by its accession; with what a load compares, so that an update reads this and not the rows.
CREATE UNIQUE INDEX record_accession ON genbank.record (accession, section, collection) INCLUDE (record_id, point, is_current, code_version, record_sha256);
-- A record by accession.version.
CREATE INDEX record_accession_version ON genbank.record (accession_version);
-- The records that have these residues.
CREATE INDEX record_sequence ON genbank.record (sequence_sha256);
-- The records of a taxon.
CREATE INDEX record_taxon ON genbank.record (taxon_id);
-- The records of a clade, by any name of their lineage.
CREATE INDEX record_taxonomy ON genbank.record USING gin (taxonomy);
-- The records of an organism: genbank.records_of_organism(), current_record.
CREATE INDEX record_organism ON genbank.record (left(organism, 255));
-- What changed in a division code since a date.
CREATE INDEX record_division_date ON genbank.record (division, update_date);
-- Records that are absent: where a new one may have been before.
CREATE INDEX record_absent ON genbank.record (accession) WHERE NOT is_current;
-- The features of a record, in order, or those of an interval.
CREATE UNIQUE INDEX feature_pkey ON genbank.feature (record_id, ordinal, collection, section);
-- Features by name: genbank.features_with(), current_feature.
CREATE INDEX feature_gene ON genbank.feature (left(gene, 255)) WHERE gene IS NOT NULL;
CREATE INDEX feature_locus_tag ON genbank.feature (left(locus_tag, 255)) WHERE locus_tag IS NOT NULL;
CREATE INDEX feature_product ON genbank.feature (left(product, 255)) WHERE product IS NOT NULL;
CREATE INDEX feature_db_xref ON genbank.feature USING gin (db_xrefs) WHERE db_xrefs IS NOT NULL;
CREATE INDEX feature_further_name ON genbank.feature USING gin (further_names) WHERE further_names IS NOT NULL;
-- The references of a record, in order.
CREATE UNIQUE INDEX reference_pkey ON genbank.reference (record_id, ordinal, collection, section);
-- The history of a record.
CREATE UNIQUE INDEX record_event_pkey ON genbank.record_event (record_id, release, state, collection, section);
-- What a release changed.
CREATE INDEX record_event_release ON genbank.record_event (release, state);
-- The history of an accession; records_as_of() for one.
CREATE INDEX record_event_accession ON genbank.record_event (accession);
