-- 2 -> 3: daily updates between releases: the date of a release, the release beside the day that has a record, and how
-- many records of a file were left as a later daily update has them.
ALTER TABLE genbank.release ADD COLUMN release_date date;
ALTER TABLE genbank.source_file ADD COLUMN records_kept bigint NOT NULL DEFAULT 0;
ALTER TABLE genbank.record_presence ADD COLUMN full_release text;
UPDATE genbank.record_presence SET full_release = last_release;
