-- The schema as version 1 made it (pg_dump -s, without comments): what test_postgres_schema migrates.
CREATE SCHEMA genbank;
CREATE FUNCTION genbank.begin_file() RETURNS void
    LANGUAGE sql
    AS $$
    CREATE TEMP TABLE stage_key (
        record_ordinal bigint, accession text, version integer, accession_version text, record_sha256 bytea,
        sequence_sha256 bytea, molecule_class text, length bigint, record_offset bigint, record_bytes bigint)
        ON COMMIT DROP;
    CREATE TEMP TABLE stage_record (record_ordinal bigint, molecule_class text, accession text, version integer, accession_version text, locus_name text, collection text, division text, molecule_type text, strandedness text, topology text, update_date date, length bigint, length_unit text, definition text, secondary_accessions text[], dblinks jsonb, keywords text[], segment text, dbsource text, source text, organism text, taxonomy text[], taxon_id bigint, taxon_ids bigint[], comment text, structured_comments jsonb, primary_block text, contig text, wgs_ranges jsonb, notes text[], gc_fraction double precision, sequence_sha256 bytea, record_sha256 bytea, release text, source_file text) ON COMMIT DROP;
    CREATE TEMP TABLE stage_feature (
        record_ordinal bigint, ordinal integer, key text, location text, operator text, start_position bigint,
        end_position bigint, strand smallint, partial_start boolean, partial_end boolean, spans_origin boolean,
        qualifiers jsonb, gene text, locus_tag text, product text, db_xrefs text[]) ON COMMIT DROP;
    CREATE TEMP TABLE stage_reference (
        record_ordinal bigint, ordinal integer, number integer, location text, authors text, consortium text,
        title text, journal text, medline text, pubmed text, remark text) ON COMMIT DROP;
$$;
CREATE FUNCTION genbank.mark_absent(in_collection text, in_section text, in_release text, in_run_id text) RETURNS bigint
    LANGUAGE plpgsql
    AS $$
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
CREATE FUNCTION genbank.merge_file(in_collection text, in_section text, in_release text, in_name text, in_raw_sha256 text, in_records bigint, in_quarantined bigint, in_residues bigint, in_run_id text, OUT merged bigint, OUT is_new bigint, OUT is_sequence_changed bigint, OUT is_annotation_changed bigint, OUT is_unchanged bigint, OUT is_returned bigint, OUT duplicate_accessions bigint) RETURNS record
    LANGUAGE plpgsql
    AS $$
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
    UPDATE genbank.record r SET is_current = true, section = in_section, molecule_class = s.molecule_class, version = s.version, accession_version = s.accession_version, locus_name = s.locus_name, division = s.division, molecule_type = s.molecule_type, strandedness = s.strandedness, topology = s.topology, update_date = s.update_date, length = s.length, length_unit = s.length_unit, definition = s.definition, secondary_accessions = s.secondary_accessions, dblinks = s.dblinks, keywords = s.keywords, segment = s.segment, dbsource = s.dbsource, source = s.source, organism = s.organism, taxonomy = s.taxonomy, taxon_id = s.taxon_id, taxon_ids = s.taxon_ids, comment = s.comment, structured_comments = s.structured_comments, primary_block = s.primary_block, contig = s.contig, wgs_ranges = s.wgs_ranges, notes = s.notes, gc_fraction = s.gc_fraction, sequence_sha256 = s.sequence_sha256, record_sha256 = s.record_sha256, release = s.release, source_file = s.source_file
        FROM stage_record s JOIN stage_change c USING (record_ordinal)
        WHERE r.record_id = c.record_id AND c.differs;
    UPDATE genbank.record r SET is_current = true FROM stage_change c
        WHERE r.record_id = c.record_id AND c.state = 'returned' AND NOT c.differs;
    WITH added AS (
        INSERT INTO genbank.record (section, is_current, molecule_class, accession, version, accession_version, locus_name, collection, division, molecule_type, strandedness, topology, update_date, length, length_unit, definition, secondary_accessions, dblinks, keywords, segment, dbsource, source, organism, taxonomy, taxon_id, taxon_ids, comment, structured_comments, primary_block, contig, wgs_ranges, notes, gc_fraction, sequence_sha256, record_sha256, release, source_file)
            SELECT in_section, true, s.molecule_class, s.accession, s.version, s.accession_version, s.locus_name, s.collection, s.division, s.molecule_type, s.strandedness, s.topology, s.update_date, s.length, s.length_unit, s.definition, s.secondary_accessions, s.dblinks, s.keywords, s.segment, s.dbsource, s.source, s.organism, s.taxonomy, s.taxon_id, s.taxon_ids, s.comment, s.structured_comments, s.primary_block, s.contig, s.wgs_ranges, s.notes, s.gc_fraction, s.sequence_sha256, s.record_sha256, s.release, s.source_file
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
CREATE FUNCTION genbank.wanted_ordinals(in_collection text, in_section text) RETURNS SETOF bigint
    LANGUAGE plpgsql
    AS $$
BEGIN
    RETURN QUERY SELECT k.record_ordinal FROM stage_key k
    LEFT JOIN genbank.record r
        ON r.collection = in_collection AND r.section = in_section AND r.accession = k.accession
        AND r.record_sha256 = k.record_sha256
    WHERE r.record_id IS NULL ORDER BY 1;
END $$;
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
    db_xrefs text[]
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
    source_file text NOT NULL
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
    record_ordinal bigint NOT NULL
)
WITH (fillfactor='80');
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
    transaction_id bigint NOT NULL
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
     JOIN genbank.source_file f USING (source_file_id));
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
    first_loaded_at timestamp with time zone DEFAULT now() NOT NULL
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
ALTER TABLE ONLY genbank.feature
    ADD CONSTRAINT feature_pkey PRIMARY KEY (record_id, ordinal);
ALTER TABLE ONLY genbank.record
    ADD CONSTRAINT record_collection_section_accession_key UNIQUE (collection, section, accession);
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
ALTER TABLE ONLY genbank.source_file
    ADD CONSTRAINT source_file_collection_release_fkey FOREIGN KEY (collection, release) REFERENCES genbank.release(collection, release);
INSERT INTO genbank.schema_version (version) VALUES (1);
