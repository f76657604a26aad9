-- name: ledger
SELECT section, name, raw_sha256, code_version, records, records_new, records_sequence_changed,
    records_annotation_changed, records_unchanged, records_returned, records_kept
FROM genbank.source_file
WHERE collection = %s AND release = %s AND replaced_at IS NULL;

-- name: is_open
SELECT coalesce(bool_or(d.is_attached AND d.point < %(point)s), false)
FROM genbank.division d
WHERE d.collection = %(collection)s AND d.section = %(section)s;

-- name: bases
SELECT section, finished_release, point
FROM genbank.division
WHERE collection = %s AND finished_release IS NOT NULL ORDER BY section;

-- name: sections_of_accessions
SELECT DISTINCT r.accession, r.section
FROM genbank.record r
JOIN stage_accession s USING (accession)
WHERE r.collection = %s;
