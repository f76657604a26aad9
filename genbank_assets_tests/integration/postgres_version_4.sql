-- A database as version 0.1.0 made it (pg_dump --inserts): what test_postgres_upgrade migrates.
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA genbank;
CREATE FUNCTION genbank.attach_evidence(in_collection text, in_section text, in_release text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
    UPDATE genbank.record_event e SET evidence = n.evidence
        FROM (SELECT DISTINCT ON (accession, kind) accession, kind, list || ': ' || source_file AS evidence
              FROM (SELECT s.*, CASE WHEN list LIKE 'gbnew%' THEN 'new' WHEN list LIKE 'gbchg%' THEN 'changed'
                                     ELSE 'absent' END AS kind FROM stage_evidence s) kinds
              ORDER BY accession, kind, source_file, list) n
        WHERE e.collection = in_collection AND e.release = in_release AND e.section = in_section
          AND e.accession = n.accession AND e.evidence IS NULL
          AND n.kind = CASE WHEN e.state IN ('new', 'returned') THEN 'new' WHEN e.state = 'absent' THEN 'absent'
                            ELSE 'changed' END;
END $$;
CREATE FUNCTION genbank.daily_date(release text) RETURNS date
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN (release ~ '\.[0-9]{8}$'::text) THEN make_date((substr("right"(release, 8), 1, 4))::integer, (substr("right"(release, 8), 5, 2))::integer, ("right"(release, 2))::integer) ELSE NULL::date END;
SET default_tablespace = '';
CREATE TABLE genbank.feature (
    record_id bigint NOT NULL,
    ordinal integer NOT NULL,
    key text NOT NULL,
    location text NOT NULL,
    operator text,
    start_position bigint,
    end_position bigint,
    strand smallint,
    partial_start boolean NOT NULL,
    partial_end boolean NOT NULL,
    spans_origin boolean NOT NULL,
    qualifiers jsonb NOT NULL,
    gene text,
    locus_tag text,
    product text,
    db_xrefs text[],
    further_names text[]
);
CREATE FUNCTION genbank.features_in(wanted_record bigint, from_position bigint, to_position bigint) RETURNS SETOF genbank.feature
    LANGUAGE sql STABLE
    AS $$
        SELECT f.* FROM genbank.feature f WHERE f.record_id = wanted_record
            AND (f.start_position <= to_position AND f.end_position >= from_position
                 OR f.start_position > f.end_position
                    AND (f.start_position <= to_position OR f.end_position >= from_position)) $$;
CREATE FUNCTION genbank.features_with(qualifier text, wanted text) RETURNS SETOF genbank.feature
    LANGUAGE sql STABLE
    AS $$
        SELECT f.* FROM genbank.feature f WHERE qualifier = 'gene' AND f.gene = wanted
        UNION ALL SELECT f.* FROM genbank.feature f WHERE qualifier = 'locus_tag' AND f.locus_tag = wanted
        UNION ALL SELECT f.* FROM genbank.feature f WHERE qualifier = 'product' AND f.product = wanted
        UNION ALL SELECT f.* FROM genbank.feature f WHERE qualifier = 'db_xref' AND f.db_xrefs @> ARRAY[wanted]
        UNION ALL SELECT f.* FROM genbank.feature f
            WHERE f.further_names @> ARRAY[qualifier || '=' || wanted]
              AND CASE qualifier WHEN 'gene' THEN f.gene WHEN 'locus_tag' THEN f.locus_tag ELSE f.product END
                  IS DISTINCT FROM wanted $$;
CREATE FUNCTION genbank.finish_file(in_collection text, in_section text, in_release text, in_name text, in_raw_sha256 text, in_records bigint, in_quarantined bigint, in_residues bigint, in_run_id text, in_code_version text, in_superseded bigint, in_rows_copied bigint, in_sql_statements bigint, in_file_id bigint, in_unchanged bigint, OUT merged bigint) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    written bigint;
    in_full boolean := genbank.daily_date(in_release) IS NULL;
BEGIN
    INSERT INTO genbank.sequence (sequence_sha256, molecule_class, length)
        SELECT DISTINCT sequence_sha256, molecule_class, length FROM stage_change
        WHERE differs AND sequence_sha256 IS NOT NULL
        ORDER BY 1, 2
        ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS written = ROW_COUNT;
    merged := in_unchanged + written;
    DELETE FROM genbank.source_file f
        WHERE f.collection = in_collection AND f.section = in_section AND f.release = in_release AND f.name = in_name;
    INSERT INTO genbank.source_file (
            source_file_id, collection, release, section, name, raw_sha256, records, quarantined, residues, run_id,
            transaction_id, code_version, superseded, records_new, records_sequence_changed, records_annotation_changed,
            records_unchanged, records_returned, records_kept, rows_copied, sql_statements)
        OVERRIDING SYSTEM VALUE
        SELECT in_file_id, in_collection, in_release, in_section, in_name, in_raw_sha256, in_records, in_quarantined,
               in_residues, in_run_id, txid_current(), in_code_version, in_superseded,
               count(*) FILTER (WHERE state = 'new'), count(*) FILTER (WHERE state = 'sequence_changed'),
               count(*) FILTER (WHERE state = 'annotation_changed'),
               in_unchanged + count(*) FILTER (WHERE state = 'unchanged'),
               count(*) FILTER (WHERE state = 'returned'), count(*) FILTER (WHERE state = 'kept'),
               in_rows_copied, in_sql_statements
        FROM stage_change;
    UPDATE genbank.record_presence p SET
            last_release = in_release, source_file_id = in_file_id, record_offset = c.record_offset,
            record_bytes = c.record_bytes, record_ordinal = c.record_ordinal,
            full_release = CASE WHEN in_full THEN in_release ELSE p.full_release END
        FROM stage_change c WHERE p.record_id = c.record_id AND c.state NOT IN ('new', 'kept');
    GET DIAGNOSTICS written = ROW_COUNT;
    merged := merged + written;
    IF in_full THEN
        UPDATE genbank.record_presence p SET full_release = in_release
            FROM stage_change c WHERE p.record_id = c.record_id AND c.state = 'kept';
    END IF;
    INSERT INTO genbank.record_presence
            (record_id, first_release, last_release, source_file_id, record_offset, record_bytes, record_ordinal,
             full_release)
        SELECT record_id, in_release, in_release, in_file_id, record_offset, record_bytes, record_ordinal,
               CASE WHEN in_full THEN in_release END
        FROM stage_change WHERE state = 'new' ORDER BY record_id;
    GET DIAGNOSTICS written = ROW_COUNT;
    merged := merged + written;
    -- A division that was loaded before this one may have called a record absent that had only moved here.
    DELETE FROM genbank.record_event e USING stage_change c
        WHERE c.moved_from IS NOT NULL AND e.record_id = c.record_id AND e.release = in_release
          AND e.state = 'absent';
    INSERT INTO genbank.record_event (record_id, release, state, collection, section, accession, version,
                                      accession_version, record_sha256, sequence_sha256,
                                      previous_accession_version, evidence, run_id)
        SELECT record_id, in_release, state, in_collection, in_section, accession, version, accession_version,
               record_sha256, sequence_sha256, previous_accession_version, 'moved from ' || moved_from, in_run_id
        FROM stage_change
        WHERE state NOT IN ('unchanged', 'kept')
        ON CONFLICT (record_id, release, state) DO UPDATE SET
            accession_version = excluded.accession_version, version = excluded.version, section = excluded.section,
            record_sha256 = excluded.record_sha256, sequence_sha256 = excluded.sequence_sha256,
            evidence = excluded.evidence, run_id = excluded.run_id, at = excluded.at;
    GET DIAGNOSTICS written = ROW_COUNT;
    merged := merged + written;
    UPDATE genbank.source_file SET rows_merged = merged WHERE source_file_id = in_file_id;
END $$;
CREATE FUNCTION genbank.is_elsewhere(in_file_id bigint, in_collection text, in_section text) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN EXISTS (SELECT FROM genbank.source_file f WHERE f.source_file_id = in_file_id
                   AND f.collection = in_collection AND f.section <> in_section);
END $$;
CREATE FUNCTION genbank.mark_absent(in_collection text, in_section text, in_release text, in_run_id text, in_date date) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    gone bigint;
BEGIN
    CREATE TEMP TABLE stage_gone ON COMMIT DROP AS
        SELECT r.record_id FROM genbank.record r JOIN genbank.record_presence p USING (record_id)
        WHERE r.collection = in_collection AND r.section = in_section AND r.is_current
          AND NOT EXISTS (SELECT FROM genbank.source_file f
                          WHERE f.source_file_id = p.source_file_id AND f.collection = in_collection
                            AND f.section = in_section AND f.release = in_release)
          AND (genbank.daily_date(p.last_release) > in_date) IS NOT TRUE;
    ANALYZE stage_gone;
    PERFORM 1 FROM genbank.record r WHERE r.record_id IN (SELECT record_id FROM stage_gone)
        ORDER BY r.record_id FOR UPDATE;
    WITH gone_now AS (
        UPDATE genbank.record r SET is_current = false FROM stage_gone g
            WHERE r.record_id = g.record_id AND r.section = in_section AND r.is_current
            RETURNING r.record_id, r.accession, r.version, r.accession_version)
    INSERT INTO genbank.record_event (record_id, release, state, collection, section, accession, version,
                                      accession_version, previous_accession_version, run_id)
        SELECT g.record_id, in_release, 'absent', in_collection, in_section, g.accession, g.version,
               g.accession_version, g.accession_version, in_run_id
        FROM gone_now g
        ON CONFLICT (record_id, release, state) DO UPDATE SET
            section = excluded.section, evidence = excluded.evidence, run_id = excluded.run_id, at = excluded.at;
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END $$;
CREATE FUNCTION genbank.note_places(in_collection text, in_section text, in_release text, in_file_id bigint, OUT noted bigint) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
DECLARE
    in_full boolean := genbank.daily_date(in_release) IS NULL;
BEGIN
    UPDATE genbank.record_presence p SET
            last_release = in_release, source_file_id = in_file_id, record_offset = s.record_offset,
            record_bytes = s.record_bytes, record_ordinal = s.record_ordinal,
            full_release = CASE WHEN in_full THEN in_release ELSE p.full_release END
        FROM stage_same s
        WHERE p.record_id = s.record_id
          AND CASE WHEN p.last_release = in_release
                   THEN NOT genbank.is_elsewhere(p.source_file_id, in_collection, in_section) ELSE true END;
    GET DIAGNOSTICS noted = ROW_COUNT;
END $$;
CREATE FUNCTION genbank.only_daily(in_collection text, in_section text, in_release text) RETURNS bigint
    LANGUAGE plpgsql STABLE
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM genbank.release r
                   WHERE r.collection = in_collection AND genbank.daily_date(r.release) IS NOT NULL) THEN
        RETURN 0;
    END IF;
    RETURN (SELECT count(*) FROM genbank.record r JOIN genbank.record_presence p USING (record_id)
            WHERE r.collection = in_collection AND r.section = in_section AND r.is_current
              AND genbank.daily_date(p.last_release) IS NOT NULL AND p.full_release IS DISTINCT FROM in_release
              AND (left(p.last_release, -9) = in_release
                   OR genbank.daily_date(p.last_release) > (
                        SELECT f.release_date FROM genbank.release f
                        WHERE f.collection = in_collection AND f.release = in_release)));
END $$;
CREATE FUNCTION genbank.plan_file(in_collection text, in_section text, in_release text, in_code_version text, in_disjoint boolean, in_date date, OUT wanted bytea, OUT file_id bigint) RETURNS record
    LANGUAGE plpgsql
    SET enable_material TO 'off'
    AS $$
DECLARE
    later_day boolean := EXISTS (SELECT FROM genbank.release r
                                 WHERE r.collection = in_collection AND genbank.daily_date(r.release) > in_date);
BEGIN
    ANALYZE stage_key (accession);
    file_id := nextval(pg_get_serial_sequence('genbank.source_file', 'source_file_id'));
    CREATE TEMP TABLE stage_change (LIKE stage_key, record_id bigint, previous_accession_version text, moved_from text,
                                    state text, differs boolean) ON COMMIT DROP;
    CREATE TEMP TABLE stage_same (record_id bigint, record_offset bigint, record_bytes bigint, record_ordinal bigint)
        ON COMMIT DROP;
    WITH compared AS MATERIALIZED (
        SELECT k.*, r.record_id, r.accession_version AS previous_accession_version, NULL::text AS moved_from,
               CASE WHEN r.record_id IS NULL THEN 'new'
                    WHEN NOT r.is_current THEN 'returned'
                    WHEN r.record_sha256 = k.record_sha256 THEN 'unchanged'
                    WHEN r.sequence_sha256 IS DISTINCT FROM k.sequence_sha256
                         OR r.accession_version <> k.accession_version THEN 'sequence_changed'
                    ELSE 'annotation_changed' END AS state,
               r.record_id IS NULL OR r.record_sha256 <> k.record_sha256 OR r.code_version <> in_code_version
                    AS differs
        FROM stage_key k LEFT JOIN genbank.record r
            ON r.collection = in_collection AND r.section = in_section AND r.accession = k.accession),
    same AS (
        INSERT INTO stage_same SELECT record_id, record_offset, record_bytes, record_ordinal FROM compared
        WHERE state = 'unchanged' AND NOT differs AND NOT later_day)
    INSERT INTO stage_change SELECT * FROM compared WHERE state <> 'unchanged' OR differs OR later_day
        ORDER BY record_ordinal;
    ANALYZE stage_change (record_id, accession, state, differs);
    IF later_day THEN
        UPDATE stage_change c SET state = 'kept', differs = false FROM genbank.record_presence p
            WHERE p.record_id = c.record_id AND c.state NOT IN ('new', 'returned')
              AND genbank.daily_date(p.last_release) > in_date;
    END IF;
    IF in_disjoint THEN
        UPDATE stage_change c SET record_id = r.record_id, previous_accession_version = r.accession_version,
                moved_from = r.section,
                state = CASE WHEN NOT r.is_current AND p.last_absent IS DISTINCT FROM in_release THEN 'returned'
                             WHEN r.record_sha256 = c.record_sha256 THEN 'unchanged'
                             WHEN r.sequence_sha256 IS DISTINCT FROM c.sequence_sha256
                                  OR r.accession_version <> c.accession_version THEN 'sequence_changed'
                             ELSE 'annotation_changed' END
            FROM genbank.record r JOIN LATERAL (
                SELECT last_release, (SELECT e.release FROM genbank.record_event e
                                      WHERE e.record_id = r.record_id AND e.state = 'absent'
                                      ORDER BY e.at DESC LIMIT 1) AS last_absent
                FROM genbank.record_presence WHERE record_id = r.record_id) p ON true
            WHERE c.record_id IS NULL AND r.collection = in_collection AND r.section <> in_section
              AND r.accession = c.accession AND NOT (r.is_current AND p.last_release = in_release);
    END IF;
    UPDATE stage_change SET record_id = nextval(pg_get_serial_sequence('genbank.record', 'record_id'))
        WHERE record_id IS NULL;
    -- Locks in order of record_id; what a load of another division committed meanwhile is seen from here on.
    PERFORM 1 FROM genbank.record r
        WHERE r.record_id IN (SELECT record_id FROM stage_change
                              WHERE state <> 'new' AND (differs OR state = 'returned'))
        ORDER BY r.record_id FOR UPDATE;
    PERFORM genbank.remove_records(
        ARRAY(SELECT record_id FROM stage_change WHERE differs AND state <> 'new' ORDER BY record_id));
    UPDATE genbank.record r SET is_current = true FROM stage_change c
        WHERE r.record_id = c.record_id AND c.state = 'returned' AND NOT c.differs;
    wanted := (SELECT string_agg(int8send(record_ordinal) || int8send(record_id), '' ORDER BY record_ordinal)
               FROM stage_change WHERE differs);
