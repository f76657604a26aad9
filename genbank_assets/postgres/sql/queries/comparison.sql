-- name: stage_expected
CREATE TEMP TABLE stage_expected (accession text, record_sha256 bytea, file integer) ON COMMIT DROP;

-- name: points
SELECT r.point, d.point
FROM genbank.release r
JOIN genbank.division d ON d.collection = r.collection AND d.section = %(section)s AND d.is_attached
WHERE r.collection = %(collection)s AND r.release = %(release)s;

-- name: ledger
SELECT name, raw_sha256, records, superseded, record_digest
FROM genbank.source_file
WHERE collection = %(collection)s AND section = %(section)s AND release = %(release)s AND replaced_at IS NULL;

-- name: rows
-- For each file, records that are not current and those with another digest. Records that another division has at a later
-- release have moved there.
SELECT e.file,
       count(*) FILTER (WHERE r.is_current IS NOT TRUE AND NOT EXISTS (
           SELECT FROM genbank.record o
           WHERE %(disjoint)s AND o.accession = e.accession AND o.collection = %(collection)s
             AND o.section <> %(section)s AND o.is_current AND o.point > %(point)s)),
       count(*) FILTER (WHERE r.is_current AND r.record_sha256 IS DISTINCT FROM e.record_sha256)
FROM stage_expected e
LEFT JOIN genbank.record r
    ON r.collection = %(collection)s AND r.section = %(section)s AND r.accession = e.accession
WHERE r.point IS NULL OR r.point <= %(point)s GROUP BY e.file;

-- name: unexpected
SELECT coalesce(f.name, ''), count(*)
FROM genbank.record r
LEFT JOIN genbank.source_file f USING (source_file_id)
WHERE r.collection = %(collection)s AND r.section = %(section)s AND r.is_current AND r.point <= %(point)s
  AND NOT EXISTS (SELECT FROM stage_expected e WHERE e.accession = r.accession) GROUP BY 1;

-- name: records_of_day
SELECT coalesce(sum(records), 0)::bigint
FROM genbank.source_file
WHERE collection = %s AND release = %s AND name LIKE 'daily/%%';
