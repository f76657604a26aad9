-- Functions for loading. A file is loaded in one transaction with a fixed number of statements; rows are locked in order of
-- their ids, so that loads of different divisions cannot deadlock.

-- Records a release, or a day based on one, and returns its position in the order of states. A release without a date is placed
-- where it was first fetched; whatever their dates, releases are ordered by number.
CREATE OR REPLACE FUNCTION genbank.note_release(
        in_collection text, in_release text, in_major integer, in_minor integer, in_date date, in_fetched date,
        OUT noted bigint)
    LANGUAGE plpgsql AS $$
DECLARE
    is_day boolean := genbank.daily_date(in_release) IS NOT NULL;
    on_date date := coalesce(in_date, in_fetched);
BEGIN
    SELECT r.point INTO noted FROM genbank.release r WHERE r.collection = in_collection AND r.release = in_release;
    IF noted IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(726341, hashtext(in_collection));
    IF is_day THEN
        noted := genbank.point_of(in_date, NULL, NULL);
    ELSE
        SELECT greatest(on_date, max(genbank.date_of_point(r.point))
                            FILTER (WHERE (r.release_major, r.release_minor) < (in_major, in_minor)))
            INTO on_date FROM genbank.release r
            WHERE r.collection = in_collection AND genbank.daily_date(r.release) IS NULL;
        SELECT least(on_date, min(genbank.date_of_point(r.point))
                            FILTER (WHERE (r.release_major, r.release_minor) > (in_major, in_minor)))
            INTO on_date FROM genbank.release r
            WHERE r.collection = in_collection AND genbank.daily_date(r.release) IS NULL;
        noted := genbank.point_of(on_date, in_major, in_minor);
    END IF;
    INSERT INTO genbank.release (collection, release, release_major, release_minor, release_date, point)
        VALUES (in_collection, in_release, in_major, in_minor, in_date, noted) ON CONFLICT DO NOTHING;
    SELECT r.point INTO noted FROM genbank.release r WHERE r.collection = in_collection AND r.release = in_release;
END $$;

-- Marks the division as being loaded with this release, after which earlier days and releases change nothing. Waits for
-- transactions that are changing the division. Returns false, changing nothing, if the division has a later release.
CREATE OR REPLACE FUNCTION genbank.begin_release(
        in_collection text, in_section text, in_release text, in_point bigint, in_input_digest text)
    RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO genbank.division AS d (collection, section, release, point, input_digest, is_attached)
        VALUES (in_collection, in_section, in_release, in_point, in_input_digest, false)
        ON CONFLICT (collection, section) DO UPDATE SET
            release = excluded.release, point = excluded.point, input_digest = excluded.input_digest
            WHERE d.point <= excluded.point;
    RETURN EXISTS (SELECT FROM genbank.division d WHERE d.collection = in_collection AND d.section = in_section
                   AND d.point = in_point);
END $$;

-- Locks the division's loading state until the transaction ends; an error if it is not what the caller expects. Returns false
-- for a day that is not later than the division's release.
CREATE OR REPLACE FUNCTION genbank.enter_division(
        in_collection text, in_section text, in_release text, in_point bigint, in_attached boolean)
    RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    found genbank.division;
BEGIN
    SELECT * INTO found FROM genbank.division d
        WHERE d.collection = in_collection AND d.section = in_section FOR SHARE;
    IF genbank.daily_date(in_release) IS NOT NULL THEN
        RETURN found.is_attached AND found.point < in_point;
    END IF;
    IF found.point IS DISTINCT FROM in_point OR found.is_attached IS DISTINCT FROM in_attached THEN
        RAISE EXCEPTION '%/% is on the way to release % now, not to %', in_collection, in_section,
            coalesce(found.release, 'none'), in_release USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN true;
END $$;

-- The id of a loaded file. A file that is loaded again from the same bytes keeps its id, because rows refer to it; one that was
-- issued again gets a new id, and the previous entry is kept for the rows that refer to it.
CREATE OR REPLACE FUNCTION genbank.enter_file(
        in_collection text, in_section text, in_release text, in_name text, in_raw_sha256 text)
    RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    file_id bigint;
BEGIN
    SELECT f.source_file_id INTO file_id FROM genbank.source_file f
        WHERE f.collection = in_collection AND f.section = in_section AND f.release = in_release AND f.name = in_name
          AND f.raw_sha256 = in_raw_sha256 AND f.replaced_at IS NULL;
    RETURN coalesce(file_id, nextval(pg_get_serial_sequence('genbank.source_file', 'source_file_id')));
