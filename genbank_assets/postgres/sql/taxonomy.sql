-- The taxonomy of one date. Tables are created once, functions are recreated whenever this file changes.
-- A clade is a range: left_value lies between the two values of its taxon.

CREATE TABLE IF NOT EXISTS genbank.taxonomy_release (
    date date PRIMARY KEY, digest text NOT NULL, archive_sha256 text NOT NULL, taxa bigint NOT NULL,
    names bigint NOT NULL, merged bigint NOT NULL, deleted bigint NOT NULL, run_id text NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT now());
CREATE TABLE IF NOT EXISTS genbank.taxon (
    taxon_id bigint PRIMARY KEY, parent_id bigint, rank text NOT NULL, scientific_name text NOT NULL,
    left_value bigint NOT NULL, right_value bigint NOT NULL, depth integer NOT NULL, genetic_code integer,
    mitochondrial_genetic_code integer, plastid_genetic_code integer, division_id integer, is_hidden boolean NOT NULL);
CREATE TABLE IF NOT EXISTS genbank.taxon_name (
    taxon_id bigint NOT NULL, name text NOT NULL, unique_name text, name_class text NOT NULL, name_key text NOT NULL,
    PRIMARY KEY (taxon_id, name_class, name));
CREATE TABLE IF NOT EXISTS genbank.merged_taxon (old_taxon_id bigint PRIMARY KEY, taxon_id bigint NOT NULL);
CREATE TABLE IF NOT EXISTS genbank.deleted_taxon (taxon_id bigint PRIMARY KEY);

CREATE INDEX IF NOT EXISTS taxon_left ON genbank.taxon (left_value);
CREATE INDEX IF NOT EXISTS taxon_parent ON genbank.taxon (parent_id);
CREATE INDEX IF NOT EXISTS taxon_name_key ON genbank.taxon_name (name_key);

COMMENT ON TABLE genbank.taxonomy_release IS 'Taxonomies that were loaded; the newest date is the current one';
COMMENT ON TABLE genbank.taxon IS 'NCBI''s taxa with their parents, ranks and nested-set values';
COMMENT ON TABLE genbank.taxon_name IS 'All names of the taxa; name_key is the name in lower case';
COMMENT ON TABLE genbank.merged_taxon IS 'Taxa that NCBI merged into others';
COMMENT ON TABLE genbank.deleted_taxon IS 'Taxa that NCBI deleted';

CREATE OR REPLACE FUNCTION genbank.current_taxon_id(wanted bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT m.taxon_id FROM genbank.merged_taxon m WHERE m.old_taxon_id = wanted), wanted) $$;
CREATE OR REPLACE FUNCTION genbank.taxa_named(wanted text) RETURNS SETOF genbank.taxon LANGUAGE sql STABLE AS $$
    SELECT t.* FROM genbank.taxon t
    WHERE t.taxon_id IN (SELECT n.taxon_id FROM genbank.taxon_name n WHERE n.name_key = lower(wanted)) $$;
CREATE OR REPLACE FUNCTION genbank.clade(wanted bigint) RETURNS SETOF genbank.taxon LANGUAGE sql STABLE AS $$
    SELECT t.* FROM genbank.taxon root JOIN genbank.taxon t
        ON t.left_value BETWEEN root.left_value AND root.right_value
    WHERE root.taxon_id = genbank.current_taxon_id(wanted) $$;
CREATE OR REPLACE FUNCTION genbank.lineage(wanted bigint) RETURNS SETOF genbank.taxon LANGUAGE sql STABLE AS $$
    WITH RECURSIVE above AS (
        SELECT t.* FROM genbank.taxon t WHERE t.taxon_id = genbank.current_taxon_id(wanted)
        UNION ALL SELECT t.* FROM genbank.taxon t JOIN above a ON t.taxon_id = a.parent_id)
    SELECT * FROM above ORDER BY depth $$;
