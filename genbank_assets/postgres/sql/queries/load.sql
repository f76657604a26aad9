-- name: stage_key
CREATE TEMP TABLE stage_key (
    record_ordinal bigint, accession text, version integer, accession_version text, record_sha256 bytea,
    sequence_sha256 bytea, molecule_class text, length bigint, record_offset bigint, record_bytes bigint)
    ON COMMIT DROP;

-- name: stage_accession
CREATE TEMP TABLE stage_accession (accession text) ON COMMIT DROP;

-- name: stage_evidence
CREATE TEMP TABLE stage_evidence (accession text, list text, source_file text) ON COMMIT DROP;

-- name: note_division_release
INSERT INTO genbank.division_release (collection, section, release, input_digest, files, records, record_digest,
    run_id)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
ON CONFLICT (collection, section, release) DO UPDATE
SET input_digest = excluded.input_digest, files = excluded.files, records = excluded.records, record_digest =
    excluded.record_digest, run_id = excluded.run_id, finished_at = now();

-- name: note_finished
UPDATE genbank.division
SET finished_release = release, finished_point = point
WHERE collection = %s AND section = %s AND release = %s;

-- name: states
SELECT coalesce(sum(superseded), 0)::bigint, coalesce(sum(records_new), 0)::bigint,
    coalesce(sum(records_sequence_changed), 0)::bigint, coalesce(sum(records_annotation_changed), 0)::bigint,
    coalesce(sum(records_unchanged), 0)::bigint, coalesce(sum(records_returned), 0)::bigint
FROM genbank.source_file
WHERE collection = %s AND section = %s AND release = %s AND replaced_at IS NULL;

-- name: absent
SELECT count(*)
FROM genbank.record_event
WHERE collection = %s AND section = %s AND release = %s AND state = 'absent';

-- name: totals_of_table
SELECT count(*), bit_xor(('x' || encode(record_sha256, 'hex'))::bit(256))::text FROM genbank.{name};

-- name: grown_tables
SELECT c.oid::regclass::text
FROM pg_class c, current_setting('block_size') b, lateral (
    SELECT pg_relation_size(c.oid) / b::bigint - c.relallvisible AS unseen,
        greatest(c.relpages - c.relallvisible, 0) AS left_by_the_last) pages
WHERE c.oid = ANY (%s::regclass[]) AND unseen >= 2 * left_by_the_last AND unseen * b::bigint >= %s
ORDER BY 1;