END $$;

-- A file of a first load: its id and the ids of its records, 8 bytes each; nothing if it is already loaded, by a worker that was
-- considered lost. Concurrent loads of the same file are serialised.
CREATE OR REPLACE FUNCTION genbank.plan_first_file(
        in_collection text, in_section text, in_release text, in_point bigint, in_name text, in_raw_sha256 text,
        in_records bigint, OUT file_id bigint, OUT record_ids bytea)
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM genbank.enter_division(in_collection, in_section, in_release, in_point, false);
    PERFORM pg_advisory_xact_lock(726342, hashtext(format('%s/%s/%s', in_collection, in_section, in_name)));
    IF EXISTS (SELECT FROM genbank.source_file f
               WHERE f.collection = in_collection AND f.section = in_section AND f.release = in_release
                 AND f.name = in_name AND f.raw_sha256 = in_raw_sha256 AND f.replaced_at IS NULL) THEN
        RETURN;
    END IF;
    file_id := genbank.enter_file(in_collection, in_section, in_release, in_name, in_raw_sha256);
    record_ids := (SELECT string_agg(int8send(n), '')
                   FROM (SELECT nextval('genbank.record_number') AS n FROM generate_series(1, in_records)) numbers);
END $$;

-- Deletes rows that are about to be replaced. Sequential scans are disabled: for tables that have just grown, the planner lacks
-- statistics and would read all features of the division for a few records.
CREATE OR REPLACE FUNCTION genbank.remove_records(ids bigint[], in_collection text, in_section text) RETURNS void
    LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    DELETE FROM genbank.feature f
        WHERE f.record_id = ANY (ids) AND f.collection = in_collection AND f.section = in_section;
    DELETE FROM genbank.reference f
        WHERE f.record_id = ANY (ids) AND f.collection = in_collection AND f.section = in_section;
    DELETE FROM genbank.record r
        WHERE r.record_id = ANY (ids) AND r.collection = in_collection AND r.section = in_section;
END $$;

-- The other divisions that may have had a record which is new in this one, as a list for IN: those whose current records are
-- from another release, and those with absent records.
CREATE OR REPLACE FUNCTION genbank.moved_from_where(in_collection text, in_section text, in_point bigint) RETURNS text
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    behind text := (SELECT string_agg(quote_literal(d.section), ', ') FROM genbank.division d
                    WHERE d.collection = in_collection AND d.section <> in_section AND d.is_attached
                      AND d.finished_point IS DISTINCT FROM in_point);
    others text := (SELECT string_agg(quote_literal(d.section), ', ') FROM genbank.division d
                    WHERE d.collection = in_collection AND d.section <> in_section AND d.is_attached);
BEGIN
    IF others IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN format('r.collection = %L AND r.point <= %s AND (%s OR NOT r.is_current AND r.section IN (%s))',
                  in_collection, in_point, coalesce('r.is_current AND r.section IN (' || behind || ')', 'false'), others);
END $$;

-- Compares each staged record with the loaded one. Returns (record_ordinal, record_id) of the records to send, 8 bytes each;
-- file_id is null if the file is from a day that a release has superseded. in_disjoint: a record is in only one division of the
-- collection at a time, so one that appears in another has moved there, with its history.
-- A row is replaced only by a state at the same or a later point; later states are "kept". Most records of an update are
-- unchanged: they are only counted, and all further steps use stage_change, which has the others.
CREATE OR REPLACE FUNCTION genbank.plan_file(
        in_collection text, in_section text, in_release text, in_point bigint, in_name text, in_raw_sha256 text,
        in_code_version text, in_disjoint boolean, OUT wanted bytea, OUT file_id bigint, OUT unchanged bigint)
    LANGUAGE plpgsql SET enable_material = off SET enable_seqscan = off AS $$
DECLARE
    is_day boolean := genbank.daily_date(in_release) IS NOT NULL;
    other record;
    elsewhere text;
