-- name: later_accessions
SELECT r.accession FROM genbank.record r
WHERE collection = %s AND section = %s AND is_current AND r.point > %s ORDER BY 1;

-- name: loaded_and_absent
-- A set difference instead of a join: for a table that has just grown the planner may estimate one row, and choose a nested
-- loop over all accessions. Records of later days are not in the release yet.
SELECT (SELECT count(*) FROM genbank.record
        WHERE collection = %(collection)s AND section = %(section)s AND is_current),
       count(*)
FROM (SELECT accession FROM genbank.record r
      WHERE collection = %(collection)s AND section = %(section)s AND is_current AND r.point <= %(point)s
      EXCEPT ALL SELECT accession FROM stage_accession) absent;

-- name: files
SELECT count(*)
FROM genbank.source_file
WHERE collection = %s AND section = %s AND release = %s AND replaced_at IS NULL;

-- name: absences
SELECT count(DISTINCT e.record_id) FILTER (WHERE e.state = 'absent' AND NOT r.is_current), count(DISTINCT
    e.record_id) FILTER (WHERE r.is_current AND (e.state IN ('new', 'returned') OR e.evidence LIKE 'moved from %%'))
FROM genbank.record_event e
JOIN genbank.record r USING (record_id)
WHERE r.collection = %s AND r.section = %s AND e.release = %s;
