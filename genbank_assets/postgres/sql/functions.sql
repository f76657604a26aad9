-- Functions for users.
CREATE OR REPLACE FUNCTION genbank.release_key(release text) RETURNS integer[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN string_to_array(release, '.')::integer[];
CREATE OR REPLACE FUNCTION genbank.daily_date(release text) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN CASE WHEN release ~ '\.[0-9]{8}$' THEN make_date(
        substr(right(release, 8), 1, 4)::integer, substr(right(release, 8), 5, 2)::integer, right(release, 2)::integer)
    END;
-- The order of states: by date; on the same date days come before releases, and releases are ordered by number.
CREATE OR REPLACE FUNCTION genbank.point_of(on_date date, release_major integer, release_minor integer) RETURNS bigint
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN ((on_date - date '1970-01-01')::bigint * 2 + (release_major IS NOT NULL)::integer) * 2147483648
           + coalesce(release_major, 0)::bigint * 1000 + coalesce(release_minor, 0);
CREATE OR REPLACE FUNCTION genbank.date_of_point(point bigint) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN date '1970-01-01' + (point / 4294967296)::integer;
-- Position of a release, or of a day based on one, in the order of states; an error if it was never loaded.
CREATE OR REPLACE FUNCTION genbank.release_point(wanted_collection text, wanted_release text) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
DECLARE
    found bigint := (SELECT r.point FROM genbank.release r
                     WHERE r.collection = wanted_collection AND r.release = wanted_release);
BEGIN
    IF found IS NULL AND wanted_release ~ '^[0-9.]+\.[0-9]{8}$' AND EXISTS (
            SELECT FROM genbank.release r
            WHERE r.collection = wanted_collection AND r.release = left(wanted_release, -9)) THEN
        found := genbank.point_of(genbank.daily_date(wanted_release), NULL, NULL);
    END IF;
    IF found IS NULL THEN
        RAISE EXCEPTION 'release % of % was never loaded', wanted_release, wanted_collection
            USING ERRCODE = 'no_data_found', HINT = 'Releases that were: SELECT release FROM genbank.release.';
    END IF;
    RETURN found;
END $$;
CREATE OR REPLACE FUNCTION genbank.features_with(qualifier text, wanted text) RETURNS SETOF genbank.feature
    LANGUAGE sql STABLE AS $$
        SELECT f.* FROM genbank.feature f
            WHERE qualifier = 'gene' AND left(f.gene, 255) = left(wanted, 255) AND f.gene = wanted
        UNION ALL SELECT f.* FROM genbank.feature f
            WHERE qualifier = 'locus_tag' AND left(f.locus_tag, 255) = left(wanted, 255) AND f.locus_tag = wanted
        UNION ALL SELECT f.* FROM genbank.feature f
            WHERE qualifier = 'product' AND left(f.product, 255) = left(wanted, 255) AND f.product = wanted
        UNION ALL SELECT f.* FROM genbank.feature f
            WHERE qualifier = 'db_xref' AND f.db_xrefs @> ARRAY[wanted]
        UNION ALL SELECT f.* FROM genbank.feature f
            WHERE qualifier IN ('gene', 'locus_tag', 'product') AND f.further_names @> ARRAY[qualifier || '=' || wanted]
              AND CASE qualifier WHEN 'gene' THEN f.gene WHEN 'locus_tag' THEN f.locus_tag ELSE f.product END
                  IS DISTINCT FROM wanted
        -- Other qualifiers, and values too long for an index, are not indexed: all features are read.
        UNION ALL SELECT f.* FROM genbank.feature f
            WHERE (qualifier NOT IN ('gene', 'locus_tag', 'product', 'db_xref')
                   OR octet_length(wanted) > {max_indexed_bytes})
              AND f.qualifiers @> jsonb_build_array(jsonb_build_array(qualifier, wanted))
              AND EXISTS (SELECT FROM jsonb_array_elements(f.qualifiers) q
                          WHERE q ->> 0 = qualifier AND q ->> 1 = wanted)
              AND CASE qualifier WHEN 'gene' THEN f.gene WHEN 'locus_tag' THEN f.locus_tag
                                 WHEN 'product' THEN f.product END IS DISTINCT FROM wanted $$;
CREATE OR REPLACE FUNCTION genbank.features_in(wanted_record bigint, from_position bigint, to_position bigint)
    RETURNS SETOF genbank.feature LANGUAGE sql STABLE AS $$
        SELECT f.* FROM genbank.feature f WHERE f.record_id = wanted_record
            AND (f.start_position <= to_position AND f.end_position >= from_position
                 OR f.start_position > f.end_position
                    AND (f.start_position <= to_position OR f.end_position >= from_position)) $$;
CREATE OR REPLACE FUNCTION genbank.records_of_organism(wanted text) RETURNS SETOF genbank.record
    LANGUAGE sql STABLE AS $$
        SELECT r.* FROM genbank.record r WHERE left(r.organism, 255) = left(wanted, 255) AND r.organism = wanted $$;
-- No rows, or an error; part of every query about a release, because a query without rows would not evaluate it.
CREATE OR REPLACE FUNCTION genbank.check_release(wanted_collection text, wanted_release text)
    RETURNS TABLE (record_id bigint, section text, accession text, accession_version text, state text,
                   since_release text, record_sha256 bytea, sequence_sha256 bytea)
    LANGUAGE plpgsql STABLE ROWS 1 AS $$
BEGIN
    PERFORM genbank.release_point(wanted_collection, wanted_release);
END $$;
-- A single SELECT without DISTINCT, so that a condition on accession can use the index of the events.
CREATE OR REPLACE FUNCTION genbank.records_as_of(wanted_collection text, wanted_release text)
    RETURNS TABLE (record_id bigint, section text, accession text, accession_version text, state text,
                   since_release text, record_sha256 bytea, sequence_sha256 bytea)
    LANGUAGE sql STABLE AS $$
        SELECT e.record_id, e.section, e.accession, e.accession_version, e.state, e.release, e.record_sha256,
               e.sequence_sha256
        FROM genbank.record_event e
        WHERE e.collection = wanted_collection AND e.state <> 'absent'
          AND e.point <= (SELECT genbank.release_point(wanted_collection, wanted_release))
          AND NOT EXISTS (SELECT FROM genbank.record_event l
                          WHERE l.record_id = e.record_id AND l.collection = e.collection
                            AND l.point <= (SELECT genbank.release_point(wanted_collection, wanted_release))
                            AND (l.point, l.at) > (e.point, e.at))
        UNION ALL SELECT * FROM genbank.check_release(wanted_collection, wanted_release) $$;
-- Number of a division's current records up to a release, and the XOR of their record_sha256, for comparison with the
-- record tables. Records of later daily updates are excluded.
CREATE OR REPLACE FUNCTION genbank.totals(
        in_collection text, in_section text, in_point bigint, OUT records bigint, OUT record_digest text)
    LANGUAGE sql STABLE AS $$
        SELECT count(*), bit_xor(('x' || encode(r.record_sha256, 'hex'))::bit(256))::text FROM genbank.record r
        WHERE r.collection = in_collection AND r.section = in_section AND r.is_current AND r.point <= in_point $$;
