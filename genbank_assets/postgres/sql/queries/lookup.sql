-- name: record
SELECT l.record_id, l.accession_version, l.is_current, l.organism, l.length, encode(l.record_sha256, 'hex'),
       encode(l.sequence_sha256, 'hex'), l.first_release, l.last_release, l.last_file, l.raw_sha256, l.run_id,
       l.loaded_at::text, l.transaction_id,
       (SELECT count(*) FROM genbank.feature f WHERE f.record_id = l.record_id)
FROM genbank.record_lineage l
WHERE l.collection = %(collection)s AND l.accession = %(accession)s
  AND (%(division)s::text IS NULL OR l.section = %(division)s)
ORDER BY l.is_current DESC, l.record_id LIMIT 1;

-- name: last_states
SELECT l.collection, l.section, l.last_file_release, l.accession, l.version, l.accession_version, l.last_file,
       l.record_ordinal, l.record_offset, l.record_bytes, l.length, l.record_sha256, l.sequence_sha256,
    l.molecule_class
FROM genbank.record_lineage l WHERE l.accession = %s ORDER BY l.collection, l.section;

-- name: events
SELECT release, state, accession_version, previous_accession_version, encode(record_sha256, 'hex'), evidence, run_id,
       at::text
FROM genbank.record_event WHERE record_id = %s ORDER BY point, at;

-- name: changes
SELECT collection, section, release, state, accession, version, accession_version, previous_accession_version,
       evidence, run_id
FROM genbank.release_changes
WHERE (%(collection)s::text IS NULL OR collection = %(collection)s)
  AND (%(section)s::text IS NULL OR section = %(section)s)
  AND (%(releases)s::text[] IS NULL OR release = ANY (%(releases)s))
ORDER BY collection, section, genbank.release_key(release), state, accession;
