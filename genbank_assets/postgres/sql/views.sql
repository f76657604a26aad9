-- Views, created by CREATE OR REPLACE: columns are only appended, so that users' views on them are kept.
-- Braces are replaced by the columns of the record table, except for release.
CREATE OR REPLACE VIEW genbank.current_record AS
    SELECT r.record_id, r.section, r.molecule_class, {current_record_columns},
           d.finished_release AS release_loaded, r.release AS release_of_last_change,
           f.release AS file_release, f.name AS file_name, r.record_offset, r.record_bytes, r.record_ordinal
    FROM genbank.record r JOIN genbank.division d USING (collection, section)
         LEFT JOIN genbank.source_file f USING (source_file_id)
    WHERE r.is_current;
CREATE OR REPLACE VIEW genbank.current_feature AS
    SELECT f.record_id, f.collection, f.section, r.accession_version, f.ordinal, f.key, f.location, f.operator,
           f.start_position, f.end_position, f.strand, f.partial_start, f.partial_end, f.spans_origin, f.qualifiers,
           left(f.gene, 255) AS gene, left(f.locus_tag, 255) AS locus_tag, left(f.product, 255) AS product,
           f.db_xrefs, f.further_names
    FROM genbank.feature f JOIN genbank.record r USING (record_id, collection, section)
    WHERE r.is_current;
CREATE OR REPLACE VIEW genbank.current_reference AS
    SELECT f.record_id, f.collection, f.section, r.accession_version, f.ordinal, f.number, f.location, f.authors,
           f.consortium, f.title, f.journal, f.medline, f.pubmed, f.remark
    FROM genbank.reference f JOIN genbank.record r USING (record_id, collection, section)
    WHERE r.is_current;
CREATE OR REPLACE VIEW genbank.release_changes AS
    SELECT accession, version, accession_version, state, release, collection, section, previous_accession_version,
           encode(record_sha256, 'hex') AS record_sha256, evidence, run_id, at, record_id
    FROM genbank.record_event;
CREATE OR REPLACE VIEW genbank.record_lineage AS
    SELECT r.record_id, r.section, r.is_current, r.molecule_class, {record_columns}, r.release, r.code_version,
           (SELECT e.release FROM genbank.record_event e
            WHERE e.record_id = r.record_id AND e.collection = r.collection ORDER BY e.point, e.at LIMIT 1)
               AS first_release,
           CASE WHEN r.is_current AND r.point <= d.finished_point THEN d.finished_release
                WHEN r.is_current THEN f.release
                ELSE coalesce(r.last_release, f.release) END AS last_release,
           f.name AS last_file, f.raw_sha256, f.run_id, f.loaded_at, f.transaction_id,
           r.record_offset, r.record_bytes, r.record_ordinal, f.release AS last_file_release
    FROM genbank.record r LEFT JOIN genbank.division d USING (collection, section)
         LEFT JOIN genbank.source_file f USING (source_file_id);
-- Views that replace tables of earlier versions.
CREATE OR REPLACE VIEW genbank.record_presence AS
    SELECT record_id, first_release, last_release, source_file_id, record_offset, record_bytes, record_ordinal,
           collection, section
    FROM (SELECT l.record_id, l.first_release, l.last_release, r.source_file_id, l.record_offset, l.record_bytes,
                 l.record_ordinal, l.collection, l.section
          FROM genbank.record_lineage l JOIN genbank.record r USING (record_id, collection, section)) places;
CREATE OR REPLACE VIEW genbank.sequence AS
    SELECT DISTINCT sequence_sha256, molecule_class, length FROM genbank.record WHERE sequence_sha256 IS NOT NULL;
