-- name: points
-- The order of the existing releases: those without a date are placed where they were first loaded, and lower numbers come
-- first (see genbank.note_release).
CREATE TABLE genbank_next.old_point AS
SELECT r.*, CASE WHEN r.release ~ '\.[0-9]{8}$' THEN (coalesce(r.release_date, r.first_loaded_at::date)
                                                     - date '1970-01-01')::bigint * 4294967296
            ELSE ((max(coalesce(r.release_date, r.first_loaded_at::date)) FILTER (WHERE r.release !~ '\.[0-9]{8}$')
            OVER (
                       PARTITION BY r.collection ORDER BY r.release_major, r.release_minor)
                   - date '1970-01-01')::bigint * 2 + 1) * 2147483648
                 + r.release_major::bigint * 1000 + r.release_minor END AS point
FROM genbank.release r;

-- name: record
-- A state is at the position of the newest release that has it; an absent one, at that of the release that lacks it.
SELECT {columns}, coalesce(greatest(o.point, a.point), 0), coalesce(p.source_file_id, 0), coalesce(p.record_offset,
    0),
       coalesce(p.record_bytes, 0), coalesce(p.record_ordinal, 0), CASE WHEN NOT r.is_current THEN p.last_release END
FROM genbank.record r LEFT JOIN genbank.record_presence p USING (record_id)
     LEFT JOIN genbank_next.old_point o ON o.collection = r.collection AND o.release = p.last_release
     LEFT JOIN LATERAL (
         SELECT max(l.point) AS point
         FROM genbank.record_event e JOIN genbank_next.old_point l USING (collection, release)
         WHERE e.record_id = r.record_id AND e.state = 'absent' AND NOT r.is_current) a ON true;

-- name: event
SELECT {columns}, o.point FROM genbank.record_event r LEFT JOIN genbank_next.old_point o USING (collection, release);

-- name: part
SELECT r.collection, r.section, {columns} FROM genbank.{table} t JOIN genbank.record r USING (record_id);