BEGIN
    ANALYZE stage_key (accession);
    CREATE TEMP TABLE stage_change (LIKE stage_key, record_id bigint, previous_accession_version text, moved_from text,
                                    state text, differs boolean) ON COMMIT DROP;
    IF NOT genbank.enter_division(in_collection, in_section, in_release, in_point, true) THEN
        RETURN;
    END IF;
    file_id := genbank.enter_file(in_collection, in_section, in_release, in_name, in_raw_sha256);
    WITH compared AS MATERIALIZED (
        SELECT k.*, r.record_id, r.is_current,
               r.record_id IS NULL OR r.record_sha256 <> k.record_sha256 OR r.code_version <> in_code_version
                    AS differs,
               r.point > in_point AS is_later, r.record_sha256 = k.record_sha256 AS is_same
        FROM stage_key k LEFT JOIN genbank.record r
            ON r.collection = in_collection AND r.section = in_section AND r.accession = k.accession),
    changed AS (
        INSERT INTO stage_change
        SELECT c.record_ordinal, c.accession, c.version, c.accession_version, c.record_sha256, c.sequence_sha256,
               c.molecule_class, c.length, c.record_offset, c.record_bytes, c.record_id, NULL, NULL,
               CASE WHEN c.record_id IS NULL THEN 'new' WHEN c.is_later THEN 'kept'
                    WHEN NOT c.is_current THEN 'returned' WHEN c.is_same THEN 'unchanged' ELSE 'changed' END,
               c.differs AND c.is_later IS NOT TRUE
        FROM compared c
        WHERE is_day OR c.differs OR c.is_later OR NOT c.is_current ORDER BY c.record_ordinal)
    SELECT count(*) INTO unchanged FROM compared c WHERE NOT (is_day OR c.differs OR c.is_later OR NOT c.is_current);
    ANALYZE stage_change (record_id, accession, state, differs);
    IF in_disjoint AND NOT is_day THEN
        elsewhere := genbank.moved_from_where(in_collection, in_section, in_point);
    END IF;
    IF elsewhere IS NOT NULL AND EXISTS (SELECT FROM stage_change WHERE record_id IS NULL) THEN
        EXECUTE format('
            UPDATE stage_change c SET record_id = m.record_id, moved_from = m.section,
                   state = CASE WHEN NOT m.is_current AND m.point <> %s THEN ''returned''
                                WHEN m.record_sha256 = c.record_sha256 THEN ''unchanged'' ELSE ''changed'' END
            FROM (SELECT DISTINCT ON (k.accession) k.accession, r.record_id, r.section, r.is_current, r.point,
                         r.record_sha256
                  FROM stage_change k JOIN genbank.record r ON r.accession = k.accession AND %s
                  WHERE k.record_id IS NULL ORDER BY k.accession, r.is_current DESC, r.point DESC, r.record_id) m
            WHERE c.record_id IS NULL AND c.accession = m.accession', in_point, elsewhere);
    END IF;
    UPDATE stage_change SET record_id = nextval('genbank.record_number') WHERE record_id IS NULL;

    -- Lock in order of record_id; changes committed meanwhile by other loads are visible from here on.
    PERFORM 1 FROM genbank.record r JOIN stage_change c ON r.record_id = c.record_id
        WHERE r.collection = in_collection AND r.section = coalesce(c.moved_from, in_section)
          AND c.state NOT IN ('new', 'kept')
        ORDER BY r.record_id FOR UPDATE OF r;
    UPDATE stage_change c SET state = 'kept', differs = false FROM genbank.record r
        WHERE r.collection = in_collection AND r.section = coalesce(c.moved_from, in_section)
          AND r.record_id = c.record_id AND r.point > in_point AND c.state NOT IN ('new', 'kept');
    UPDATE stage_change c SET
            previous_accession_version = r.accession_version,
            state = CASE WHEN c.state <> 'changed' THEN c.state
                         WHEN r.sequence_sha256 IS DISTINCT FROM c.sequence_sha256
                              OR r.accession_version <> c.accession_version THEN 'sequence_changed'
                         ELSE 'annotation_changed' END
        FROM genbank.record r
        WHERE r.collection = in_collection AND r.section = coalesce(c.moved_from, in_section)
          AND r.record_id = c.record_id AND c.state <> 'new';
    FOR other IN SELECT coalesce(moved_from, in_section) AS section, array_agg(record_id ORDER BY record_id) AS ids
                 FROM stage_change WHERE differs AND state <> 'new' GROUP BY 1 ORDER BY 1 LOOP
        PERFORM genbank.remove_records(other.ids, in_collection, other.section);
    END LOOP;
    UPDATE genbank.record r SET
            is_current = true, point = in_point, source_file_id = file_id, record_offset = c.record_offset,
            record_bytes = c.record_bytes, record_ordinal = c.record_ordinal, last_release = NULL
        FROM stage_change c
        WHERE r.collection = in_collection AND r.section = in_section AND r.record_id = c.record_id AND NOT c.differs
          AND (c.state = 'returned' OR c.state = 'unchanged' AND is_day);
    wanted := (SELECT string_agg(int8send(record_ordinal) || int8send(record_id), '' ORDER BY record_ordinal)
               FROM stage_change WHERE differs);
END $$;

-- Writes the ledger entry and the history of a file whose records were sent; returns the number of rows written.
CREATE OR REPLACE FUNCTION genbank.finish_file(
        in_collection text, in_section text, in_release text, in_point bigint, in_entry jsonb, in_unchanged bigint,
        OUT merged bigint)
    LANGUAGE plpgsql AS $$
DECLARE
    kept bigint[] := ARRAY(SELECT record_id FROM stage_change WHERE state = 'kept' ORDER BY 1);
    again bigint[] := '{}';
BEGIN
    IF EXISTS (SELECT FROM genbank.division d WHERE d.collection = in_collection AND d.section = in_section
               AND d.finished_point = in_point)
       OR EXISTS (SELECT FROM genbank.source_file f WHERE f.collection = in_collection AND f.section = in_section
                  AND f.release = in_release AND f.name = in_entry ->> 'name') THEN
        again := genbank.issued_again(ARRAY(SELECT record_id FROM stage_change WHERE state NOT IN ('unchanged', 'kept')),
                                      in_collection, in_point);
    END IF;
    -- A division loaded earlier may have marked a record absent that had only moved here.
    DELETE FROM genbank.record_event e USING stage_change c
        WHERE c.moved_from IS NOT NULL AND e.collection = in_collection AND e.record_id = c.record_id
          AND e.release = in_release AND e.state = 'absent';
    INSERT INTO genbank.record_event (record_id, release, state, collection, section, accession, version,
                                      accession_version, record_sha256, sequence_sha256,
                                      previous_accession_version, evidence, run_id, point)
        SELECT record_id, in_release, CASE state WHEN 'kept' THEN 'annotation_changed' ELSE state END,
               in_collection, in_section, accession, version, accession_version,
               record_sha256, sequence_sha256, previous_accession_version, 'moved from ' || moved_from,
               in_entry ->> 'run_id', in_point
        FROM stage_change WHERE state <> 'unchanged'
        ON CONFLICT (record_id, release, state, collection, section) DO UPDATE SET
            accession_version = excluded.accession_version, version = excluded.version,
            record_sha256 = excluded.record_sha256, sequence_sha256 = excluded.sequence_sha256,
            evidence = excluded.evidence, run_id = excluded.run_id, at = excluded.at;
    GET DIAGNOSTICS merged = ROW_COUNT;
    IF cardinality(again) > 0 THEN
        PERFORM genbank.retell(again, in_collection);
    END IF;
    IF cardinality(kept) > 0 THEN
        -- A state repeated by a later day has no event, but affects states inserted before it.
        INSERT INTO genbank.record_event (record_id, release, state, collection, section, accession, version,
                                          accession_version, record_sha256, sequence_sha256, run_id, at, point)
            SELECT r.record_id, f.release, 'annotation_changed', r.collection, r.section, r.accession, r.version,
                   r.accession_version, r.record_sha256, r.sequence_sha256, f.run_id, f.loaded_at, r.point
            FROM genbank.record r JOIN genbank.source_file f USING (source_file_id)
            WHERE r.collection = in_collection AND r.section = in_section AND r.record_id = ANY (kept) AND r.is_current
              AND NOT EXISTS (SELECT FROM genbank.record_event e
                              WHERE e.collection = in_collection AND e.record_id = r.record_id AND e.point = r.point);
        PERFORM genbank.retell(kept, in_collection);
    END IF;
    PERFORM genbank.note_file(in_collection, in_section, in_release, in_entry || (
        SELECT jsonb_build_object(
            'records_new', count(*) FILTER (WHERE state = 'new'),
            'records_sequence_changed', count(*) FILTER (WHERE state = 'sequence_changed'),
            'records_annotation_changed', count(*) FILTER (WHERE state = 'annotation_changed'),
            'records_unchanged', in_unchanged + count(*) FILTER (WHERE state = 'unchanged'),
            'records_returned', count(*) FILTER (WHERE state = 'returned'),
            'records_kept', count(*) FILTER (WHERE state = 'kept'), 'rows_merged', merged)
        FROM stage_change));
END $$;

CREATE OR REPLACE FUNCTION genbank.note_file(in_collection text, in_section text, in_release text, in_entry jsonb)
    RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE genbank.source_file f SET replaced_at = now()
        WHERE f.collection = in_collection AND f.section = in_section AND f.release = in_release
          AND f.name = in_entry ->> 'name' AND f.replaced_at IS NULL
          AND f.source_file_id <> (in_entry ->> 'source_file_id')::bigint;
    INSERT INTO genbank.source_file (
            source_file_id, collection, release, section, name, raw_sha256, records, quarantined, residues, run_id,
            transaction_id, code_version, superseded, records_new, records_sequence_changed, records_annotation_changed,
            records_unchanged, records_returned, records_kept, rows_copied, rows_merged, sql_statements, record_digest)
        SELECT e.source_file_id, in_collection, in_release, in_section, e.name, e.raw_sha256, e.records, e.quarantined,
               e.residues, e.run_id, txid_current(), e.code_version, e.superseded, e.records_new,
               coalesce(e.records_sequence_changed, 0), coalesce(e.records_annotation_changed, 0),
               coalesce(e.records_unchanged, 0), coalesce(e.records_returned, 0), coalesce(e.records_kept, 0),
               e.rows_copied, coalesce(e.rows_merged, 0), e.sql_statements, e.record_digest
        FROM jsonb_populate_record(NULL::genbank.source_file, in_entry) e
        ON CONFLICT (source_file_id) DO UPDATE SET
            records = excluded.records, quarantined = excluded.quarantined, residues = excluded.residues,
            run_id = excluded.run_id, loaded_at = now(), transaction_id = excluded.transaction_id,
            code_version = excluded.code_version, superseded = excluded.superseded,
            records_new = excluded.records_new, records_sequence_changed = excluded.records_sequence_changed,
            records_annotation_changed = excluded.records_annotation_changed,
            records_unchanged = excluded.records_unchanged, records_returned = excluded.records_returned,
            records_kept = excluded.records_kept, rows_copied = excluded.rows_copied,
            rows_merged = excluded.rows_merged, sql_statements = excluded.sql_statements,
            record_digest = excluded.record_digest;
END $$;

-- Of some records, those that already have events at this point, because the release or day was issued before. Events recorded
-- from here on take precedence, whatever the time of the earlier ones, because the clock may have been set back.
CREATE OR REPLACE FUNCTION genbank.issued_again(ids bigint[], in_collection text, in_point bigint) RETURNS bigint[]
    LANGUAGE plpgsql AS $$
DECLARE
    again bigint[];
BEGIN
    again := ARRAY(SELECT DISTINCT e.record_id FROM genbank.record_event e
                   WHERE e.collection = in_collection AND e.record_id = ANY (ids) AND e.point = in_point ORDER BY 1);
    UPDATE genbank.record_event e SET at = now() - interval '1 microsecond'
        WHERE e.collection = in_collection AND e.record_id = ANY (again) AND e.point = in_point AND e.at >= now();
    RETURN again;
END $$;

-- Recomputes the history of records in the order of states: a day or release that was loaded late belongs between others, and
-- later states must be compared with it. If a release was issued more than once, the last issue counts: changes of an earlier
-- issue that it does not contain are removed. Only for a record that no other release has is its existence kept.
CREATE OR REPLACE FUNCTION genbank.retell(ids bigint[], in_collection text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH taken AS (
        DELETE FROM genbank.record_event e
            WHERE e.collection = in_collection AND e.record_id = ANY (ids) RETURNING e.*),
    ranked AS (
        SELECT t.*, row_number() OVER same AS back, first_value(t.state) OVER same AS last_state,
               row_number() OVER (PARTITION BY t.record_id, t.point, t.state = 'absent' ORDER BY t.at DESC) AS back_of_kind,
               t.point = min(t.point) OVER (PARTITION BY t.record_id) AS is_first
        FROM taken t
        WINDOW same AS (PARTITION BY t.record_id, t.point ORDER BY t.at DESC, t.state = 'absent')),
    counting AS (
        SELECT r.* FROM ranked r
        WHERE r.back = 1
           OR r.is_first AND r.last_state = 'absent' AND r.state <> 'absent' AND r.back_of_kind = 1),
    placed AS (
        SELECT t.*, lag(t.state) OVER w AS before_state, lag(t.record_sha256) OVER w AS before_sha256,
               lag(t.sequence_sha256) OVER w AS before_sequence, lag(t.accession_version) OVER w AS before_version
        FROM counting t WINDOW w AS (PARTITION BY t.record_id ORDER BY t.point, t.at, t.state <> 'absent')),
    told AS (
        SELECT p.*, CASE WHEN p.state = 'absent' THEN 'absent' WHEN p.before_state IS NULL THEN 'new'
                         WHEN p.before_state = 'absent' THEN 'returned'
                         WHEN p.before_sha256 = p.record_sha256 THEN NULL
                         WHEN p.before_sequence IS DISTINCT FROM p.sequence_sha256
                              OR p.before_version <> p.accession_version THEN 'sequence_changed'
                         ELSE 'annotation_changed' END AS state_now
        FROM placed p)
    INSERT INTO genbank.record_event (record_id, release, state, collection, section, accession, version,
                                      accession_version, record_sha256, sequence_sha256,
                                      previous_accession_version, evidence, run_id, at, point)
        SELECT DISTINCT ON (record_id, release, state_now, section)
               record_id, release, state_now, collection, section, accession, version, accession_version,
               record_sha256, sequence_sha256, before_version, evidence, run_id, at, point
        FROM told WHERE state_now IS NOT NULL
        ORDER BY record_id, release, state_now, section, at DESC;
END $$;

-- Marks records of a division that no file of the release has as absent: those whose accession is not in stage_accession,
-- except those of a later daily update.
CREATE OR REPLACE FUNCTION genbank.mark_absent(
        in_collection text, in_section text, in_release text, in_point bigint, in_run_id text)
    RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    gone bigint;
    again bigint[];
BEGIN
    CREATE TEMP TABLE stage_gone ON COMMIT DROP AS
        SELECT r.record_id FROM genbank.record r
        WHERE r.collection = in_collection AND r.section = in_section AND r.is_current AND r.point <= in_point
          AND NOT EXISTS (SELECT FROM stage_accession s WHERE s.accession = r.accession);
    ANALYZE stage_gone;
    again := genbank.issued_again(ARRAY(SELECT record_id FROM stage_gone), in_collection, in_point);
    PERFORM 1 FROM genbank.record r
        WHERE r.collection = in_collection AND r.section = in_section
          AND r.record_id IN (SELECT record_id FROM stage_gone)
        ORDER BY r.record_id FOR UPDATE;
    WITH gone_now AS (
        UPDATE genbank.record r SET is_current = false, point = in_point, last_release = l.last_release
            FROM stage_gone g JOIN (
                SELECT o.record_id, CASE WHEN o.point <= d.finished_point THEN d.finished_release ELSE f.release END
                           AS last_release
                FROM genbank.record o JOIN genbank.division d USING (collection, section)
                     LEFT JOIN genbank.source_file f USING (source_file_id)
                WHERE o.collection = in_collection AND o.section = in_section) l USING (record_id)
            WHERE r.collection = in_collection AND r.section = in_section AND r.record_id = g.record_id
              AND r.is_current AND r.point <= in_point
            RETURNING r.record_id, r.accession, r.version, r.accession_version)
    INSERT INTO genbank.record_event (record_id, release, state, collection, section, accession, version,
                                      accession_version, previous_accession_version, run_id, point)
        SELECT g.record_id, in_release, 'absent', in_collection, in_section, g.accession, g.version,
               g.accession_version, g.accession_version, in_run_id, in_point
        FROM gone_now g
        ON CONFLICT (record_id, release, state, collection, section) DO UPDATE SET
            evidence = excluded.evidence, run_id = excluded.run_id, at = excluded.at;
    GET DIAGNOSTICS gone = ROW_COUNT;
    IF cardinality(again) > 0 THEN
        PERFORM genbank.retell(again, in_collection);
    END IF;
    RETURN gone;
END $$;

-- After a first load: records that were in another division have moved here, with their id and history.
CREATE OR REPLACE FUNCTION genbank.adopt_moved(
        in_collection text, in_section text, in_release text, in_point bigint, OUT adopted bigint)
    LANGUAGE plpgsql AS $$
DECLARE
    elsewhere text := genbank.moved_from_where(in_collection, in_section, in_point);
    other record;
BEGIN
    adopted := 0;
    IF elsewhere IS NULL THEN
        RETURN;
    END IF;
    EXECUTE format('
        CREATE TEMP TABLE stage_moved ON COMMIT DROP AS
        SELECT DISTINCT ON (n.record_id) n.record_id AS new_id, r.record_id AS old_id, r.section AS old_section,
               r.accession_version AS previous_accession_version,
               CASE WHEN NOT r.is_current AND r.point <> %s THEN ''returned''
                    WHEN r.record_sha256 = n.record_sha256 THEN ''unchanged''
                    WHEN r.sequence_sha256 IS DISTINCT FROM n.sequence_sha256
                         OR r.accession_version <> n.accession_version THEN ''sequence_changed''
                    ELSE ''annotation_changed'' END AS state
        FROM genbank.record n JOIN genbank.record r ON r.accession = n.accession AND %s
        WHERE n.collection = %L AND n.section = %L
        ORDER BY n.record_id, r.is_current DESC, r.point DESC, r.record_id', in_point, elsewhere, in_collection, in_section);
    GET DIAGNOSTICS adopted = ROW_COUNT;
    IF adopted = 0 THEN
        RETURN;
    END IF;
    ANALYZE stage_moved;
    PERFORM 1 FROM genbank.record r
        WHERE r.collection = in_collection AND r.record_id IN (SELECT old_id FROM stage_moved)
        ORDER BY r.record_id FOR UPDATE;
    DELETE FROM stage_moved m USING genbank.record r
        WHERE r.collection = in_collection AND r.record_id = m.old_id AND r.point > in_point;
    FOR other IN SELECT old_section, array_agg(old_id ORDER BY old_id) AS ids FROM stage_moved GROUP BY 1 ORDER BY 1 LOOP
        PERFORM genbank.remove_records(other.ids, in_collection, other.old_section);
    END LOOP;
    UPDATE genbank.record r SET record_id = m.old_id FROM stage_moved m
        WHERE r.collection = in_collection AND r.section = in_section AND r.record_id = m.new_id;
    UPDATE genbank.feature f SET record_id = m.old_id FROM stage_moved m
        WHERE f.collection = in_collection AND f.section = in_section AND f.record_id = m.new_id;
    UPDATE genbank.reference f SET record_id = m.old_id FROM stage_moved m
        WHERE f.collection = in_collection AND f.section = in_section AND f.record_id = m.new_id;
    DELETE FROM genbank.record_event e USING stage_moved m
        WHERE e.collection = in_collection AND e.release = in_release
          AND (e.record_id = m.old_id AND e.state = 'absent'
               OR e.section = in_section AND e.record_id = m.new_id AND m.state = 'unchanged');
    UPDATE genbank.record_event e SET
            record_id = m.old_id, state = m.state, evidence = 'moved from ' || m.old_section,
            previous_accession_version = m.previous_accession_version
        FROM stage_moved m
        WHERE e.collection = in_collection AND e.section = in_section AND e.record_id = m.new_id;
    UPDATE genbank.source_file f SET
            records_new = f.records_new - c.moved, records_unchanged = f.records_unchanged + c.unchanged,
            records_returned = f.records_returned + c.returned,
            records_sequence_changed = f.records_sequence_changed + c.sequence_changed,
            records_annotation_changed = f.records_annotation_changed + c.annotation_changed
        FROM (SELECT r.source_file_id, count(*) AS moved, count(*) FILTER (WHERE m.state = 'unchanged') AS unchanged,
                     count(*) FILTER (WHERE m.state = 'returned') AS returned,
                     count(*) FILTER (WHERE m.state = 'sequence_changed') AS sequence_changed,
                     count(*) FILTER (WHERE m.state = 'annotation_changed') AS annotation_changed
              FROM stage_moved m JOIN genbank.record r
                   ON r.collection = in_collection AND r.section = in_section AND r.record_id = m.old_id
              GROUP BY 1) c
        WHERE f.source_file_id = c.source_file_id;
END $$;

-- Adds NCBI's staged lists to the changes they confirm: gbnew to new or returned records, gbchg to changed ones, gbdel and
-- removed-records to absent ones.
CREATE OR REPLACE FUNCTION genbank.attach_evidence(in_collection text, in_section text, in_release text)
    RETURNS void LANGUAGE plpgsql AS $$
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