END $$;
CREATE FUNCTION genbank.records_as_of(wanted_collection text, wanted_release text) RETURNS TABLE(record_id bigint, division text, accession text, accession_version text, state text, since_release text, record_sha256 bytea, sequence_sha256 bytea)
    LANGUAGE sql STABLE
    AS $$
        SELECT last.record_id, last.section, last.accession, last.accession_version, last.state, last.release,
               last.record_sha256, last.sequence_sha256
        FROM (SELECT DISTINCT ON (e.record_id) e.* FROM genbank.record_event e
              WHERE e.collection = wanted_collection
                AND genbank.release_key(e.release) <= genbank.release_key(wanted_release)
              ORDER BY e.record_id, genbank.release_key(e.release) DESC, e.at DESC) last
        WHERE last.state <> 'absent' $$;
CREATE FUNCTION genbank.release_key(release text) RETURNS integer[]
    LANGUAGE sql IMMUTABLE
    RETURN (string_to_array(release, '.'::text))::integer[];
CREATE FUNCTION genbank.remove_records(ids bigint[]) RETURNS void
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    AS $$
BEGIN
    DELETE FROM genbank.feature WHERE record_id = ANY (ids);
    DELETE FROM genbank.reference WHERE record_id = ANY (ids);
    DELETE FROM genbank.record WHERE record_id = ANY (ids);
