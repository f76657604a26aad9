-- 3 -> 4: second and later names of a feature, to be searched too; room in record_presence for its rows to change in place,
-- which every release does to all of them.
ALTER TABLE genbank.feature ADD COLUMN further_names text[];
UPDATE genbank.feature f SET further_names = names
    FROM (SELECT record_id, ordinal, array_agg(key || '=' || value ORDER BY key, place) AS names
          FROM (SELECT o.record_id, o.ordinal, q.place, q.pair ->> 0 AS key, q.pair ->> 1 AS value,
                       row_number() OVER (PARTITION BY o.record_id, o.ordinal, q.pair ->> 0 ORDER BY q.place) AS nth
                FROM genbank.feature o, jsonb_array_elements(o.qualifiers) WITH ORDINALITY q (pair, place)
                WHERE q.pair ->> 0 IN ('gene', 'locus_tag', 'product') AND q.pair ->> 1 IS NOT NULL) named
          WHERE nth > 1 AND octet_length(value) <= 1000
          GROUP BY record_id, ordinal) further
    WHERE f.record_id = further.record_id AND f.ordinal = further.ordinal;
CREATE INDEX feature_further_name ON genbank.feature USING gin (further_names) WHERE further_names IS NOT NULL;
ALTER TABLE genbank.record_presence SET (fillfactor = 45);
