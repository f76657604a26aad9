-- 1 -> 2: finished divisions and counts per file in the ledger; the version of the parsing code per row; an index
-- that alone answers which accessions of a division are current.
CREATE TABLE genbank.division_release (
    collection text NOT NULL, section text NOT NULL, release text NOT NULL, input_digest text NOT NULL,
    files bigint NOT NULL, records bigint NOT NULL, run_id text NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (collection, section, release),
    FOREIGN KEY (collection, release) REFERENCES genbank.release);
ALTER TABLE genbank.source_file
    ADD COLUMN code_version text NOT NULL DEFAULT '1', ADD COLUMN superseded bigint NOT NULL DEFAULT 0,
    ADD COLUMN records_new bigint NOT NULL DEFAULT 0, ADD COLUMN records_sequence_changed bigint NOT NULL DEFAULT 0,
    ADD COLUMN records_annotation_changed bigint NOT NULL DEFAULT 0,
    ADD COLUMN records_unchanged bigint NOT NULL DEFAULT 0, ADD COLUMN records_returned bigint NOT NULL DEFAULT 0,
    ADD COLUMN rows_copied bigint NOT NULL DEFAULT 0, ADD COLUMN rows_merged bigint NOT NULL DEFAULT 0,
    ADD COLUMN sql_statements bigint NOT NULL DEFAULT 0;
ALTER TABLE genbank.record ADD COLUMN code_version text NOT NULL DEFAULT '1';
-- '1' is what parsed the rows that are here; those to come say it themselves.
ALTER TABLE genbank.source_file ALTER COLUMN code_version SET DEFAULT '';
ALTER TABLE genbank.record ALTER COLUMN code_version SET DEFAULT '';
ALTER TABLE genbank.record DROP CONSTRAINT record_collection_section_accession_key;
ALTER TABLE genbank.record ADD CONSTRAINT record_collection_section_accession_key
    UNIQUE (collection, section, accession) INCLUDE (record_id, is_current);
