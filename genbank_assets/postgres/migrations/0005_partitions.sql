-- 4 -> 5: record, feature, reference and record_event partitioned by collection and section; states in the order of their
-- points; places in record itself. The tables are made anew beside the old ones and filled division by division
-- (repartition.py); what follows runs in the transaction that puts them in place of the old ones, and fills the small ones.
INSERT INTO genbank_next.release (collection, release, release_major, release_minor, first_loaded_at, release_date, point)
    SELECT collection, release, release_major, release_minor, first_loaded_at, release_date, point
    FROM genbank_next.old_point;
INSERT INTO genbank_next.division_release (collection, section, release, input_digest, files, records, run_id, finished_at)
    SELECT collection, section, release, input_digest, files, records, run_id, finished_at FROM genbank.division_release;
INSERT INTO genbank_next.source_file (
        source_file_id, collection, release, section, name, raw_sha256, records, quarantined, residues, run_id,
        loaded_at, transaction_id, code_version, superseded, records_new, records_sequence_changed,
        records_annotation_changed, records_unchanged, records_returned, records_kept, rows_copied, rows_merged,
        sql_statements)
    SELECT source_file_id, collection, release, section, name, raw_sha256, records, quarantined, residues, run_id,
           loaded_at, transaction_id, code_version, superseded, records_new, records_sequence_changed,
           records_annotation_changed, records_unchanged, records_returned, records_kept, rows_copied, rows_merged,
           sql_statements
    FROM genbank.source_file;
INSERT INTO genbank_next.division (
        collection, section, release, point, input_digest, is_attached, finished_release, finished_point)
    SELECT DISTINCT ON (a.collection, a.section)
           a.collection, a.section, a.release, p.point, coalesce(f.input_digest, ''), true, f.release, f.point
    FROM (SELECT collection, section, release FROM genbank.source_file WHERE release !~ '\.[0-9]{8}$'
          UNION SELECT collection, section, release FROM genbank.division_release) a
         JOIN genbank_next.old_point p USING (collection, release)
         LEFT JOIN LATERAL (
             SELECT d.release, d.input_digest, o.point
             FROM genbank.division_release d JOIN genbank_next.old_point o USING (collection, release)
             WHERE d.collection = a.collection AND d.section = a.section ORDER BY o.point DESC LIMIT 1) f ON true
    ORDER BY a.collection, a.section, p.point DESC;
SELECT setval(pg_get_serial_sequence('genbank_next.source_file', 'source_file_id'),
              greatest((SELECT max(source_file_id) FROM genbank.source_file), 1));
SELECT setval('genbank_next.record_number', greatest((SELECT max(record_id) FROM genbank.record), 1));
