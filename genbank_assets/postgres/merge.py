"""The set-based merge of one staged file, as functions inside the database.

All keys of a file come in the temporary table ``stage_key``. ``plan_file`` compares them with what is loaded, removes
the rows that are to be replaced, and answers which records are wanted and under which ``record_id``; ``note_places``
notes the new place of records that did not change, while the client reads those that are wanted; these go by COPY into
the tables themselves; ``finish_file`` writes what follows from it.
Everything runs in the caller's one transaction, takes a fixed number of statements whatever the file's size, and locks
rows in order of their keys, so that loads of different divisions cannot deadlock. Sending the rows belongs to ``load``.
"""

from typing import Final, LiteralString

STAGE_KEY: Final[LiteralString] = """
CREATE TEMP TABLE stage_key (
    record_ordinal bigint, accession text, version integer, accession_version text, record_sha256 bytea,
    sequence_sha256 bytea, molecule_class text, length bigint, record_offset bigint, record_bytes bigint)
    ON COMMIT DROP
"""
STAGE_ACCESSION: Final[LiteralString] = "CREATE TEMP TABLE stage_accession (accession text) ON COMMIT DROP"
STAGE_EVIDENCE: Final[LiteralString] = (
    "CREATE TEMP TABLE stage_evidence (accession text, list text, source_file text) ON COMMIT DROP"
)

MERGE_FUNCTIONS: Final[LiteralString] = """
-- Rows that are about to be replaced. Never by a sequential scan: of tables that have just grown the planner knows too
-- little, and would read all features of the division for a handful of records.
CREATE FUNCTION genbank.remove_records(ids bigint[]) RETURNS void LANGUAGE plpgsql SET enable_seqscan = off AS $$
BEGIN
    DELETE FROM genbank.feature WHERE record_id = ANY (ids);
    DELETE FROM genbank.reference WHERE record_id = ANY (ids);
    DELETE FROM genbank.record WHERE record_id = ANY (ids);
END $$;

-- What each staged record means for what is loaded. Answers with (record_ordinal, record_id) of the records to send,
-- both as 8 bytes, and with what finish_file needs. in_disjoint: a record is in one division of the collection at a
-- time, so that one which turns up in another division has moved there, with its history. in_date: the release's date,
-- or the day of a daily update; what a later daily update brought stays as it is.
-- Of most records of an update nothing changed but their place: they go to stage_same, for note_places, and all that
-- follows looks at stage_change, which has the others.
-- No join may go over all loaded records again and again: of a table that has just grown the planner expects one row.
CREATE FUNCTION genbank.plan_file(
        in_collection text, in_section text, in_release text, in_code_version text, in_disjoint boolean, in_date date,
        OUT wanted bytea, OUT file_id bigint)
    LANGUAGE plpgsql SET enable_material = off AS $$
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

-- Whether a file is of another division. VOLATILE, so that it sees what was committed after its caller began.
CREATE FUNCTION genbank.is_elsewhere(in_file_id bigint, in_collection text, in_section text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM genbank.source_file f WHERE f.source_file_id = in_file_id
                   AND f.collection = in_collection AND f.section <> in_section);
END $$;

-- Where the file has the records of stage_same; answers how many. One that another division's load of this release has
-- taken since plan_file stays there: its file is no longer this one's, and the count of the division says so.
CREATE FUNCTION genbank.note_places(
        in_collection text, in_section text, in_release text, in_file_id bigint, OUT noted bigint)
    LANGUAGE plpgsql AS $$
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

CREATE FUNCTION genbank.finish_file(
        in_collection text, in_section text, in_release text, in_name text, in_raw_sha256 text,
        in_records bigint, in_quarantined bigint, in_residues bigint, in_run_id text, in_code_version text,
        in_superseded bigint, in_rows_copied bigint, in_sql_statements bigint, in_file_id bigint, in_unchanged bigint,
        OUT merged bigint)
    LANGUAGE plpgsql AS $$
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

-- Records of a division that no file of the release has become absent; but not those of
-- a daily update later than the release's date.
CREATE FUNCTION genbank.mark_absent(
        in_collection text, in_section text, in_release text, in_run_id text, in_date date)
    RETURNS bigint LANGUAGE plpgsql AS $$
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

-- NCBI's own lists, staged, beside the changes they explain: gbnew a new or returned record, gbchg a changed one, gbdel
-- and removed-records an absent one.
CREATE FUNCTION genbank.attach_evidence(in_collection text, in_section text, in_release text)
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

-- Current records of a division that a release lacks, but a daily update on top of it or after its date has.
CREATE FUNCTION genbank.only_daily(in_collection text, in_section text, in_release text) RETURNS bigint
    LANGUAGE plpgsql STABLE AS $$
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
"""
