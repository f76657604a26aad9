-- name: find
WITH RECURSIVE found AS (
    SELECT DISTINCT w.ev_class AS oid, 1 AS depth FROM pg_depend d JOIN pg_rewrite w ON w.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND w.ev_class <> d.refobjid
      AND d.refobjid IN (SELECT c.oid FROM pg_class c WHERE c.relnamespace = 'genbank'::regnamespace
                         AND c.relname = ANY (%(ours)s))
    UNION
    SELECT w.ev_class, f.depth + 1 FROM found f JOIN pg_depend d ON d.refobjid = f.oid
        JOIN pg_rewrite w ON w.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass AND w.ev_class <> f.oid)
SELECT n.nspname, c.relname, c.relkind::text, pg_get_viewdef(c.oid), pg_get_userbyid(c.relowner),
       obj_description(c.oid, 'pg_class')
FROM (SELECT oid, max(depth) AS depth FROM found GROUP BY 1) f JOIN pg_class c USING (oid)
     JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE NOT (n.nspname = 'genbank' AND c.relname = ANY (%(ours)s))
ORDER BY f.depth, c.oid;

-- name: grants
SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, a.privilege_type, a.is_grantable
FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = %s::regclass AND a.grantee <> c.relowner;

-- name: aside
CREATE TABLE IF NOT EXISTS genbank.view_aside (
    name text NOT NULL, definition text NOT NULL, reason text NOT NULL, at timestamptz NOT NULL DEFAULT now());
COMMENT ON TABLE genbank.view_aside IS 'Users'' views that an upgrade could not recreate, with the reason';
