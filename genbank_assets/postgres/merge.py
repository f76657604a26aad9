"""The set-based merge of one staged file, as functions inside the database.

A file's rows come in temporary tables (``stage_*``, made by ``begin_file``); ``merge_file`` compares them with what is
loaded and applies the whole change. It runs inside the caller's transaction, touches rows in order of their keys, so
that loads of different divisions cannot deadlock, and takes a fixed number of statements whatever the file's size.
Sending the rows belongs to ``load``.
"""

from typing import Final, LiteralString

MERGE_FUNCTIONS: Final[LiteralString] = """
CREATE FUNCTION genbank.begin_file() RETURNS void LANGUAGE sql AS $$
    CREATE TEMP TABLE stage_key (
        record_ordinal bigint, accession text, version integer, accession_version text, record_sha256 bytea,
        sequence_sha256 bytea, molecule_class text, length bigint, record_offset bigint, record_bytes bigint)
        ON COMMIT DROP;
    CREATE TEMP TABLE stage_record (record_ordinal bigint, molecule_class text, {staging_columns}) ON COMMIT DROP;
    CREATE TEMP TABLE stage_feature (
        record_ordinal bigint, ordinal integer, key text, location text, operator text, start_position bigint,
        end_position bigint, strand smallint, partial_start boolean, partial_end boolean, spans_origin boolean,
        qualifiers jsonb, gene text, locus_tag text, product text, db_xrefs text[]) ON COMMIT DROP;
    CREATE TEMP TABLE stage_reference (
        record_ordinal bigint, ordinal integer, number integer, location text, authors text, consortium text,
        title text, journal text, medline text, pubmed text, remark text) ON COMMIT DROP;
$$;

-- Ordinals of the staged records that are not loaded in this very state.
CREATE FUNCTION genbank.wanted_ordinals(in_collection text, in_section text) RETURNS SETOF bigint
    LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT k.record_ordinal FROM stage_key k
    LEFT JOIN genbank.record r
        ON r.collection = in_collection AND r.section = in_section AND r.accession = k.accession
        AND r.record_sha256 = k.record_sha256
    WHERE r.record_id IS NULL ORDER BY 1;
END $$;

CREATE FUNCTION genbank.merge_file(
        in_collection text, in_section text, in_release text, in_name text, in_raw_sha256 text,
        in_records bigint, in_quarantined bigint, in_residues bigint, in_run_id text,
        OUT merged bigint, OUT is_new bigint, OUT is_sequence_changed bigint, OUT is_annotation_changed bigint,
        OUT is_unchanged bigint, OUT is_returned bigint, OUT duplicate_accessions bigint)
    LANGUAGE plpgsql AS $$
DECLARE
    file_id bigint;
    found bigint;
BEGIN
    INSERT INTO genbank.release (collection, release, release_major, release_minor)
        VALUES (in_collection, in_release, split_part(in_release, '.', 1)::integer,
                coalesce(nullif(split_part(in_release, '.', 2), ''), '0')::integer)
        ON CONFLICT DO NOTHING;
    DELETE FROM genbank.source_file f
        WHERE f.collection = in_collection AND f.section = in_section AND f.release = in_release AND f.name = in_name;
    INSERT INTO genbank.source_file (collection, release, section, name, raw_sha256, records, quarantined, residues,
                                     run_id, transaction_id)
        VALUES (in_collection, in_release, in_section, in_name, in_raw_sha256, in_records, in_quarantined,
                in_residues, in_run_id, txid_current())
        RETURNING source_file_id INTO file_id;

    -- What each staged record means for what is loaded. An accession that stands twice in a file counts once, by
    -- its last record, as later entries supersede earlier ones.
    CREATE TEMP TABLE stage_change ON COMMIT DROP AS
        SELECT k.record_ordinal, k.accession, r.record_id, r.accession_version AS previous_accession_version,
               CASE WHEN r.record_id IS NULL THEN 'new'
                    WHEN NOT r.is_current THEN 'returned'
                    WHEN r.record_sha256 = k.record_sha256 THEN 'unchanged'
                    WHEN r.sequence_sha256 IS DISTINCT FROM k.sequence_sha256
                         OR r.accession_version <> k.accession_version THEN 'sequence_changed'
                    ELSE 'annotation_changed' END AS state,
               r.record_id IS NULL OR r.record_sha256 <> k.record_sha256 AS differs
        FROM (SELECT DISTINCT ON (accession) * FROM stage_key ORDER BY accession, record_ordinal DESC) k
        LEFT JOIN genbank.record r
            ON r.collection = in_collection AND r.section = in_section AND r.accession = k.accession
        ORDER BY k.accession;
    ANALYZE stage_change;

    INSERT INTO genbank.sequence (sequence_sha256, molecule_class, length)
        SELECT DISTINCT k.sequence_sha256, k.molecule_class, k.length
        FROM stage_key k JOIN stage_change c USING (record_ordinal)
        WHERE c.differs AND k.sequence_sha256 IS NOT NULL
        ORDER BY 1, 2
        ON CONFLICT DO NOTHING;

    UPDATE genbank.record r SET is_current = true, section = in_section, molecule_class = s.molecule_class, {updates}
        FROM stage_record s JOIN stage_change c USING (record_ordinal)
        WHERE r.record_id = c.record_id AND c.differs;
    UPDATE genbank.record r SET is_current = true FROM stage_change c
        WHERE r.record_id = c.record_id AND c.state = 'returned' AND NOT c.differs;
    WITH added AS (
        INSERT INTO genbank.record (section, is_current, molecule_class, {columns})
            SELECT in_section, true, s.molecule_class, {staged}
            FROM stage_record s JOIN stage_change c USING (record_ordinal)
            WHERE c.state = 'new' ORDER BY s.accession
            RETURNING record_id, accession)
    UPDATE stage_change c SET record_id = added.record_id FROM added WHERE c.accession = added.accession;
    GET DIAGNOSTICS found = ROW_COUNT;
    merged := found;

    INSERT INTO genbank.record_presence AS p
            (record_id, first_release, last_release, source_file_id, record_offset, record_bytes, record_ordinal)
        SELECT c.record_id, in_release, in_release, file_id, k.record_offset, k.record_bytes, k.record_ordinal
        FROM stage_change c JOIN stage_key k USING (record_ordinal) ORDER BY c.record_id
        ON CONFLICT (record_id) DO UPDATE SET
            last_release = excluded.last_release, source_file_id = excluded.source_file_id,
            record_offset = excluded.record_offset, record_bytes = excluded.record_bytes,
            record_ordinal = excluded.record_ordinal;

    DELETE FROM genbank.feature f USING stage_change c
        WHERE f.record_id = c.record_id AND c.differs AND c.state <> 'new';
    DELETE FROM genbank.reference f USING stage_change c
        WHERE f.record_id = c.record_id AND c.differs AND c.state <> 'new';
    INSERT INTO genbank.feature
        SELECT c.record_id, s.ordinal, s.key, s.location, s.operator, s.start_position, s.end_position, s.strand,
               s.partial_start, s.partial_end, s.spans_origin, s.qualifiers, s.gene, s.locus_tag,
               s.product, s.db_xrefs
        FROM stage_feature s JOIN stage_change c USING (record_ordinal);
    GET DIAGNOSTICS found = ROW_COUNT;
    merged := merged + found;
    INSERT INTO genbank.reference
        SELECT c.record_id, s.ordinal, s.number, s.location, s.authors, s.consortium, s.title, s.journal,
               s.medline, s.pubmed, s.remark
        FROM stage_reference s JOIN stage_change c USING (record_ordinal);
    GET DIAGNOSTICS found = ROW_COUNT;
    merged := merged + found;

    INSERT INTO genbank.record_event (record_id, release, state, collection, section, accession, version,
                                      accession_version, record_sha256, sequence_sha256,
                                      previous_accession_version, run_id)
        SELECT c.record_id, in_release, c.state, in_collection, in_section, k.accession, k.version,
               k.accession_version, k.record_sha256, k.sequence_sha256, c.previous_accession_version, in_run_id
        FROM stage_change c JOIN stage_key k USING (record_ordinal)
        WHERE c.state <> 'unchanged'
        ON CONFLICT (record_id, release, state) DO UPDATE SET
            accession_version = excluded.accession_version, version = excluded.version,
            record_sha256 = excluded.record_sha256, sequence_sha256 = excluded.sequence_sha256;

    SELECT count(*) FILTER (WHERE state = 'new'), count(*) FILTER (WHERE state = 'sequence_changed'),
           count(*) FILTER (WHERE state = 'annotation_changed'), count(*) FILTER (WHERE state = 'unchanged'),
           count(*) FILTER (WHERE state = 'returned'), in_records - count(*)
        INTO is_new, is_sequence_changed, is_annotation_changed, is_unchanged, is_returned, duplicate_accessions
        FROM stage_change;
    merged := merged + is_sequence_changed + is_annotation_changed + is_returned;
END $$;

-- Records of a division that the release no longer has become absent; returns how many.
CREATE FUNCTION genbank.mark_absent(in_collection text, in_section text, in_release text, in_run_id text)
    RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    gone bigint;
BEGIN
    WITH gone_now AS (
        UPDATE genbank.record r SET is_current = false FROM genbank.record_presence p
            WHERE p.record_id = r.record_id AND r.collection = in_collection AND r.section = in_section
              AND r.is_current AND p.last_release <> in_release
            RETURNING r.record_id, r.accession, r.version, r.accession_version)
    INSERT INTO genbank.record_event (record_id, release, state, collection, section, accession, version,
                                      accession_version, previous_accession_version, run_id)
        SELECT record_id, in_release, 'absent', in_collection, in_section, accession, version, accession_version,
               accession_version, in_run_id
        FROM gone_now
        ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;
"""