END $$;
CREATE TABLE genbank.division_release (
    collection text NOT NULL,
    section text NOT NULL,
    release text NOT NULL,
    input_digest text NOT NULL,
    files bigint NOT NULL,
    records bigint NOT NULL,
    run_id text NOT NULL,
    finished_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE genbank.record (
    record_id bigint NOT NULL,
    section text NOT NULL,
    is_current boolean NOT NULL,
    molecule_class text NOT NULL,
    accession text NOT NULL,
    version integer,
    accession_version text NOT NULL,
    locus_name text NOT NULL,
    collection text NOT NULL,
    division text,
    molecule_type text,
    strandedness text,
    topology text,
    update_date date,
    length bigint NOT NULL,
    length_unit text NOT NULL,
    definition text,
    secondary_accessions text[] NOT NULL,
    dblinks jsonb NOT NULL,
    keywords text[] NOT NULL,
    segment text,
    dbsource text,
    source text,
    organism text,
    taxonomy text[] NOT NULL,
    taxon_id bigint,
    taxon_ids bigint[] NOT NULL,
    comment text,
    structured_comments jsonb NOT NULL,
    primary_block text,
    contig text,
    wgs_ranges jsonb NOT NULL,
    notes text[] NOT NULL,
    gc_fraction double precision,
    sequence_sha256 bytea,
    record_sha256 bytea NOT NULL,
    release text NOT NULL,
    source_file text NOT NULL,
    code_version text DEFAULT ''::text NOT NULL
);
CREATE TABLE genbank.record_event (
    record_id bigint NOT NULL,
    release text NOT NULL,
    state text NOT NULL,
    collection text NOT NULL,
    section text NOT NULL,
    accession text NOT NULL,
    version integer,
    accession_version text NOT NULL,
    record_sha256 bytea,
    sequence_sha256 bytea,
    previous_accession_version text,
    evidence text,
    run_id text NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE genbank.record_presence (
    record_id bigint NOT NULL,
    first_release text NOT NULL,
    last_release text NOT NULL,
    source_file_id bigint NOT NULL,
    record_offset bigint NOT NULL,
    record_bytes bigint NOT NULL,
    record_ordinal bigint NOT NULL,
    full_release text
)
WITH (fillfactor='45');
CREATE TABLE genbank.source_file (
    source_file_id bigint NOT NULL,
    collection text NOT NULL,
    release text NOT NULL,
    section text NOT NULL,
    name text NOT NULL,
    raw_sha256 text NOT NULL,
    records bigint NOT NULL,
    quarantined bigint NOT NULL,
    residues bigint NOT NULL,
    run_id text NOT NULL,
    loaded_at timestamp with time zone DEFAULT now() NOT NULL,
    transaction_id bigint NOT NULL,
    code_version text DEFAULT ''::text NOT NULL,
    superseded bigint DEFAULT 0 NOT NULL,
    records_new bigint DEFAULT 0 NOT NULL,
    records_sequence_changed bigint DEFAULT 0 NOT NULL,
    records_annotation_changed bigint DEFAULT 0 NOT NULL,
    records_unchanged bigint DEFAULT 0 NOT NULL,
    records_returned bigint DEFAULT 0 NOT NULL,
    rows_copied bigint DEFAULT 0 NOT NULL,
    rows_merged bigint DEFAULT 0 NOT NULL,
    sql_statements bigint DEFAULT 0 NOT NULL,
    records_kept bigint DEFAULT 0 NOT NULL
);
CREATE VIEW genbank.record_lineage AS
 SELECT r.record_id,
    r.section,
    r.is_current,
    r.molecule_class,
    r.accession,
    r.version,
    r.accession_version,
    r.locus_name,
    r.collection,
    r.division,
    r.molecule_type,
    r.strandedness,
    r.topology,
    r.update_date,
    r.length,
    r.length_unit,
    r.definition,
    r.secondary_accessions,
    r.dblinks,
    r.keywords,
    r.segment,
    r.dbsource,
    r.source,
    r.organism,
    r.taxonomy,
    r.taxon_id,
    r.taxon_ids,
    r.comment,
    r.structured_comments,
    r.primary_block,
    r.contig,
    r.wgs_ranges,
    r.notes,
    r.gc_fraction,
    r.sequence_sha256,
    r.record_sha256,
    r.release,
    r.source_file,
    r.code_version,
    p.first_release,
    p.last_release,
    f.name AS last_file,
    f.raw_sha256,
    f.run_id,
    f.loaded_at,
    f.transaction_id,
    p.record_offset,
    p.record_bytes,
    p.record_ordinal
   FROM ((genbank.record r
     JOIN genbank.record_presence p USING (record_id))
     LEFT JOIN genbank.source_file f USING (source_file_id));
ALTER TABLE genbank.record ALTER COLUMN record_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME genbank.record_record_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE genbank.reference (
    record_id bigint NOT NULL,
    ordinal integer NOT NULL,
    number integer,
    location text,
    authors text,
    consortium text,
    title text,
    journal text,
    medline text,
    pubmed text,
    remark text
);
CREATE TABLE genbank.release (
    collection text NOT NULL,
    release text NOT NULL,
    release_major integer NOT NULL,
    release_minor integer NOT NULL,
    first_loaded_at timestamp with time zone DEFAULT now() NOT NULL,
    release_date date
);
CREATE VIEW genbank.release_changes AS
 SELECT accession,
    version,
    accession_version,
    state,
    release,
    collection,
    section AS division,
    previous_accession_version,
    encode(record_sha256, 'hex'::text) AS record_sha256,
    evidence,
    run_id,
    at
   FROM genbank.record_event;
CREATE TABLE genbank.schema_version (
    version integer NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE genbank.sequence (
    sequence_sha256 bytea NOT NULL,
    molecule_class text NOT NULL,
    length bigint NOT NULL
);
ALTER TABLE genbank.source_file ALTER COLUMN source_file_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME genbank.source_file_source_file_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
INSERT INTO genbank.division_release VALUES
	('genbank', 'vrl', '1.0', '8539352184a4fa9ce1c4988c1d3439d3e34d2bc5d674a0797a94714d598339e5', 1, 5, 'test', '2026-11-26 09:42:16.393196+00'),
	('genbank', 'phg', '1.0', 'e51b53d4a147e59039c674ed8d35d534f275af68158243ff5bb6e9accb6139ed', 1, 2, 'test', '2026-11-26 09:42:16.676288+00'),
	('genbank', 'vrl', '2.0', '8510ab03fdc4f5f3657339e64952010305c6d94aa394c2b508a8b1f49aa0d69e', 1, 4, 'test', '2026-11-26 09:42:17.249353+00'),
	('genbank', 'phg', '2.0', 'ed0772d467cfa3762ef123fc57f2ba4300f79f55a713b2e1b4d7c74f2a6e114c', 1, 2, 'test', '2026-11-26 09:42:17.585924+00'),
	('genbank', 'vrl', '3.0', 'b9f59a0af8b732dcaf6d6a70138a51b86d9d7036260a305a1c171460776d0d63', 1, 5, 'test', '2026-11-26 09:42:18.134875+00'),
	('refseq', 'viral', '7', '74901920655b635869ff5f7a2e2a6c4fc35f53d7f2e78eeb02d97e335cd1abfc', 1, 3, 'run', '2026-11-26 09:42:18.409438+00'),
	('refseq', 'viral', '8', 'e5364f8e46c0140e0f378ff58e3d6039fca54b751464feebf13ebc123cdeb533', 1, 2, 'run', '2026-11-26 09:42:18.675407+00'),
	('refseq', 'plasmid', '8', 'bc85a4aff248e18fe62e7294ca450b2df9072122078921e24a37b63d3c9fdf4f', 1, 1, 'run', '2026-11-26 09:42:18.95174+00');
INSERT INTO genbank.feature VALUES
	(5, 0, 'source', '1..2007', NULL, 1, 2007, 1, false, false, false, '[["organism", "Feline panleukopenia virus"], ["mol_type", "genomic DNA"], ["isolate", "94-1"], ["db_xref", "taxon:10786"], ["lab_host", "Felis domesticus"]]', NULL, NULL, NULL, '{taxon:10786}', NULL),
	(5, 1, 'CDS', '1..2007', NULL, 1, 2007, 1, false, false, false, '[["codon_start", "1"], ["product", "nonstructural protein 1"], ["protein_id", "BAA19010.1"], ["db_xref", "GI:1769756"], ["translation", "MSGNQYTEEVMEGVNWLKKHAEDEAFSFVFKCDNVQLNGKDVRWNNYTKPIQNEELTSLIRGAQTAMDQTEEEEMDWESEVDSLAKKQVQTFDALIKKCLFEVFVSKNIEPNECVWFIQHEWGKDQGWHCHVLLHSKNLQQATGKWLRRQMNMYWSRWLVTLCSINLTPTEKIKLREIAEDSEWVTILTYRHKQTKKDYVKMVHFGNMIAYYFLTKKKIVHMTKESGYFLSTDSGWKFNFMKYQDRHTVSTLYTEQMKPETVETTVTTAQETKRGRIQTKKEVSIKCTLRDLVSKRVTSPEDWMMLQPDSYIEMMAQPGGENLLKNTLEICTLTLARTKTAFELILEKADNTKLTNFDLANSRTCQIFRMHGWNWIKVCHAIACVLNRQGGKRNTVLFHGPASTGKSIIAQAIAQAVGNVGCYNAANVNFPFNDCTNKNLIWVEEAGNFGQQVNQFKAICSGQTIRIDQKGKGSKQIEPTPVIMTTNENITIVRIGCEERPEHTQPIRDRMLNIKLVCKLPGDFGLVDKEEWPLICAWLVKHGYQSTMANYTHHWGKVPEWDENWAEPKIQEGINSPGCKDLETQAASNPQSQDHVLTPLTPDVVDLALEPWSTPDTPIAETANQQSNQLGVTHKDVQASPTWSEIEADLRAIFTSEQLEEDFRDDLD"]]', NULL, NULL, 'nonstructural protein 1', '{GI:1769756}', NULL),
	(6, 0, 'source', '1..5386', NULL, 1, 5386, 1, false, false, false, '[["organism", "Enterobacteria phage phiX174"], ["mol_type", "genomic DNA"], ["db_xref", "taxon:10847"]]', NULL, NULL, NULL, '{taxon:10847}', NULL),
	(6, 1, 'CDS', 'join(3981..5386,1..136)', 'join', 1, 5386, 1, false, false, true, '[["function", "viral strand synthesis"], ["note", "rf replication"], ["codon_start", "1"], ["transl_table", "11"], ["product", "A"], ["protein_id", "AAA32570.1"], ["db_xref", "GI:216020"], ["translation", "MVRSYYPSECHADYFDFERIEALKPAIEACGISTLSQSPMLGFHKQMDNRIKLLEEILSFRMQGVEFDNGDMYVDGHKAASDVRDEFVSVTEKLMDELAQCYNVLPQLDINNTIDHRPEGDEKWFLENEKTVTQFCRKLAAERPLKDIRDEYNYPKKKGIKDECSRLLEASTMKSRRGFAIQRLMNAMRQAHADGWFIVFDTLTLADDRLEAFYDNPNALRDYFRDIGRMVLAAEGRKANDSHADCYQYFCVPEYGTANGRLHFHAVHFMRTLPTGSVDPNFGRRVRNRRQLNSLQNTWPYGYSMPIAVRYTQDAFSRSGWLWPVDAKGEPLKATSYMAVGFYVAKYVNKKSDMDLAAKGLGAKEWNNSLKTKLSLLPKKLFRIRMSRNFGMKMLTMTNLSTECLIQLTKLGYDATPFNQILKQNAKREMRLRLGKVTVADVLAAQPVTTNLLKFMRASIKMIGVSNLQSFIASMTQKLTLSDISDESKNYLDKAGITTACLRIKSKWTAGGK"]]', NULL, NULL, 'A', '{GI:216020}', NULL),
	(6, 2, 'CDS', 'join(4497..5386,1..136)', 'join', 1, 5386, 1, false, false, true, '[["function", "shut off host DNA synthesis"], ["codon_start", "1"], ["transl_table", "11"], ["product", "A*"], ["protein_id", "AAA32571.1"], ["db_xref", "GI:216021"], ["translation", "MKSRRGFAIQRLMNAMRQAHADGWFIVFDTLTLADDRLEAFYDNPNALRDYFRDIGRMVLAAEGRKANDSHADCYQYFCVPEYGTANGRLHFHAVHFMRTLPTGSVDPNFGRRVRNRRQLNSLQNTWPYGYSMPIAVRYTQDAFSRSGWLWPVDAKGEPLKATSYMAVGFYVAKYVNKKSDMDLAAKGLGAKEWNNSLKTKLSLLPKKLFRIRMSRNFGMKMLTMTNLSTECLIQLTKLGYDATPFNQILKQNAKREMRLRLGKVTVADVLAAQPVTTNLLKFMRASIKMIGVSNLQSFIASMTQKLTLSDISDESKNYLDKAGITTACLRIKSKWTAGGK"]]', NULL, NULL, 'A*', '{GI:216021}', NULL),
	(6, 3, 'CDS', 'join(5075..5386,1..51)', 'join', 1, 5386, 1, false, false, true, '[["function", "capsid morphogenesis"], ["codon_start", "1"], ["transl_table", "11"], ["product", "B"], ["protein_id", "AAA32572.1"], ["db_xref", "GI:216022"], ["translation", "MEQLTKNQAVATSQEAVQNQNEPQLRDENAHNDKSVHGVLNPTYQAGLRRDAVQPDIEAERKKRDEIEAGKSYCSRRFGGATCDDKSAQIYARFDKNDWRIQPAEFYRFHDAEVNTFGYF"]]', NULL, NULL, 'B', '{GI:216022}', NULL),
	(6, 4, 'variation', '23', NULL, 23, 23, 1, false, false, false, '[["note", "in am18 and am35 [14]"], ["replace", "t"]]', NULL, NULL, NULL, NULL, NULL),
	(6, 5, 'variation', '25', NULL, 25, 25, 1, false, false, false, '[["note", "ts116 [14]"], ["replace", "c"]]', NULL, NULL, NULL, NULL, NULL),
	(6, 6, 'CDS', '51..221', NULL, 51, 221, 1, false, false, false, '[["codon_start", "1"], ["transl_table", "11"], ["product", "K"], ["protein_id", "AAA32573.1"], ["db_xref", "GI:216023"], ["translation", "MSRKIILIKQELLLLVYELNRSGLLAENEKIRPILAQLEKLLLCDLSPSTNDSVKN"]]', NULL, NULL, 'K', '{GI:216023}', NULL),
	(6, 7, 'variation', '57', NULL, 57, 57, 1, false, false, false, '[["note", "am6 [14]"], ["replace", "c"]]', NULL, NULL, NULL, NULL, NULL),
	(6, 8, 'variation', '117', NULL, 117, 117, 1, false, false, false, '[["note", "am6 [14]"], ["replace", "a"]]', NULL, NULL, NULL, NULL, NULL),
	(6, 9, 'CDS', '133..393', NULL, 133, 393, 1, false, false, false, '[["note", "DNA maturation"], ["codon_start", "1"], ["transl_table", "11"], ["product", "C"], ["protein_id", "AAA32574.1"], ["db_xref", "GI:216024"], ["translation", "MRKFDLSLRSSRSSYFATFRHQLTILSKTDALDEEKWLNMLGTFVKDWFRYESHFVHGRDSLVDILKERGLLSESDAVQPLIGKKS"]]', NULL, NULL, 'C', '{GI:216024}', NULL),
	(6, 10, 'mRNA', '358..3975', NULL, 358, 3975, 1, false, false, false, '[["product", "major transcript"]]', NULL, NULL, 'major transcript', NULL, NULL),
	(6, 11, 'mRNA', '358..991', NULL, 358, 991, 1, false, false, false, '[["product", "minor transcript"]]', NULL, NULL, 'minor transcript', NULL, NULL),
	(6, 12, 'CDS', '390..848', NULL, 390, 848, 1, false, false, false, '[["function", "capsid morphogenesis"], ["codon_start", "1"], ["transl_table", "11"], ["product", "D"], ["protein_id", "AAA32575.1"], ["db_xref", "GI:216025"], ["translation", "MSQVTEQSVRFQTALASIKLIQASAVLDLTEDDFDFLTSNKVWIATDRSRARRCVEACVYGTLDFVGYPRFPAPVEFIAAVIAYYVHPVNIQTACLIMEGAEFTENIINGVERPVKAAELFAFTLRVRAGNTDVLTDAEENVRQKLRAEGVM"]]', NULL, NULL, 'D', '{GI:216025}', NULL),
	(6, 13, 'CDS', '568..843', NULL, 568, 843, 1, false, false, false, '[["function", "cell lysis"], ["codon_start", "1"], ["transl_table", "11"], ["product", "E"], ["protein_id", "AAA32576.1"], ["db_xref", "GI:216026"], ["translation", "MVRWTLWDTLAFLLLLSLLLPSLLIMFIPSTFKRPVSSWKALNLRKTLLMASSVRLKPLNCSRLPCVYAQETLTFLLTQKKTCVKNYVRKE"]]', NULL, NULL, 'E', '{GI:216026}', NULL),
	(6, 14, 'CDS', '848..964', NULL, 848, 964, 1, false, false, false, '[["note", "core protein; DNA condensation"], ["codon_start", "1"], ["transl_table", "11"], ["product", "J"], ["protein_id", "AAA32577.1"], ["db_xref", "GI:216027"], ["translation", "MSKGKKRSGARPGRPQPLRGTKGKRKGARLWYVGGQQF"]]', NULL, NULL, 'J', '{GI:216027}', NULL),
	(6, 15, 'CDS', '1001..2284', NULL, 1001, 2284, 1, false, false, false, '[["note", "major coat protein"], ["codon_start", "1"], ["transl_table", "11"], ["product", "F"], ["protein_id", "AAA32578.1"], ["db_xref", "GI:216028"], ["translation", "MSNIQTGAERMPHDLSHLGFLAGQIGRLITISTTPVIAGDSFEMDAVGALRLSPLRRGLAIDSTVDIFTFYVPHRHVYGEQWIKFMKDGVNATPLPTVNTTGYIDHAAFLGTINPDTNKIPKHLFQGYLNIYNNYFKAPWMPDRTEANPNELNQDDARYGFRCCHLKNIWTAPLPPETELSRQMTTSTTSIDIMGLQAAYANLHTDQERDYFMQRYHDVISSFGGKTSYDADNRPLLVMRSNLWASGYDVDGTDQTSLGQFSGRVQQTYKHSVPRFFVPEHGTMFTLALVRFPPTATKEIQYLNAKGALTYTDIAGDPVLYGNLPPREISMKDVFRSGDSSKKFKIAEGQWYRYAPSYVSPAYHLLEGFPFIQEPPSGDLQERVLIRHHDYDQCFQSVQLLQWNSQVKFNVTVYRNLPTTRDSIMTS"]]', NULL, NULL, 'F', '{GI:216028}', NULL),
	(6, 16, 'CDS', '2395..2922', NULL, 2395, 2922, 1, false, false, false, '[["note", "major spike protein"], ["codon_start", "1"], ["transl_table", "11"], ["product", "G"], ["protein_id", "AAA32579.1"], ["db_xref", "GI:216029"], ["translation", "MFQTFISRHNSNFFSDKLVLTSVTPASSAPVLQTPKATSSTLYFDSLTVNAGNGGFLHCIQMDTSVNAANQVVSVGADIAFDADPKFFACLVRFESSSVPTTLPTAYDVYPLNGRHDGGYYTVKDCVTIDVLPRTPGNNVYVGFMVWSNFTATKCRGLVSLNQVIKEIICLQPLK"]]', NULL, NULL, 'G', '{GI:216029}', NULL),
	(6, 17, 'CDS', '2931..3917', NULL, 2931, 3917, 1, false, false, false, '[["function", "adsorption"], ["note", "minor spike protein"], ["codon_start", "1"], ["transl_table", "11"], ["product", "H"], ["protein_id", "AAA32580.1"], ["db_xref", "GI:216030"], ["translation", "MFGAIAGGIASALAGGAMSKLFGGGQKAASGGIQGDVLATDNNTVGMGDAGIKSAIQGSNVPNPDEAAPSFVSGAMAKAGKGLLEGTLQAGTSAVSDKLLDLVGLGGKSAADKGKDTRDYLAAAFPELNAWERAGADASSAGMVDAGFENQKELTKMQLDNQKEIAEMQNETQKEIAGIQSATSRQNTKDQVYAQNEMLAYQQKESTARVASIMENTNLSKQQQVSEIMRQMLTQAQTAGQYFTNDQIKEMTRKVSAEVDLVHQQTQNQRYGSSHIGATAKDISNVVTDAASGVVDIFHGIDKAVADTWNNFWKDGKADGIGSNLSRK"]]', NULL, NULL, 'H', '{GI:216030}', NULL),
	(6, 18, 'misc_feature', '3962', NULL, 3962, 3962, 1, false, false, false, '[["note", "transcription start site"]]', NULL, NULL, NULL, NULL, NULL),
	(6, 19, 'rep_origin', '4306', NULL, 4306, 4306, 1, false, false, false, '[["note", "origin of viral strand synthesis"]]', NULL, NULL, NULL, NULL, NULL),
	(6, 20, 'misc_feature', '4899', NULL, 4899, 4899, 1, false, false, false, '[["note", "transcription start site"]]', NULL, NULL, NULL, NULL, NULL),
	(7, 0, 'source', '1..5386', NULL, 1, 5386, 1, false, false, false, '[["organism", "Enterobacteria phage phiX174"], ["mol_type", "genomic DNA"], ["db_xref", "taxon:10847"]]', NULL, NULL, NULL, '{taxon:10847}', NULL),
	(7, 1, 'CDS', 'join(3981..5386,1..136)', 'join', 1, 5386, 1, false, false, true, '[["function", "viral strand synthesis"], ["note", "rf replication"], ["codon_start", "1"], ["transl_table", "11"], ["product", "A"], ["protein_id", "AAA32570.1"], ["db_xref", "GI:216020"], ["translation", "MVRSYYPSECHADYFDFERIEALKPAIEACGISTLSQSPMLGFHKQMDNRIKLLEEILSFRMQGVEFDNGDMYVDGHKAASDVRDEFVSVTEKLMDELAQCYNVLPQLDINNTIDHRPEGDEKWFLENEKTVTQFCRKLAAERPLKDIRDEYNYPKKKGIKDECSRLLEASTMKSRRGFAIQRLMNAMRQAHADGWFIVFDTLTLADDRLEAFYDNPNALRDYFRDIGRMVLAAEGRKANDSHADCYQYFCVPEYGTANGRLHFHAVHFMRTLPTGSVDPNFGRRVRNRRQLNSLQNTWPYGYSMPIAVRYTQDAFSRSGWLWPVDAKGEPLKATSYMAVGFYVAKYVNKKSDMDLAAKGLGAKEWNNSLKTKLSLLPKKLFRIRMSRNFGMKMLTMTNLSTECLIQLTKLGYDATPFNQILKQNAKREMRLRLGKVTVADVLAAQPVTTNLLKFMRASIKMIGVSNLQSFIASMTQKLTLSDISDESKNYLDKAGITTACLRIKSKWTAGGK"]]', NULL, NULL, 'A', '{GI:216020}', NULL),
	(7, 2, 'CDS', 'join(4497..5386,1..136)', 'join', 1, 5386, 1, false, false, true, '[["function", "shut off host DNA synthesis"], ["codon_start", "1"], ["transl_table", "11"], ["product", "A*"], ["protein_id", "AAA32571.1"], ["db_xref", "GI:216021"], ["translation", "MKSRRGFAIQRLMNAMRQAHADGWFIVFDTLTLADDRLEAFYDNPNALRDYFRDIGRMVLAAEGRKANDSHADCYQYFCVPEYGTANGRLHFHAVHFMRTLPTGSVDPNFGRRVRNRRQLNSLQNTWPYGYSMPIAVRYTQDAFSRSGWLWPVDAKGEPLKATSYMAVGFYVAKYVNKKSDMDLAAKGLGAKEWNNSLKTKLSLLPKKLFRIRMSRNFGMKMLTMTNLSTECLIQLTKLGYDATPFNQILKQNAKREMRLRLGKVTVADVLAAQPVTTNLLKFMRASIKMIGVSNLQSFIASMTQKLTLSDISDESKNYLDKAGITTACLRIKSKWTAGGK"]]', NULL, NULL, 'A*', '{GI:216021}', NULL),
	(7, 3, 'CDS', 'join(5075..5386,1..51)', 'join', 1, 5386, 1, false, false, true, '[["function", "capsid morphogenesis"], ["codon_start", "1"], ["transl_table", "11"], ["product", "B"], ["protein_id", "AAA32572.1"], ["db_xref", "GI:216022"], ["translation", "MEQLTKNQAVATSQEAVQNQNEPQLRDENAHNDKSVHGVLNPTYQAGLRRDAVQPDIEAERKKRDEIEAGKSYCSRRFGGATCDDKSAQIYARFDKNDWRIQPAEFYRFHDAEVNTFGYF"]]', NULL, NULL, 'B', '{GI:216022}', NULL),
	(7, 4, 'variation', '23', NULL, 23, 23, 1, false, false, false, '[["note", "in am18 and am35 [14]"], ["replace", "t"]]', NULL, NULL, NULL, NULL, NULL),
	(7, 5, 'variation', '25', NULL, 25, 25, 1, false, false, false, '[["note", "ts116 [14]"], ["replace", "c"]]', NULL, NULL, NULL, NULL, NULL),
	(7, 6, 'CDS', '51..221', NULL, 51, 221, 1, false, false, false, '[["codon_start", "1"], ["transl_table", "11"], ["product", "K"], ["protein_id", "AAA32573.1"], ["db_xref", "GI:216023"], ["translation", "MSRKIILIKQELLLLVYELNRSGLLAENEKIRPILAQLEKLLLCDLSPSTNDSVKN"]]', NULL, NULL, 'K', '{GI:216023}', NULL),
	(7, 7, 'variation', '57', NULL, 57, 57, 1, false, false, false, '[["note", "am6 [14]"], ["replace", "c"]]', NULL, NULL, NULL, NULL, NULL),
	(7, 8, 'variation', '117', NULL, 117, 117, 1, false, false, false, '[["note", "am6 [14]"], ["replace", "a"]]', NULL, NULL, NULL, NULL, NULL),
	(7, 9, 'CDS', '133..393', NULL, 133, 393, 1, false, false, false, '[["note", "DNA maturation"], ["codon_start", "1"], ["transl_table", "11"], ["product", "C"], ["protein_id", "AAA32574.1"], ["db_xref", "GI:216024"], ["translation", "MRKFDLSLRSSRSSYFATFRHQLTILSKTDALDEEKWLNMLGTFVKDWFRYESHFVHGRDSLVDILKERGLLSESDAVQPLIGKKS"]]', NULL, NULL, 'C', '{GI:216024}', NULL),
	(7, 10, 'mRNA', '358..3975', NULL, 358, 3975, 1, false, false, false, '[["product", "major transcript"]]', NULL, NULL, 'major transcript', NULL, NULL),
	(7, 11, 'mRNA', '358..991', NULL, 358, 991, 1, false, false, false, '[["product", "minor transcript"]]', NULL, NULL, 'minor transcript', NULL, NULL),
	(7, 12, 'CDS', '390..848', NULL, 390, 848, 1, false, false, false, '[["function", "capsid morphogenesis"], ["codon_start", "1"], ["transl_table", "11"], ["product", "D"], ["protein_id", "AAA32575.1"], ["db_xref", "GI:216025"], ["translation", "MSQVTEQSVRFQTALASIKLIQASAVLDLTEDDFDFLTSNKVWIATDRSRARRCVEACVYGTLDFVGYPRFPAPVEFIAAVIAYYVHPVNIQTACLIMEGAEFTENIINGVERPVKAAELFAFTLRVRAGNTDVLTDAEENVRQKLRAEGVM"]]', NULL, NULL, 'D', '{GI:216025}', NULL),
	(7, 13, 'CDS', '568..843', NULL, 568, 843, 1, false, false, false, '[["function", "cell lysis"], ["codon_start", "1"], ["transl_table", "11"], ["product", "E"], ["protein_id", "AAA32576.1"], ["db_xref", "GI:216026"], ["translation", "MVRWTLWDTLAFLLLLSLLLPSLLIMFIPSTFKRPVSSWKALNLRKTLLMASSVRLKPLNCSRLPCVYAQETLTFLLTQKKTCVKNYVRKE"]]', NULL, NULL, 'E', '{GI:216026}', NULL),
	(7, 14, 'CDS', '848..964', NULL, 848, 964, 1, false, false, false, '[["note", "core protein; DNA condensation"], ["codon_start", "1"], ["transl_table", "11"], ["product", "J"], ["protein_id", "AAA32577.1"], ["db_xref", "GI:216027"], ["translation", "MSKGKKRSGARPGRPQPLRGTKGKRKGARLWYVGGQQF"]]', NULL, NULL, 'J', '{GI:216027}', NULL),
	(7, 15, 'CDS', '1001..2284', NULL, 1001, 2284, 1, false, false, false, '[["note", "major coat protein"], ["codon_start", "1"], ["transl_table", "11"], ["product", "F"], ["protein_id", "AAA32578.1"], ["db_xref", "GI:216028"], ["translation", "MSNIQTGAERMPHDLSHLGFLAGQIGRLITISTTPVIAGDSFEMDAVGALRLSPLRRGLAIDSTVDIFTFYVPHRHVYGEQWIKFMKDGVNATPLPTVNTTGYIDHAAFLGTINPDTNKIPKHLFQGYLNIYNNYFKAPWMPDRTEANPNELNQDDARYGFRCCHLKNIWTAPLPPETELSRQMTTSTTSIDIMGLQAAYANLHTDQERDYFMQRYHDVISSFGGKTSYDADNRPLLVMRSNLWASGYDVDGTDQTSLGQFSGRVQQTYKHSVPRFFVPEHGTMFTLALVRFPPTATKEIQYLNAKGALTYTDIAGDPVLYGNLPPREISMKDVFRSGDSSKKFKIAEGQWYRYAPSYVSPAYHLLEGFPFIQEPPSGDLQERVLIRHHDYDQCFQSVQLLQWNSQVKFNVTVYRNLPTTRDSIMTS"]]', NULL, NULL, 'F', '{GI:216028}', NULL),
	(7, 16, 'CDS', '2395..2922', NULL, 2395, 2922, 1, false, false, false, '[["note", "major spike protein"], ["codon_start", "1"], ["transl_table", "11"], ["product", "G"], ["protein_id", "AAA32579.1"], ["db_xref", "GI:216029"], ["translation", "MFQTFISRHNSNFFSDKLVLTSVTPASSAPVLQTPKATSSTLYFDSLTVNAGNGGFLHCIQMDTSVNAANQVVSVGADIAFDADPKFFACLVRFESSSVPTTLPTAYDVYPLNGRHDGGYYTVKDCVTIDVLPRTPGNNVYVGFMVWSNFTATKCRGLVSLNQVIKEIICLQPLK"]]', NULL, NULL, 'G', '{GI:216029}', NULL),
	(7, 17, 'CDS', '2931..3917', NULL, 2931, 3917, 1, false, false, false, '[["function", "adsorption"], ["note", "minor spike protein"], ["codon_start", "1"], ["transl_table", "11"], ["product", "H"], ["protein_id", "AAA32580.1"], ["db_xref", "GI:216030"], ["translation", "MFGAIAGGIASALAGGAMSKLFGGGQKAASGGIQGDVLATDNNTVGMGDAGIKSAIQGSNVPNPDEAAPSFVSGAMAKAGKGLLEGTLQAGTSAVSDKLLDLVGLGGKSAADKGKDTRDYLAAAFPELNAWERAGADASSAGMVDAGFENQKELTKMQLDNQKEIAEMQNETQKEIAGIQSATSRQNTKDQVYAQNEMLAYQQKESTARVASIMENTNLSKQQQVSEIMRQMLTQAQTAGQYFTNDQIKEMTRKVSAEVDLVHQQTQNQRYGSSHIGATAKDISNVVTDAASGVVDIFHGIDKAVADTWNNFWKDGKADGIGSNLSRK"]]', NULL, NULL, 'H', '{GI:216030}', NULL),
	(7, 18, 'misc_feature', '3962', NULL, 3962, 3962, 1, false, false, false, '[["note", "transcription start site"]]', NULL, NULL, NULL, NULL, NULL),
	(7, 19, 'rep_origin', '4306', NULL, 4306, 4306, 1, false, false, false, '[["note", "origin of viral strand synthesis"]]', NULL, NULL, NULL, NULL, NULL),
	(7, 20, 'misc_feature', '4899', NULL, 4899, 4899, 1, false, false, false, '[["note", "transcription start site"]]', NULL, NULL, NULL, NULL, NULL),
	(8, 0, 'source', '1..2007', NULL, 1, 2007, 1, false, false, false, '[["organism", "Feline panleukopenia virus"], ["mol_type", "genomic DNA"], ["isolate", "483"], ["db_xref", "taxon:10786"], ["lab_host", "Felis domesticus"]]', NULL, NULL, NULL, '{taxon:10786}', NULL),
	(8, 1, 'CDS', '1..2007', NULL, 1, 2007, 1, false, false, false, '[["codon_start", "1"], ["product", "nonstructural protein 1"], ["protein_id", "BAA19009.1"], ["db_xref", "GI:1769754"], ["translation", "MSGNQYTEEVMEGVNWLKKHAEDEAFSFVFKCDNVQLNGKDVRWNNYTKPIQNEELTSLIRGAQTAMDQTEEEEMDWESEVDSLAKKQVQTFDALIKKCLFEVFVSKNIEPNECVWFIQHEWGKDQGWHCHVLLHSKNLQQATGKWLRRQMNMYWSRWLVTLCSINLTPTEKIKLREIAEDSEWVTILTYRHKQTKKDYVKMVHFGNMIAYYFLTKKKIVHMTKESGYFLSTDSGWKFNFMKYQDRHTVSTLYTEQMKPETVETTVTTAQETKRGRIQTKKEVSIKCTLRDLVSKRVTSPEDWMMLQPDSYIEMMAQPGGENLLKNTLEICTLTLARTKTAFELILEKADNTKLTNFDLANSRTCQIFRMHGWNWIKVCHAIACVLNRQGGKRNTVLFHGPASTGKSIIAQAIAQAVGNVGCYNAANVNFPFNDCTNKNLIWVEEAGNFGQQVNQFKAICSGQTIRIDQKGKGSKQIEPTPVIMTTNENITIVRIGCEERPEHTQPIRDRMLNIKLVCKLPGDFGLVDKEEWPLICAWLVKHGYQSTMANYTHHWGKVPEWDENWAEPKIQEGINSPGCKDLETQAASNPQSQDHVLTPLTPDVVDLALEPWSTPDTPIAETANQQSNQLGVTHKDVQASPTWSEIEADLRAIFTSEQLEEDFRDDLD"]]', NULL, NULL, 'nonstructural protein 1', '{GI:1769754}', NULL),
	(1, 0, 'source', '1..748', NULL, 1, 748, 1, false, false, false, '[["organism", "Hepatitis delta virus"], ["mol_type", "genomic RNA"], ["db_xref", "taxon:12475"], ["country", "Taiwan"], ["note", "genotype: I"]]', NULL, NULL, NULL, '{taxon:12475}', NULL),
	(1, 1, 'CDS', '34..675', NULL, 34, 675, 1, false, false, false, '[["codon_start", "1"], ["product", "delta antigen"], ["protein_id", "ABG45868.1"], ["db_xref", "GI:109726907"], ["translation", "MSQPDPRRPRKGREETLGKWIDARRRKEELERDLRKVNKTIKRLEEDNPWLGNIRGIIRKDKDGDGAPPAKRARTDQMEVDSGPRKRKHPGGFTEQERRDHRRRKALENKKKQLSSGGKSLSREEEEELRRLTEEDERRERRVAGPRVGDVNPLDGGPRGAPGGGFVPSMLGVPESPFTRRGDGLDTMGTQEFPWVSPQPPPPRLPLLECTPQ"]]', NULL, NULL, 'delta antigen', '{GI:109726907}', NULL),
	(4, 0, 'source', '1..1755', NULL, 1, 1755, 1, false, false, false, '[["organism", "Feline panleukopenia virus"], ["mol_type", "genomic DNA"], ["isolate", "94-1"], ["db_xref", "taxon:10786"], ["lab_host", "Felis domesticus"]]', NULL, NULL, NULL, '{taxon:10786}', NULL),
	(4, 1, 'CDS', '1..1755', NULL, 1, 1755, 1, false, false, false, '[["codon_start", "1"], ["product", "capsid protein 2"], ["protein_id", "BAA19011.1"], ["db_xref", "GI:1769758"], ["translation", "MSDGAVQPDGGQPAVRNERATGSGNGSGGGGGGGSGGVGISTGTFNNQTEFKFLENGWVEITANSSRLVHLNMPESENYKRVVVNNMDKTAVKGNMALDDTHVQIVTPWSLVDANAWGVWFNPGDWQLIVNTMSELHLVSFEQEIFNVVLKTVSESATQPPTKVYNNDLTASLMVALDSNNTMPFTPAAMRSETLGFYPWKPTIPTPWRYYFQWDRTLIPSHTGTSGTPTNVYHGTDPDDVQFYTIENSVPVHLLRTGDEFATGTFFFDCKPCRLTHTWQTNRALGLPPFLNSLPQSEGATNFGDIGVQQDKRRGVTQMGNTDYITEATIMRPAEVGYSAPYYSFEASTQGPFKTPIAAGRGGAQTDENQAADGDPRYAFGRQHGQKTTTTGETPERFTYIAHQDTGRYPEGDWIQNINFNLPVTNDNVLLPTDPIGGKTGINYTNIFNTYGPLTALNNVPPVYPNGQIWDKEFDTDLKPRLHVNAPFVCQNNCPGQLFVKVAPNLTNEYDPDASANMSRIVTYSDFWWKGKLVFKAKLRASHTWNPIQQMSINVDNQFNYVPNNIGAMKIVYEKSQLAPRKLY"]]', NULL, NULL, 'capsid protein 2', '{GI:1769758}', NULL);
INSERT INTO genbank.feature VALUES
	(3, 0, 'source', '1..1410', NULL, 1, 1410, 1, false, false, false, '[["organism", "Influenza A virus (A/California/07/2009(H1N1))"], ["mol_type", "viral cRNA"], ["strain", "A/California/07/2009"], ["serotype", "H1N1"], ["host", "Homo sapiens"], ["db_xref", "taxon:641809"], ["segment", "6"], ["country", "USA"], ["collection_date", "09-Apr-2009"], ["note", "lineage: swl"]]', NULL, NULL, NULL, '{taxon:641809}', NULL),
	(3, 1, 'gene', '1..1410', NULL, 1, 1410, 1, false, false, false, '[["gene", "NA"]]', 'NA', NULL, NULL, NULL, NULL),
	(3, 2, 'CDS', '1..1410', NULL, 1, 1410, 1, false, false, false, '[["gene", "NA"], ["codon_start", "1"], ["product", "neuraminidase"], ["protein_id", "ADF58339.1"], ["db_xref", "GI:295002855"], ["translation", "MNPNQKIITIGSVCMTIGMANLILQIGNIISIWISHSIQLGNQNQIETCNQSVITYENNTWVNQTYVNISNTNFAAGQSVVSVKLAGNSSLCPVSGWAIYSKDNSVRIGSKGDVFVIREPFISCSPLECRTFFLTQGALLNDKHSNGTIKDRSPYRTLMSCPIGEVPSPYNSRFESVAWSASACHDGINWLTIGISGPDNGAVAVLKYNGIITDTIKSWRNNILRTQESECACVNGSCFTVMTDGPSNGQASYKIFRIEKGKIVKSVEMNAPNYHYEECSCYPDSSEITCVCRDNWHGSNRPWVSFNQNLEYQIGYICSGIFGDNPRPNDKTGSCGPVSSNGANGVKGFSFKYGNGVWIGRTKSISSRNGFEMIWDPNGWTGTDNNFSIKQDIVGINEWSGYSGSFVQHPELTGLDCIRPCFWVELIRGRPKENTIWTSGSSISFCGVNSDTVGWSWPDGAELPFTIDK"]]', 'NA', NULL, 'neuraminidase', '{GI:295002855}', NULL),
	(2, 0, 'source', '1..1272', NULL, 1, 1272, 1, false, false, false, '[["organism", "Human herpesvirus 7"], ["mol_type", "genomic DNA"], ["strain", "JI"], ["db_xref", "taxon:10372"], ["clone", "ED132''1.2"]]', NULL, NULL, NULL, '{taxon:10372}', NULL),
	(2, 1, 'repeat_region', '207..928', NULL, 207, 928, 1, false, false, false, '[["note", "long and complex repeat region composed of various direct repeats, including TAACCC (TRS), degenerate copies of TRS motifs and a 14-bp repeat, TAGGGCTGCGGCCC"]]', NULL, NULL, NULL, NULL, NULL),
	(2, 2, 'misc_signal', '938..998', NULL, 938, 998, 1, false, false, false, '[["note", "pac2 motif"]]', NULL, NULL, NULL, NULL, NULL),
	(2, 3, 'misc_feature', '1009', NULL, 1009, 1009, 1, false, false, false, '[["note", "right genome terminus (...ACA)"]]', NULL, NULL, NULL, NULL, NULL),
	(9, 0, 'source', '1..2007', NULL, 1, 2007, 1, false, false, false, '[["organism", "Feline panleukopenia virus"], ["mol_type", "genomic DNA"], ["isolate", "483"], ["db_xref", "taxon:10786"], ["lab_host", "Felis domesticus"]]', NULL, NULL, NULL, '{taxon:10786}', NULL),
	(9, 1, 'CDS', '1..2007', NULL, 1, 2007, 1, false, false, false, '[["codon_start", "1"], ["product", "nonstructural protein 1"], ["protein_id", "BAA19009.1"], ["db_xref", "GI:1769754"], ["translation", "MSGNQYTEEVMEGVNWLKKHAEDEAFSFVFKCDNVQLNGKDVRWNNYTKPIQNEELTSLIRGAQTAMDQTEEEEMDWESEVDSLAKKQVQTFDALIKKCLFEVFVSKNIEPNECVWFIQHEWGKDQGWHCHVLLHSKNLQQATGKWLRRQMNMYWSRWLVTLCSINLTPTEKIKLREIAEDSEWVTILTYRHKQTKKDYVKMVHFGNMIAYYFLTKKKIVHMTKESGYFLSTDSGWKFNFMKYQDRHTVSTLYTEQMKPETVETTVTTAQETKRGRIQTKKEVSIKCTLRDLVSKRVTSPEDWMMLQPDSYIEMMAQPGGENLLKNTLEICTLTLARTKTAFELILEKADNTKLTNFDLANSRTCQIFRMHGWNWIKVCHAIACVLNRQGGKRNTVLFHGPASTGKSIIAQAIAQAVGNVGCYNAANVNFPFNDCTNKNLIWVEEAGNFGQQVNQFKAICSGQTIRIDQKGKGSKQIEPTPVIMTTNENITIVRIGCEERPEHTQPIRDRMLNIKLVCKLPGDFGLVDKEEWPLICAWLVKHGYQSTMANYTHHWGKVPEWDENWAEPKIQEGINSPGCKDLETQAASNPQSQDHVLTPLTPDVVDLALEPWSTPDTPIAETANQQSNQLGVTHKDVQASPTWSEIEADLRAIFTSEQLEEDFRDDLD"]]', NULL, NULL, 'nonstructural protein 1', '{GI:1769754}', NULL),
	(10, 0, 'source', '1..10', NULL, 1, 10, 1, false, false, false, '[["organism", "Phage"], ["db_xref", "taxon:1"]]', NULL, NULL, NULL, '{taxon:1}', NULL),
	(10, 1, 'gene', '1..6', NULL, 1, 6, 1, false, false, false, '[["gene", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"], ["gene", "b"]]', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', NULL, NULL, NULL, '{gene=b}'),
	(11, 0, 'source', '1..10', NULL, 1, 10, 1, false, false, false, '[["organism", "Phage"], ["db_xref", "taxon:1"]]', NULL, NULL, NULL, '{taxon:1}', NULL),
	(11, 1, 'gene', '1..6', NULL, 1, 6, 1, false, false, false, '[["gene", "gAB000002"]]', 'gAB000002', NULL, NULL, NULL, NULL),
	(12, 0, 'source', '1..10', NULL, 1, 10, 1, false, false, false, '[["organism", "Phage"], ["db_xref", "taxon:1"]]', NULL, NULL, NULL, '{taxon:1}', NULL),
	(12, 1, 'gene', '1..6', NULL, 1, 6, 1, false, false, false, '[["gene", "gAB000003"]]', 'gAB000003', NULL, NULL, NULL, NULL),
	(13, 0, 'source', '1..10', NULL, 1, 10, 1, false, false, false, '[["organism", "Phage"], ["db_xref", "taxon:1"]]', NULL, NULL, NULL, '{taxon:1}', NULL),
	(13, 1, 'gene', '1..6', NULL, 1, 6, 1, false, false, false, '[["gene", "gAB000003"]]', 'gAB000003', NULL, NULL, NULL, NULL);
INSERT INTO genbank.record OVERRIDING SYSTEM VALUE VALUES
	(6, 'phg', true, 'nucleotide', 'J02482', 1, 'J02482.1', 'PX1CG', 'genbank', 'PHG', 'DNA', 'ss', 'circular', '2004-06-16', 5386, 'bp', 'Coliphage phi-X174, complete genome', '{M10348,M10379,M10714,M10749,M10750,M10866,M10867,M24859,V01128}', '[]', '{}', NULL, NULL, 'Enterobacteria phage phiX174', 'Enterobacteria phage phiX174', '{Viruses,"ssDNA viruses",Microviridae,Microvirus}', 10847, '{10847}', 'On Apr 28, 2004 this sequence version replaced gi:15535.
[8]  intermittent sequences.
[15]  review; discussion of complete genome.
Double checked with sumex tape.
Single-stranded circular DNA which codes for eleven proteins.
Replicative form is duplex, icosahedron, related to s13 & g4. [21]
indicates that mitomycin C reduced with sodium borohydride induced
heat-labile sites in DNA most preferentially at dinucleotide
sequence ''gt'' (especially ''Pu-g-t'').
Bacteriophage phi-X174 single stranded DNA molecules were
irradiated with near UV light in the presence of promazine
derivatives, after priming with restriction fragments or synthetic
primers [22].  The resulting DNA fragments were used as templates
for in vitro complementary chain synthesis by E.coli DNA polymerase
I [22].  More than 90% of the observed chain terminations were
mapped one nucleotide before a guanine residue [22].  Photoreaction
occurred more predominantly with guanine residues localized in
single-stranded parts of the genome [22].  These same guanine
residues could also be damaged when the reaction was performed in
the dark, in the presence of promazine cation radicals [22].', '[]', NULL, NULL, '[]', '{}', 0.44764203490531007, '\x97038c7e1edea2297667d7f0426ba942b322c74cb30e072ec66ba47f9c0448d0', '\xa3665d2784e1682e543102316c126c33df2917801bbc7be3b315458c79be6534', '1.0', 'gbphg1.seq.gz', '3'),
	(8, 'vrl', true, 'nucleotide', 'ZZ000001', 1, 'ZZ000001.1', 'ZZ000001', 'genbank', 'VRL', 'DNA', NULL, 'linear', '1999-02-05', 2007, 'bp', 'Feline panleukopenia virus DNA for nonstructural protein 1, complete cds', '{}', '[]', '{"nonstructural protein 1"}', NULL, NULL, 'Feline panleukopenia virus', 'Feline panleukopenia virus', '{Viruses,"ssDNA viruses",Parvoviridae,Parvovirinae,Parvovirus}', 10786, '{10786}', NULL, '[]', NULL, NULL, '[]', '{}', 0.3572496263079223, '\x35af8aa8daed4b93195e3ea3c4e167329fd30f5fe2c7e57d3920530315c44814', '\x1aa780d5404f7cc70fc8ba34848b58dfcc965bff3932d787754817878ba0d9cf', '20260902', 'nc0902.flat.gz', '3'),
	(1, 'vrl', true, 'nucleotide', 'DQ519393', 1, 'DQ519393.1', 'DQ519393', 'genbank', 'VRL', 'RNA', NULL, 'linear', '2006-07-04', 748, 'bp', 'TWO Hepatitis delta virus genotype I delta antigen gene, complete cds', '{}', '[]', '{}', NULL, NULL, 'Hepatitis delta virus', 'Hepatitis delta virus', '{Viruses,Deltavirus}', 12475, '{12475}', NULL, '[]', NULL, NULL, '[]', '{}', 0.5989304812834224, '\xc1fbf6c42e1c96ffae092275aff4e5353378485e56fe5f34d18ec08e4e5e0df3', '\xfe5ee27499683f3842b90043e87d71ed426ad045c0722fb2ef1c3f2096595405', '2.0', 'gbvrl1.seq.gz', '3'),
	(7, 'phg', false, 'nucleotide', 'ZZ900001', 1, 'ZZ900001.1', 'PX1CG', 'genbank', 'PHG', 'DNA', 'ss', 'circular', '2004-06-16', 5386, 'bp', 'Coliphage phi-X174, complete genome', '{M10348,M10379,M10714,M10749,M10750,M10866,M10867,M24859,V01128}', '[]', '{}', NULL, NULL, 'Enterobacteria phage phiX174', 'Enterobacteria phage phiX174', '{Viruses,"ssDNA viruses",Microviridae,Microvirus}', 10847, '{10847}', 'On Apr 28, 2004 this sequence version replaced gi:15535.
[8]  intermittent sequences.
[15]  review; discussion of complete genome.
Double checked with sumex tape.
Single-stranded circular DNA which codes for eleven proteins.
Replicative form is duplex, icosahedron, related to s13 & g4. [21]
indicates that mitomycin C reduced with sodium borohydride induced
heat-labile sites in DNA most preferentially at dinucleotide
sequence ''gt'' (especially ''Pu-g-t'').
Bacteriophage phi-X174 single stranded DNA molecules were
irradiated with near UV light in the presence of promazine
derivatives, after priming with restriction fragments or synthetic
primers [22].  The resulting DNA fragments were used as templates
for in vitro complementary chain synthesis by E.coli DNA polymerase
I [22].  More than 90% of the observed chain terminations were
mapped one nucleotide before a guanine residue [22].  Photoreaction
occurred more predominantly with guanine residues localized in
single-stranded parts of the genome [22].  These same guanine
residues could also be damaged when the reaction was performed in
the dark, in the presence of promazine cation radicals [22].', '[]', NULL, NULL, '[]', '{}', 0.44764203490531007, '\x97038c7e1edea2297667d7f0426ba942b322c74cb30e072ec66ba47f9c0448d0', '\xd0b6cfaed513f11104b1cff4b232cec4d787cb1ec3cd642c4f6199dda661c48b', '1.0', 'gbphg1.seq.gz', '3'),
	(3, 'phg', true, 'nucleotide', 'HM138502', 1, 'HM138502.1', 'HM138502', 'genbank', 'PHG', 'cRNA', NULL, 'linear', '2010-04-22', 1410, 'bp', 'Influenza A virus (A/California/07/2009(H1N1)) segment 6 neuraminidase (NA) gene, complete cds', '{}', '[["BioProject", "PRJNA37813"]]', '{}', NULL, NULL, 'Influenza A virus (A/California/07/2009(H1N1))', 'Influenza A virus (A/California/07/2009(H1N1))', '{Viruses,"ssRNA negative-strand viruses",Orthomyxoviridae,"Influenzavirus A"}', 641809, '{641809}', 'Swine influenza A (H1N1) virus isolated during human swine flu
outbreak of 2009.
##GISAID_EpiFlu(TM)Data-START##
Isolate         :: A/California/07/09
Subtype         :: H1N1
Lineage         :: swl
##GISAID_EpiFlu(TM)Data-END##', '[["GISAID_EpiFlu(TM)Data", [["Isolate", "A/California/07/09"], ["Subtype", "H1N1"], ["Lineage", "swl"]]]]', NULL, NULL, '[]', '{}', 0.4205673758865248, '\x733614b7a6f6436c85aba055fc78fed865854362a5dd87b4873ed657ab193f8a', '\x089c6385989289adff62501b87fb7223e78ae9e4605caf85ebfd53f6650ed823', '2.0', 'gbphg1.seq.gz', '3'),
	(2, 'vrl', true, 'nucleotide', 'L46634', 1, 'L46634.1', 'HH7TETRA', 'genbank', 'VRL', 'DNA', NULL, 'linear', '1996-04-11', 1272, 'bp', 'LATER Human herpesvirus 7 (clone ED132''1.2) telomeric repeat region', '{L46689}', '[]', '{"telomeric repeat"}', NULL, NULL, 'Human herpesvirus 7 (HHV-7)', 'Human herpesvirus 7', '{Viruses,"dsDNA viruses, no RNA stage",Herpesvirales,Herpesviridae,Betaherpesvirinae,Roseolovirus}', 10372, '{10372}', NULL, '[]', NULL, NULL, '[]', '{}', 0.5322327044025157, '\xfb4065d839cf6cb90348661649e8534240f3f492eb725e037056b70d88fd787b', '\xd54895f57d5468c7a8b962117708552813eed61ae5e5579a7c8bfb18a692c1aa', '20261020', 'nc1020.flat.gz', '3'),
	(9, 'vrl', true, 'nucleotide', 'ZZ000002', 1, 'ZZ000002.1', 'ZZ000002', 'genbank', 'VRL', 'DNA', NULL, 'linear', '1999-02-05', 2007, 'bp', 'Feline panleukopenia virus DNA for nonstructural protein 1, complete cds', '{}', '[]', '{"nonstructural protein 1"}', NULL, NULL, 'Feline panleukopenia virus', 'Feline panleukopenia virus', '{Viruses,"ssDNA viruses",Parvoviridae,Parvovirinae,Parvovirus}', 10786, '{10786}', NULL, '[]', NULL, NULL, '[]', '{}', 0.3572496263079223, '\x35af8aa8daed4b93195e3ea3c4e167329fd30f5fe2c7e57d3920530315c44814', '\xfd4dfc1f33427209781df65538a316791e5ca69b3ca084997ba04bef45259bda', '20261020', 'nc1020.flat.gz', '3'),
	(5, 'vrl', true, 'nucleotide', 'AB000049', 1, 'AB000049.1', 'AB000049', 'genbank', 'VRL', 'DNA', NULL, 'linear', '1999-02-05', 2007, 'bp', 'Feline panleukopenia virus DNA for nonstructural protein 1, complete cds', '{}', '[]', '{"nonstructural protein 1"}', NULL, NULL, 'Feline panleukopenia virus', 'Feline panleukopenia virus', '{Viruses,"ssDNA viruses",Parvoviridae,Parvovirinae,Parvovirus}', 10786, '{10786}', NULL, '[]', NULL, NULL, '[]', '{}', 0.35625311410064775, '\x847e12248c6044264cc384cafeb50cee1f0de7b2f3fad7fb036105d9d298bf30', '\x06a55f488b3f0c9334aa9a03ece4aeb92a91b528c68e0d4dae31f67d8000460f', '1.0', 'gbvrl1.seq.gz', '3'),
	(4, 'vrl', false, 'nucleotide', 'AB000050', 2, 'AB000050.2', 'AB000050', 'genbank', 'VRL', 'DNA', NULL, 'linear', '1999-02-05', 1755, 'bp', 'Feline panleukopenia virus DNA for capsid protein 2, complete cds', '{}', '[]', '{"capsid protein 2"}', NULL, NULL, 'Feline panleukopenia virus', 'Feline panleukopenia virus', '{Viruses,"ssDNA viruses",Parvoviridae,Parvovirinae,Parvovirus}', 10786, '{10786}', NULL, '[]', NULL, NULL, '[]', '{}', 0.35156695156695156, '\xa9c272087ddca61bf3bd0717b48cf015987cc6d4f7639f92cfe24ae6aef9f949', '\xb3370433c295c60aa1736def6ac7a71b753824d95e905c576db80c6b2c06ab4d', '2.0', 'gbvrl1.seq.gz', '3'),
	(10, 'viral', true, 'nucleotide', 'AB000001', 1, 'AB000001.1', 'AB000001', 'refseq', 'BCT', 'DNA', NULL, 'linear', '2020-01-01', 10, 'bp', 'A record', '{}', '[]', '{}', NULL, NULL, NULL, NULL, '{}', 1, '{1}', NULL, '[]', NULL, NULL, '[]', '{}', 0.5, '\x6612c0e673bc5b6636f9147556b461347642dcde65d5bc6b39e209d2b6b95af1', '\xd2f7eac21dacbe1ffa36b4d1c7aa83a6d8e1bb71ade62db7a2f4c28e848bbf28', '7', 'viral.1.genomic.gbff.gz', '3'),
	(12, 'viral', true, 'nucleotide', 'AB000003', 2, 'AB000003.2', 'AB000003', 'refseq', 'BCT', 'DNA', NULL, 'linear', '2020-01-01', 3, 'bp', 'A record', '{}', '[]', '{}', NULL, NULL, NULL, NULL, '{}', 1, '{1}', NULL, '[]', NULL, NULL, '[]', '{}', 0, '\x53f2ce19a7f21ea867849ead189bafff0a491aca75aedf5334fd4aee9bbb342b', '\x3816b3c26fb9609c853c1ac90fa685960eaf5064c826223a886b0fe2b9a4af91', '8', 'viral.1.genomic.gbff.gz', '3'),
	(11, 'viral', false, 'nucleotide', 'AB000002', 1, 'AB000002.1', 'AB000002', 'refseq', 'BCT', 'DNA', NULL, 'linear', '2020-01-01', 10, 'bp', 'A record', '{}', '[]', '{}', NULL, NULL, NULL, NULL, '{}', 1, '{1}', NULL, '[]', NULL, NULL, '[]', '{}', 0.5, '\x6612c0e673bc5b6636f9147556b461347642dcde65d5bc6b39e209d2b6b95af1', '\xe399ac619b335f67802cf002b8065d9b64ba877198054d5325af615d4d54ca4f', '7', 'viral.1.genomic.gbff.gz', '3'),
	(13, 'plasmid', true, 'nucleotide', 'AB000003', 2, 'AB000003.2', 'AB000003', 'refseq', 'BCT', 'DNA', NULL, 'linear', '2020-01-01', 3, 'bp', 'A record', '{}', '[]', '{}', NULL, NULL, NULL, NULL, '{}', 1, '{1}', NULL, '[]', NULL, NULL, '[]', '{}', 0, '\x53f2ce19a7f21ea867849ead189bafff0a491aca75aedf5334fd4aee9bbb342b', '\x3816b3c26fb9609c853c1ac90fa685960eaf5064c826223a886b0fe2b9a4af91', '8', 'plasmid.1.genomic.gbff.gz', '3');
INSERT INTO genbank.record_event VALUES
	(1, '1.0', 'new', 'genbank', 'vrl', 'DQ519393', 1, 'DQ519393.1', '\x589f72b00f31f99757afc26ee7b056f1df7a793953f5d03e4ace4b69e7b0b89f', '\xc1fbf6c42e1c96ffae092275aff4e5353378485e56fe5f34d18ec08e4e5e0df3', NULL, NULL, 'test', '2026-11-26 09:42:16.297292+00'),
	(2, '1.0', 'new', 'genbank', 'vrl', 'L46634', 1, 'L46634.1', '\x50b63e23dacb62ead5625079443139e8ff12cd46af6823e8fa8110984e6d3c80', '\xfb4065d839cf6cb90348661649e8534240f3f492eb725e037056b70d88fd787b', NULL, NULL, 'test', '2026-11-26 09:42:16.297292+00'),
	(3, '1.0', 'new', 'genbank', 'vrl', 'HM138502', 1, 'HM138502.1', '\x754ee5190d646725a26bdef9de8515b4612ff5e4b71d6ebcab5c7a02b400fe4f', '\x733614b7a6f6436c85aba055fc78fed865854362a5dd87b4873ed657ab193f8a', NULL, NULL, 'test', '2026-11-26 09:42:16.297292+00'),
	(4, '1.0', 'new', 'genbank', 'vrl', 'AB000050', 1, 'AB000050.1', '\xcbdceb18a13dd624b464501f3a289712ebf6b9a853b361b5d074e58c72a009ba', '\x7a2006881f40e1bf54c768aad26d99cb6941ea8dbbc0d60448a284f1f22ee66c', NULL, NULL, 'test', '2026-11-26 09:42:16.297292+00'),
	(5, '1.0', 'new', 'genbank', 'vrl', 'AB000049', 1, 'AB000049.1', '\x06a55f488b3f0c9334aa9a03ece4aeb92a91b528c68e0d4dae31f67d8000460f', '\x847e12248c6044264cc384cafeb50cee1f0de7b2f3fad7fb036105d9d298bf30', NULL, NULL, 'test', '2026-11-26 09:42:16.297292+00'),
	(6, '1.0', 'new', 'genbank', 'phg', 'J02482', 1, 'J02482.1', '\xa3665d2784e1682e543102316c126c33df2917801bbc7be3b315458c79be6534', '\x97038c7e1edea2297667d7f0426ba942b322c74cb30e072ec66ba47f9c0448d0', NULL, NULL, 'test', '2026-11-26 09:42:16.600084+00'),
	(7, '1.0', 'new', 'genbank', 'phg', 'ZZ900001', 1, 'ZZ900001.1', '\xd0b6cfaed513f11104b1cff4b232cec4d787cb1ec3cd642c4f6199dda661c48b', '\x97038c7e1edea2297667d7f0426ba942b322c74cb30e072ec66ba47f9c0448d0', NULL, NULL, 'test', '2026-11-26 09:42:16.600084+00'),
	(1, '1.0.20260902', 'annotation_changed', 'genbank', 'vrl', 'DQ519393', 1, 'DQ519393.1', '\x1c9c41ac93b022258a689601d7d83848f3e6ba2b768bb301b9013c79634c2a96', '\xc1fbf6c42e1c96ffae092275aff4e5353378485e56fe5f34d18ec08e4e5e0df3', 'DQ519393.1', NULL, 'daily', '2026-11-26 09:42:16.848464+00'),
	(8, '1.0.20260902', 'new', 'genbank', 'vrl', 'ZZ000001', 1, 'ZZ000001.1', '\x1aa780d5404f7cc70fc8ba34848b58dfcc965bff3932d787754817878ba0d9cf', '\x35af8aa8daed4b93195e3ea3c4e167329fd30f5fe2c7e57d3920530315c44814', NULL, NULL, 'daily', '2026-11-26 09:42:16.848464+00'),
	(1, '2.0', 'annotation_changed', 'genbank', 'vrl', 'DQ519393', 1, 'DQ519393.1', '\xfe5ee27499683f3842b90043e87d71ed426ad045c0722fb2ef1c3f2096595405', '\xc1fbf6c42e1c96ffae092275aff4e5353378485e56fe5f34d18ec08e4e5e0df3', 'DQ519393.1', NULL, 'test', '2026-11-26 09:42:17.135605+00'),
	(4, '2.0', 'sequence_changed', 'genbank', 'vrl', 'AB000050', 2, 'AB000050.2', '\xb3370433c295c60aa1736def6ac7a71b753824d95e905c576db80c6b2c06ab4d', '\xa9c272087ddca61bf3bd0717b48cf015987cc6d4f7639f92cfe24ae6aef9f949', 'AB000050.1', NULL, 'test', '2026-11-26 09:42:17.135605+00'),
	(5, '2.0', 'absent', 'genbank', 'vrl', 'AB000049', 1, 'AB000049.1', NULL, NULL, 'AB000049.1', NULL, 'test', '2026-11-26 09:42:17.249353+00'),
	(3, '2.0', 'annotation_changed', 'genbank', 'phg', 'HM138502', 1, 'HM138502.1', '\x089c6385989289adff62501b87fb7223e78ae9e4605caf85ebfd53f6650ed823', '\x733614b7a6f6436c85aba055fc78fed865854362a5dd87b4873ed657ab193f8a', 'HM138502.1', 'moved from vrl', 'test', '2026-11-26 09:42:17.499066+00'),
	(7, '2.0', 'absent', 'genbank', 'phg', 'ZZ900001', 1, 'ZZ900001.1', NULL, NULL, 'ZZ900001.1', NULL, 'test', '2026-11-26 09:42:17.585924+00'),
	(2, '2.0.20261020', 'annotation_changed', 'genbank', 'vrl', 'L46634', 1, 'L46634.1', '\xd54895f57d5468c7a8b962117708552813eed61ae5e5579a7c8bfb18a692c1aa', '\xfb4065d839cf6cb90348661649e8534240f3f492eb725e037056b70d88fd787b', 'L46634.1', NULL, 'daily', '2026-11-26 09:42:17.802008+00'),
	(9, '2.0.20261020', 'new', 'genbank', 'vrl', 'ZZ000002', 1, 'ZZ000002.1', '\xfd4dfc1f33427209781df65538a316791e5ca69b3ca084997ba04bef45259bda', '\x35af8aa8daed4b93195e3ea3c4e167329fd30f5fe2c7e57d3920530315c44814', NULL, NULL, 'daily', '2026-11-26 09:42:17.802008+00'),
	(5, '3.0', 'returned', 'genbank', 'vrl', 'AB000049', 1, 'AB000049.1', '\x06a55f488b3f0c9334aa9a03ece4aeb92a91b528c68e0d4dae31f67d8000460f', '\x847e12248c6044264cc384cafeb50cee1f0de7b2f3fad7fb036105d9d298bf30', 'AB000049.1', NULL, 'test', '2026-11-26 09:42:18.05897+00'),
	(4, '3.0', 'absent', 'genbank', 'vrl', 'AB000050', 2, 'AB000050.2', NULL, NULL, 'AB000050.2', NULL, 'test', '2026-11-26 09:42:18.134875+00'),
	(10, '7', 'new', 'refseq', 'viral', 'AB000001', 1, 'AB000001.1', '\xd2f7eac21dacbe1ffa36b4d1c7aa83a6d8e1bb71ade62db7a2f4c28e848bbf28', '\x6612c0e673bc5b6636f9147556b461347642dcde65d5bc6b39e209d2b6b95af1', NULL, NULL, 'run', '2026-11-26 09:42:18.32811+00'),
	(11, '7', 'new', 'refseq', 'viral', 'AB000002', 1, 'AB000002.1', '\xe399ac619b335f67802cf002b8065d9b64ba877198054d5325af615d4d54ca4f', '\x6612c0e673bc5b6636f9147556b461347642dcde65d5bc6b39e209d2b6b95af1', NULL, NULL, 'run', '2026-11-26 09:42:18.32811+00'),
	(12, '7', 'new', 'refseq', 'viral', 'AB000003', 1, 'AB000003.1', '\xbb083c4f2e986577f7be6e782175c21c5e6629b169651d1fc62b7ee8736267da', '\x6612c0e673bc5b6636f9147556b461347642dcde65d5bc6b39e209d2b6b95af1', NULL, NULL, 'run', '2026-11-26 09:42:18.32811+00'),
	(12, '8', 'sequence_changed', 'refseq', 'viral', 'AB000003', 2, 'AB000003.2', '\x3816b3c26fb9609c853c1ac90fa685960eaf5064c826223a886b0fe2b9a4af91', '\x53f2ce19a7f21ea867849ead189bafff0a491aca75aedf5334fd4aee9bbb342b', 'AB000003.1', NULL, 'run', '2026-11-26 09:42:18.597508+00'),
	(11, '8', 'absent', 'refseq', 'viral', 'AB000002', 1, 'AB000002.1', NULL, NULL, 'AB000002.1', NULL, 'run', '2026-11-26 09:42:18.675407+00'),
	(13, '8', 'new', 'refseq', 'plasmid', 'AB000003', 2, 'AB000003.2', '\x3816b3c26fb9609c853c1ac90fa685960eaf5064c826223a886b0fe2b9a4af91', '\x53f2ce19a7f21ea867849ead189bafff0a491aca75aedf5334fd4aee9bbb342b', NULL, NULL, 'run', '2026-11-26 09:42:18.89067+00');
INSERT INTO genbank.record_presence VALUES
	(7, '1.0', '1.0', 2, 23264, 23268, 1, '1.0'),
	(4, '1.0', '2.0', 4, 5553, 4562, 2, '2.0'),
	(6, '1.0', '2.0', 5, 0, 23264, 0, '2.0'),
	(3, '1.0', '2.0', 5, 23264, 4383, 1, '2.0'),
	(1, '1.0', '3.0', 7, 0, 2367, 0, '3.0'),
	(2, '1.0', '3.0', 7, 2367, 3192, 1, '3.0'),
	(8, '1.0.20260902', '3.0', 7, 10572, 5017, 3, '3.0'),
	(9, '2.0.20261020', '3.0', 7, 15589, 5017, 4, '3.0'),
	(5, '1.0', '3.0', 7, 5559, 5013, 2, '3.0'),
	(11, '7', '7', 8, 5416, 456, 1, '7'),
	(10, '7', '8', 9, 0, 5416, 0, '8'),
	(12, '7', '8', 9, 5416, 448, 1, '8'),
	(13, '8', '8', 10, 0, 448, 0, '8');
INSERT INTO genbank.reference VALUES
	(5, 0, 1, 'bases 1 to 2007', 'Horiuchi,M.', NULL, 'Evolutionary pattern of feline panleukopenia virus differs that of canine parvovirus', 'Unpublished', NULL, NULL, NULL),
	(5, 1, 2, 'bases 1 to 2007', 'Horiuchi,M.', NULL, 'Direct Submission', 'Submitted (22-DEC-1996) Motohiro Horiuchi, Obihiro University of Agriculture and Veterinary Medicine, Veterinary Public Health; Inada cho, Obihiro, Hokkaido 080, Japan (E-mail:horiuchi@obihiro.ac.jp, Tel:0155-49-5392, Fax:0155-49-5402)', NULL, NULL, NULL),
	(6, 0, 1, 'bases 1047 to 1094', 'Ziff,E.B., Sedat,J.W. and Galibert,F.', NULL, 'Determination of the nucleotide sequence of a fragment of bacteriophage phiX 174 DNA', 'Nature New Biol. 241 (106), 34-37 (1973)', NULL, '4349156', NULL),
	(6, 1, 2, 'bases 2370 to 2421', 'Robertson,H.D., Barrell,B.G., Weith,H.L. and Donelson,J.E.', NULL, 'Isolation and sequence analysis of a ribosome-protected fragment from bacteriophage phiX 174 DNA', 'Nature New Biol. 241 (106), 38-40 (1973)', NULL, '4572838', NULL),
	(6, 2, 3, 'bases 2370 to 2420', 'Barrell,B.G., Weith,H.L., Donelson,J.E. and Robertson,H.D.', NULL, 'Sequence analysis of the ribosome-protected bacteriophase phiX174 DNA fragment containing the gene G initiation site', 'J. Mol. Biol. 92 (3), 377-393 (1975)', NULL, '1095758', NULL),
	(6, 3, 4, 'bases 2365 to 2591', 'Air,G.M., Blackburn,E.H., Sanger,F. and Coulson,A.R.', NULL, 'The nucleotide and amino acid sequences of the N (5'') terminal region of gene G of bacteriophage phiphiX 174', 'J. Mol. Biol. 96 (4), 703-719 (1975)', NULL, '1081600', NULL),
	(6, 4, 5, 'bases 2263 to 2421', 'Fiddes,J.C.', NULL, 'Nucleotide sequence of the intercistronic region between genes G and F in bacteriophage phiX174 DNA', 'J. Mol. Biol. 107 (1), 1-24 (1976)', NULL, '826639', NULL),
	(6, 5, 6, 'bases 1017 to 1081', 'Sedat,J., Ziff,E. and Galibert,F.', NULL, 'Direct determination of DNA nucleotide sequences. Structure of large specific fragments of bacteriophage phiX174 DNA', 'J. Mol. Biol. 107 (4), 391-416 (1976)', NULL, '1003475', NULL),
	(6, 6, 7, 'bases 730 to 903', 'Blackburn,E.H.', NULL, 'Transcription and sequence analysis of a fragment of bacteriophage phiX174 DNA', 'J. Mol. Biol. 107 (4), 417-431 (1976)', NULL, '826641', NULL),
	(6, 7, 8, 'bases 1017 to 1762', 'Air,G.M., Blackburn,E.H., Coulson,A.R., Galibert,F., Sanger,F., Sedat,J.W. and Ziff,E.B.', NULL, 'Gene F of bacteriophage phiX174. Correlation of nucleotide sequences from the DNA and amino acid sequences from the gene product', 'J. Mol. Biol. 107 (4), 445-458 (1976)', NULL, '1088826', NULL),
	(6, 8, 9, 'bases 2395 to 2922', 'Air,G.M., Sanger,F. and Coulson,A.R.', NULL, 'Nucleotide and amino acid sequences of gene G of omegaX174', 'J. Mol. Biol. 108 (3), 519-533 (1976)', NULL, '1088827', NULL),
	(6, 9, 10, 'bases 4137 to 4207', 'Mansfeld,A.D., Vereijken,J.M. and Jansz,H.S.', NULL, 'The nucleotide sequence of a DNA fragment, 71 base pairs in length, near the origin of DNA replication of bacteriophage 0X174', 'Nucleic Acids Res. 3 (10), 2827-2844 (1976)', NULL, '995652', NULL),
	(6, 10, 11, 'bases 4505 to 5374', 'Brown,N.L. and Smith,M.', NULL, 'The sequence of a region of bacteriophage phiX174 DNA coding for parts of genes A and B', 'J. Mol. Biol. 116 (1), 1-28 (1977)', NULL, '592379', NULL),
	(6, 11, 12, 'bases 1 to 5375', 'Sanger,F., Air,G.M., Barrell,B.G., Brown,N.L., Coulson,A.R., Fiddes,C.A., Hutchison,C.A., Slocombe,P.M. and Smith,M.', NULL, 'Nucleotide sequence of bacteriophage phi X174 DNA', 'Nature 265 (5596), 687-695 (1977)', NULL, '870828', NULL),
	(6, 12, 13, 'bases 5022 to 5132', 'Brown,N.L. and Smith,M.', NULL, 'DNA sequence of a region of the phi X174 genome coding for a ribosome binding site', 'Nature 265 (5596), 695-698 (1977)', NULL, '859573', NULL),
	(6, 13, 14, 'bases 5346 to 5386; 1 to 159', 'Smith,M., Brown,N.L., Air,G.M., Barrell,B.G., Coulson,A.R., Hutchison,C.A. III and Sanger,F.', NULL, 'DNA sequence at the C termini of the overlapping genes A and B in bacteriophage phi X174', 'Nature 265 (5596), 702-705 (1977)', NULL, '859575', NULL),
	(6, 14, 15, 'sites', 'Fiddes,J.C.', NULL, 'The nucleotide sequence of a viral DNA', 'Sci. Am. 237 (6), 54-67 (1977)', NULL, '929160', NULL),
	(6, 15, 16, 'bases 1 to 5386', 'Sanger,F., Coulson,A.R., Friedmann,T., Air,G.M., Barrell,B.G., Brown,N.L., Fiddes,J.C., Hutchison,C.A. III, Slocombe,P.M. and Smith,M.', NULL, 'The nucleotide sequence of bacteriophage phiX174', 'J. Mol. Biol. 125 (2), 225-246 (1978)', NULL, '731693', NULL),
	(6, 16, 17, 'bases 1290 to 1302; 1340 to 1430; 1510 to 1570; 1600 to 1750', 'Air,G.M., Coulson,A.R., Fiddes,J.C., Friedmann,T., Hutchison,C.A. III, Sanger,F., Slocombe,P.M. and Smith,A.J.', NULL, 'Nucleotide sequence of the F protein coding region of bacteriophage phiX174 and the amino acid sequence of its product', 'J. Mol. Biol. 125 (2), 247-254 (1978)', NULL, '731694', NULL),
	(6, 17, 18, 'bases 4256 to 4317', 'Langeveld,S.A., van Mansfeld,A.D., de Winter,J.M. and Weisbeek,P.J.', NULL, 'Cleavage of single-stranded DNA by the A and A* proteins of bacteriophage phi X174', 'Nucleic Acids Res. 7 (8), 2177-2188 (1979)', NULL, '160544', NULL),
	(6, 18, 19, 'bases 4248 to 4332', 'Heidekamp,F., Langeveld,S.A., Baas,P.D. and Jansz,H.S.', NULL, 'Studies of the recognition sequence of phi X174 gene A protein. Cleavage site of phi X gene A protein in St-1 RFI DNA', 'Nucleic Acids Res. 8 (9), 2009-2021 (1980)', NULL, '6253953', NULL),
	(6, 19, 20, 'bases 436 to 490; 630 to 669; 930 to 979', 'Takeshita,M., Kappen,L.S., Grollman,A.P., Eisenberg,M. and Goldberg,I.H.', NULL, 'Strand scission of deoxyribonucleic acid by neocarzinostatin, auromomycin, and bleomycin: studies on base release and nucleotide sequence specificity', 'Biochemistry 20 (26), 7599-7606 (1981)', NULL, '6173064', NULL),
	(6, 20, 22, 'bases 1064 to 1757', 'Merville,M.P., Piette,J., Lopez,M., Decuyper,J. and van de Vorst,A.', NULL, 'Termination sites of the in vitro DNA synthesis on single-stranded DNA photosensitized by promazines', 'J. Biol. Chem. 259 (24), 15069-15077 (1984)', NULL, '6239864', NULL),
	(6, 21, 23, 'bases 2380 to 2512; 2593 to 2786; 2788 to 2947', 'Air,G.M., Els,M.C., Brown,L.E., Laver,W.G. and Webster,R.G.', NULL, 'Location of antigenic sites on the three-dimensional structure of the influenza N2 virus neuraminidase', 'Virology 145 (2), 237-248 (1985)', NULL, '2411049', NULL),
	(6, 22, 24, 'bases 449 to 482; 504 to 598; 1047 to 1111', 'Ueda,K., Morita,J. and Komano,T.', NULL, 'Sequence specificity of heat-labile sites in DNA induced by mitomycin C', 'Biochemistry 23 (8), 1634-1640 (1984)', NULL, '6232949', NULL),
	(7, 0, 1, 'bases 1047 to 1094', 'Ziff,E.B., Sedat,J.W. and Galibert,F.', NULL, 'Determination of the nucleotide sequence of a fragment of bacteriophage phiX 174 DNA', 'Nature New Biol. 241 (106), 34-37 (1973)', NULL, '4349156', NULL),
	(7, 1, 2, 'bases 2370 to 2421', 'Robertson,H.D., Barrell,B.G., Weith,H.L. and Donelson,J.E.', NULL, 'Isolation and sequence analysis of a ribosome-protected fragment from bacteriophage phiX 174 DNA', 'Nature New Biol. 241 (106), 38-40 (1973)', NULL, '4572838', NULL),
	(7, 2, 3, 'bases 2370 to 2420', 'Barrell,B.G., Weith,H.L., Donelson,J.E. and Robertson,H.D.', NULL, 'Sequence analysis of the ribosome-protected bacteriophase phiX174 DNA fragment containing the gene G initiation site', 'J. Mol. Biol. 92 (3), 377-393 (1975)', NULL, '1095758', NULL),
	(7, 3, 4, 'bases 2365 to 2591', 'Air,G.M., Blackburn,E.H., Sanger,F. and Coulson,A.R.', NULL, 'The nucleotide and amino acid sequences of the N (5'') terminal region of gene G of bacteriophage phiphiX 174', 'J. Mol. Biol. 96 (4), 703-719 (1975)', NULL, '1081600', NULL),
	(7, 4, 5, 'bases 2263 to 2421', 'Fiddes,J.C.', NULL, 'Nucleotide sequence of the intercistronic region between genes G and F in bacteriophage phiX174 DNA', 'J. Mol. Biol. 107 (1), 1-24 (1976)', NULL, '826639', NULL),
	(7, 5, 6, 'bases 1017 to 1081', 'Sedat,J., Ziff,E. and Galibert,F.', NULL, 'Direct determination of DNA nucleotide sequences. Structure of large specific fragments of bacteriophage phiX174 DNA', 'J. Mol. Biol. 107 (4), 391-416 (1976)', NULL, '1003475', NULL),
	(7, 6, 7, 'bases 730 to 903', 'Blackburn,E.H.', NULL, 'Transcription and sequence analysis of a fragment of bacteriophage phiX174 DNA', 'J. Mol. Biol. 107 (4), 417-431 (1976)', NULL, '826641', NULL),
	(7, 7, 8, 'bases 1017 to 1762', 'Air,G.M., Blackburn,E.H., Coulson,A.R., Galibert,F., Sanger,F., Sedat,J.W. and Ziff,E.B.', NULL, 'Gene F of bacteriophage phiX174. Correlation of nucleotide sequences from the DNA and amino acid sequences from the gene product', 'J. Mol. Biol. 107 (4), 445-458 (1976)', NULL, '1088826', NULL),
	(7, 8, 9, 'bases 2395 to 2922', 'Air,G.M., Sanger,F. and Coulson,A.R.', NULL, 'Nucleotide and amino acid sequences of gene G of omegaX174', 'J. Mol. Biol. 108 (3), 519-533 (1976)', NULL, '1088827', NULL),
	(7, 9, 10, 'bases 4137 to 4207', 'Mansfeld,A.D., Vereijken,J.M. and Jansz,H.S.', NULL, 'The nucleotide sequence of a DNA fragment, 71 base pairs in length, near the origin of DNA replication of bacteriophage 0X174', 'Nucleic Acids Res. 3 (10), 2827-2844 (1976)', NULL, '995652', NULL),
	(7, 10, 11, 'bases 4505 to 5374', 'Brown,N.L. and Smith,M.', NULL, 'The sequence of a region of bacteriophage phiX174 DNA coding for parts of genes A and B', 'J. Mol. Biol. 116 (1), 1-28 (1977)', NULL, '592379', NULL),
	(7, 11, 12, 'bases 1 to 5375', 'Sanger,F., Air,G.M., Barrell,B.G., Brown,N.L., Coulson,A.R., Fiddes,C.A., Hutchison,C.A., Slocombe,P.M. and Smith,M.', NULL, 'Nucleotide sequence of bacteriophage phi X174 DNA', 'Nature 265 (5596), 687-695 (1977)', NULL, '870828', NULL),
	(7, 12, 13, 'bases 5022 to 5132', 'Brown,N.L. and Smith,M.', NULL, 'DNA sequence of a region of the phi X174 genome coding for a ribosome binding site', 'Nature 265 (5596), 695-698 (1977)', NULL, '859573', NULL),
	(7, 13, 14, 'bases 5346 to 5386; 1 to 159', 'Smith,M., Brown,N.L., Air,G.M., Barrell,B.G., Coulson,A.R., Hutchison,C.A. III and Sanger,F.', NULL, 'DNA sequence at the C termini of the overlapping genes A and B in bacteriophage phi X174', 'Nature 265 (5596), 702-705 (1977)', NULL, '859575', NULL),
	(7, 14, 15, 'sites', 'Fiddes,J.C.', NULL, 'The nucleotide sequence of a viral DNA', 'Sci. Am. 237 (6), 54-67 (1977)', NULL, '929160', NULL),
	(7, 15, 16, 'bases 1 to 5386', 'Sanger,F., Coulson,A.R., Friedmann,T., Air,G.M., Barrell,B.G., Brown,N.L., Fiddes,J.C., Hutchison,C.A. III, Slocombe,P.M. and Smith,M.', NULL, 'The nucleotide sequence of bacteriophage phiX174', 'J. Mol. Biol. 125 (2), 225-246 (1978)', NULL, '731693', NULL),
	(7, 16, 17, 'bases 1290 to 1302; 1340 to 1430; 1510 to 1570; 1600 to 1750', 'Air,G.M., Coulson,A.R., Fiddes,J.C., Friedmann,T., Hutchison,C.A. III, Sanger,F., Slocombe,P.M. and Smith,A.J.', NULL, 'Nucleotide sequence of the F protein coding region of bacteriophage phiX174 and the amino acid sequence of its product', 'J. Mol. Biol. 125 (2), 247-254 (1978)', NULL, '731694', NULL),
	(7, 17, 18, 'bases 4256 to 4317', 'Langeveld,S.A., van Mansfeld,A.D., de Winter,J.M. and Weisbeek,P.J.', NULL, 'Cleavage of single-stranded DNA by the A and A* proteins of bacteriophage phi X174', 'Nucleic Acids Res. 7 (8), 2177-2188 (1979)', NULL, '160544', NULL),
	(7, 18, 19, 'bases 4248 to 4332', 'Heidekamp,F., Langeveld,S.A., Baas,P.D. and Jansz,H.S.', NULL, 'Studies of the recognition sequence of phi X174 gene A protein. Cleavage site of phi X gene A protein in St-1 RFI DNA', 'Nucleic Acids Res. 8 (9), 2009-2021 (1980)', NULL, '6253953', NULL),
	(7, 19, 20, 'bases 436 to 490; 630 to 669; 930 to 979', 'Takeshita,M., Kappen,L.S., Grollman,A.P., Eisenberg,M. and Goldberg,I.H.', NULL, 'Strand scission of deoxyribonucleic acid by neocarzinostatin, auromomycin, and bleomycin: studies on base release and nucleotide sequence specificity', 'Biochemistry 20 (26), 7599-7606 (1981)', NULL, '6173064', NULL),
	(7, 20, 22, 'bases 1064 to 1757', 'Merville,M.P., Piette,J., Lopez,M., Decuyper,J. and van de Vorst,A.', NULL, 'Termination sites of the in vitro DNA synthesis on single-stranded DNA photosensitized by promazines', 'J. Biol. Chem. 259 (24), 15069-15077 (1984)', NULL, '6239864', NULL),
	(7, 21, 23, 'bases 2380 to 2512; 2593 to 2786; 2788 to 2947', 'Air,G.M., Els,M.C., Brown,L.E., Laver,W.G. and Webster,R.G.', NULL, 'Location of antigenic sites on the three-dimensional structure of the influenza N2 virus neuraminidase', 'Virology 145 (2), 237-248 (1985)', NULL, '2411049', NULL),
	(7, 22, 24, 'bases 449 to 482; 504 to 598; 1047 to 1111', 'Ueda,K., Morita,J. and Komano,T.', NULL, 'Sequence specificity of heat-labile sites in DNA induced by mitomycin C', 'Biochemistry 23 (8), 1634-1640 (1984)', NULL, '6232949', NULL),
	(8, 0, 1, 'bases 1 to 2007', 'Horiuchi,M.', NULL, 'Evolutionary pattern of feline panleukopenia virus differs from that of canine parvovirus', 'Unpublished', NULL, NULL, NULL),
	(8, 1, 2, 'bases 1 to 2007', 'Horiuchi,M.', NULL, 'Direct Submission', 'Submitted (22-DEC-1996) Motohiro Horiuchi, Obihiro University of Agriculture and Veterinary Medicine, Veterinary Public Health; Inada cho, Obihiro, Hokkaido 080, Japan (E-mail:horiuchi@obihiro.ac.jp, Tel:0155-49-5392, Fax:0155-49-5402)', NULL, NULL, NULL);
INSERT INTO genbank.reference VALUES
	(1, 0, 1, 'bases 1 to 748', 'Wang,T.-C. and Chao,M.', NULL, 'Direct Submission', 'Submitted (27-APR-2006) Microbiology and Immunology, Chang Gung Unversity, 259, Wen-Hwa 1st Road, Kwei-Shan, Tao-Yuan 333, Taiwan', NULL, NULL, NULL),
	(4, 0, 1, 'bases 1 to 1755', 'Horiuchi,M.', NULL, 'Evolutionary pattern of feline panleukopenia virus differs from that of canine parvovirus', 'Unpublished', NULL, NULL, NULL),
	(4, 1, 2, 'bases 1 to 1755', 'Horiuchi,M.', NULL, 'Direct Submission', 'Submitted (22-DEC-1996) Motohiro Horiuchi, Obihiro University of Agriculture and Veterinary Medicine, Veterinary Public Health; Inada cho, Obihiro, Hokkaido 080, Japan (E-mail:horiuchi@obihiro.ac.jp, Tel:0155-49-5392, Fax:0155-49-5402)', NULL, NULL, NULL),
	(3, 0, 1, 'bases 1 to 1410', 'Starick,E.', NULL, 'Direct Submission', 'Submitted (21-APR-2010) Friedrich-Loeffler-Institut, Suedufer 10, Greifswald-Insel Riems 17493, Germany', NULL, NULL, NULL),
	(2, 0, 1, 'bases 1 to 1272', 'Secchiero,P., Nicholas,J., Deng,H., Xiaopeng,T., van Loon,N., Ruvolo,V.R., Berneman,Z.N., Reitz,M.S. Jr. and Dewhurst,S.', NULL, 'Identification of human telomeric repeat motifs at the genome termini of human herpesvirus 7: structural analysis and heterogeneity', 'J. Virol. 69 (12), 8041-8045 (1995)', NULL, '7494318', NULL),
	(9, 0, 1, 'bases 1 to 2007', 'Horiuchi,M.', NULL, 'Evolutionary pattern of feline panleukopenia virus differs from that of canine parvovirus', 'Unpublished', NULL, NULL, NULL),
	(9, 1, 2, 'bases 1 to 2007', 'Horiuchi,M.', NULL, 'Direct Submission', 'Submitted (22-DEC-1996) Motohiro Horiuchi, Obihiro University of Agriculture and Veterinary Medicine, Veterinary Public Health; Inada cho, Obihiro, Hokkaido 080, Japan (E-mail:horiuchi@obihiro.ac.jp, Tel:0155-49-5392, Fax:0155-49-5402)', NULL, NULL, NULL),
	(10, 0, 1, 'bases 1 to 10', 'Doe,J.', NULL, 'Work', NULL, NULL, NULL, NULL),
	(11, 0, 1, 'bases 1 to 10', 'Doe,J.', NULL, 'Work', NULL, NULL, NULL, NULL),
	(12, 0, 1, 'bases 1 to 3', 'Doe,J.', NULL, 'Work', NULL, NULL, NULL, NULL),
	(13, 0, 1, 'bases 1 to 3', 'Doe,J.', NULL, 'Work', NULL, NULL, NULL, NULL);
INSERT INTO genbank.release VALUES
	('genbank', '1.0', 1, 0, '2026-11-26 09:42:16.219327+00', '2026-08-15'),
	('genbank', '1.0.20260902', 1, 0, '2026-11-26 09:42:16.815482+00', '2026-09-02'),
	('genbank', '2.0', 2, 0, '2026-11-26 09:42:17.081976+00', '2026-10-15'),
	('genbank', '2.0.20261020', 2, 0, '2026-11-26 09:42:17.765783+00', '2026-10-20'),
	('genbank', '3.0', 3, 0, '2026-11-26 09:42:18.025178+00', '2026-12-15'),
	('refseq', '7', 7, 0, '2026-11-26 09:42:18.281282+00', NULL),
	('refseq', '8', 8, 0, '2026-11-26 09:42:18.543041+00', NULL);
INSERT INTO genbank.schema_version VALUES
	(4, '2026-11-26 09:42:16.071121+00');
INSERT INTO genbank.sequence VALUES
	('\x733614b7a6f6436c85aba055fc78fed865854362a5dd87b4873ed657ab193f8a', 'nucleotide', 1410),
	('\x7a2006881f40e1bf54c768aad26d99cb6941ea8dbbc0d60448a284f1f22ee66c', 'nucleotide', 1755),
	('\x847e12248c6044264cc384cafeb50cee1f0de7b2f3fad7fb036105d9d298bf30', 'nucleotide', 2007),
	('\xc1fbf6c42e1c96ffae092275aff4e5353378485e56fe5f34d18ec08e4e5e0df3', 'nucleotide', 748),
	('\xfb4065d839cf6cb90348661649e8534240f3f492eb725e037056b70d88fd787b', 'nucleotide', 1272),
	('\x97038c7e1edea2297667d7f0426ba942b322c74cb30e072ec66ba47f9c0448d0', 'nucleotide', 5386),
	('\x35af8aa8daed4b93195e3ea3c4e167329fd30f5fe2c7e57d3920530315c44814', 'nucleotide', 2007),
	('\xa9c272087ddca61bf3bd0717b48cf015987cc6d4f7639f92cfe24ae6aef9f949', 'nucleotide', 1755),
	('\x6612c0e673bc5b6636f9147556b461347642dcde65d5bc6b39e209d2b6b95af1', 'nucleotide', 10),
	('\x53f2ce19a7f21ea867849ead189bafff0a491aca75aedf5334fd4aee9bbb342b', 'nucleotide', 3);
INSERT INTO genbank.source_file OVERRIDING SYSTEM VALUE VALUES
	(1, 'genbank', '1.0', 'vrl', 'gbvrl1.seq.gz', '68284f79b71e07c1ec36a600a821da424da7b59272d8cda902494775941b3d60', 5, 0, 7192, 'test', '2026-11-26 09:42:16.297292+00', 832, '3', 0, 5, 0, 0, 0, 0, 30, 15, 10, 0),
	(2, 'genbank', '1.0', 'phg', 'gbphg1.seq.gz', '76d3930a05517933576e9c00d2ef932cff7c503e7abd65cdf8c8b2e14e8a5ed6', 2, 0, 10772, 'test', '2026-11-26 09:42:16.600084+00', 834, '3', 0, 2, 0, 0, 0, 0, 92, 5, 10, 0),
	(3, 'genbank', '1.0.20260902', 'vrl', 'daily/20260902/nc0902.flat.gz', '2e39e78b3eaa4d2c3bb71003f8c16f0e526d0bd53f69df93bf0823d676ea61ff', 3, 0, 0, 'daily', '2026-11-26 09:42:16.848464+00', 838, '3', 0, 1, 0, 1, 1, 0, 12, 6, 10, 0),
	(4, 'genbank', '2.0', 'vrl', 'gbvrl1.seq.gz', '164c0441b95d6b33e8e9cbe8ada64553142dc3afd13433635221846c9cc261f8', 4, 0, 5782, 'test', '2026-11-26 09:42:17.135605+00', 841, '3', 0, 0, 1, 1, 2, 0, 13, 7, 10, 0),
	(5, 'genbank', '2.0', 'phg', 'gbphg1.seq.gz', '14d627a56bd293518df7b18c8a61fbecc2fd550619e41d89eaadc4e66dbcb0c4', 2, 0, 6796, 'test', '2026-11-26 09:42:17.499066+00', 844, '3', 0, 0, 0, 1, 1, 0, 7, 3, 10, 0),
	(6, 'genbank', '2.0.20261020', 'vrl', 'daily/20261020/nc1020.flat.gz', '2a1837d373e45ac3e8739ec02a88bcff1ddf1c85a23d234d3e75022e2e86d82d', 2, 0, 0, 'daily', '2026-11-26 09:42:17.802008+00', 848, '3', 0, 1, 0, 1, 0, 0, 13, 4, 10, 0),
	(7, 'genbank', '3.0', 'vrl', 'gbvrl1.seq.gz', 'a04f233f010b3ad39a259a4e1ea8454498bbe6674e3ef84553cb1463e2dd5195', 5, 0, 8041, 'test', '2026-11-26 09:42:18.05897+00', 851, '3', 0, 0, 0, 0, 4, 1, 5, 6, 7, 0),
	(8, 'refseq', '7', 'viral', 'viral.1.genomic.gbff.gz', '481172af2f7a58adab38d4e1ae2a859c65ce0afcd6d8b884113baa3b8c3011fd', 3, 0, 30, 'run', '2026-11-26 09:42:18.32811+00', 854, '3', 0, 3, 0, 0, 0, 0, 15, 7, 10, 0),
	(9, 'refseq', '8', 'viral', 'viral.1.genomic.gbff.gz', 'fbe4a2c0261ec36e0d0cb52db0af8820ad7e296207ce6d3ef9bc3058ac3981f4', 2, 0, 13, 'run', '2026-11-26 09:42:18.597508+00', 858, '3', 0, 0, 1, 0, 1, 0, 6, 4, 10, 0),
	(10, 'refseq', '8', 'plasmid', 'plasmid.1.genomic.gbff.gz', '08a3af5709737bb19ea9a19232be5341450f31cecc808de856c1130ba4a19b71', 1, 0, 3, 'run', '2026-11-26 09:42:18.89067+00', 860, '3', 0, 1, 0, 0, 0, 0, 5, 2, 10, 0);
SELECT pg_catalog.setval('genbank.record_record_id_seq', 13, true);
SELECT pg_catalog.setval('genbank.source_file_source_file_id_seq', 10, true);
ALTER TABLE ONLY genbank.division_release
    ADD CONSTRAINT division_release_pkey PRIMARY KEY (collection, section, release);
ALTER TABLE ONLY genbank.feature
    ADD CONSTRAINT feature_pkey PRIMARY KEY (record_id, ordinal);
ALTER TABLE ONLY genbank.record
    ADD CONSTRAINT record_collection_section_accession_key UNIQUE (collection, section, accession) INCLUDE (record_id, is_current);
ALTER TABLE ONLY genbank.record_event
    ADD CONSTRAINT record_event_pkey PRIMARY KEY (record_id, release, state);
ALTER TABLE ONLY genbank.record
    ADD CONSTRAINT record_pkey PRIMARY KEY (record_id);
ALTER TABLE ONLY genbank.record_presence
    ADD CONSTRAINT record_presence_pkey PRIMARY KEY (record_id);
ALTER TABLE ONLY genbank.reference
    ADD CONSTRAINT reference_pkey PRIMARY KEY (record_id, ordinal);
ALTER TABLE ONLY genbank.release
    ADD CONSTRAINT release_pkey PRIMARY KEY (collection, release);
ALTER TABLE ONLY genbank.schema_version
    ADD CONSTRAINT schema_version_pkey PRIMARY KEY (version);
ALTER TABLE ONLY genbank.sequence
    ADD CONSTRAINT sequence_pkey PRIMARY KEY (sequence_sha256, molecule_class);
ALTER TABLE ONLY genbank.source_file
    ADD CONSTRAINT source_file_collection_section_release_name_key UNIQUE (collection, section, release, name);
ALTER TABLE ONLY genbank.source_file
    ADD CONSTRAINT source_file_pkey PRIMARY KEY (source_file_id);
CREATE INDEX feature_db_xref ON genbank.feature USING gin (db_xrefs) WHERE (db_xrefs IS NOT NULL);
CREATE INDEX feature_further_name ON genbank.feature USING gin (further_names) WHERE (further_names IS NOT NULL);
CREATE INDEX feature_gene ON genbank.feature USING hash (gene) WHERE (gene IS NOT NULL);
CREATE INDEX feature_interval ON genbank.feature USING btree (record_id, start_position, end_position);
CREATE INDEX feature_locus_tag ON genbank.feature USING hash (locus_tag) WHERE (locus_tag IS NOT NULL);
CREATE INDEX feature_product ON genbank.feature USING hash (product) WHERE (product IS NOT NULL);
CREATE INDEX record_accession ON genbank.record USING btree (accession);
CREATE INDEX record_accession_version ON genbank.record USING btree (accession_version);
CREATE INDEX record_division_date ON genbank.record USING btree (division, update_date);
CREATE INDEX record_event_accession ON genbank.record_event USING btree (accession);
CREATE INDEX record_event_release ON genbank.record_event USING btree (collection, release, section, state);
CREATE INDEX record_organism ON genbank.record USING hash (organism);
CREATE INDEX record_sequence ON genbank.record USING btree (sequence_sha256);
CREATE INDEX record_taxon ON genbank.record USING btree (taxon_id);
ALTER TABLE ONLY genbank.division_release
    ADD CONSTRAINT division_release_collection_release_fkey FOREIGN KEY (collection, release) REFERENCES genbank.release(collection, release);
ALTER TABLE ONLY genbank.source_file
    ADD CONSTRAINT source_file_collection_release_fkey FOREIGN KEY (collection, release) REFERENCES genbank.release(collection, release);
