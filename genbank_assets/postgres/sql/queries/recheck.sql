-- name: tables
CREATE TEMP TABLE again_record (LIKE genbank.record) ON COMMIT DROP;
CREATE TEMP TABLE again_feature (LIKE genbank.feature) ON COMMIT DROP;
CREATE TEMP TABLE again_reference (LIKE genbank.reference) ON COMMIT DROP;

-- name: columns
SELECT here.key FROM genbank.record r, again_record a, jsonb_each(to_jsonb(r)) here, jsonb_each(to_jsonb(a)) again
WHERE r.record_id = %(record_id)s AND here.key = again.key AND here.value IS DISTINCT FROM again.value
  AND here.key <> ALL (%(left_out)s) ORDER BY here.key;

-- name: features
SELECT count(*) FROM (SELECT * FROM genbank.feature WHERE record_id = %(record_id)s) here
FULL JOIN again_feature again USING (ordinal)
WHERE to_jsonb(here) - 'section' IS DISTINCT FROM to_jsonb(again) - 'section';

-- name: references
SELECT count(*) FROM (SELECT * FROM genbank.reference WHERE record_id = %(record_id)s) here
FULL JOIN again_reference again USING (ordinal)
WHERE to_jsonb(here) - 'section' IS DISTINCT FROM to_jsonb(again) - 'section';
