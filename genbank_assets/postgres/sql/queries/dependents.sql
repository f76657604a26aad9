-- name: find
-- Everything that depends on our relations or functions, directly or through others, in an order in which it can be made
-- again: kind, name, and the statements that make it (none: this package cannot make it again).
WITH RECURSIVE ours AS (
    SELECT 'pg_class'::regclass::oid AS classid, c.oid AS objid FROM pg_class c
    WHERE c.relnamespace = 'genbank'::regnamespace AND c.relname = ANY (%(relations)s)
    UNION ALL
    SELECT 'pg_proc'::regclass, p.oid FROM pg_proc p
    WHERE p.pronamespace = 'genbank'::regnamespace AND p.proname = ANY (%(functions)s)
), found AS (
    SELECT o.classid, o.objid, 0 AS objsubid, 0 AS depth FROM ours o
    UNION
    SELECT n.classid, n.objid, n.objsubid, f.depth + 1
    FROM found f
         JOIN pg_depend d ON d.deptype = 'n' AND (
             d.refclassid = f.classid AND d.refobjid = f.objid
             OR f.classid = 'pg_class'::regclass AND d.refclassid = 'pg_type'::regclass AND EXISTS (
                 SELECT FROM pg_type t WHERE t.typrelid = f.objid AND d.refobjid IN (t.oid, t.typarray)))
         LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid AND w.rulename = '_RETURN'
         CROSS JOIN LATERAL (SELECT CASE WHEN w.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass END AS classid,
                                    CASE WHEN w.oid IS NULL THEN d.objid ELSE w.ev_class END AS objid,
                                    CASE WHEN w.oid IS NULL THEN d.objsubid ELSE 0 END AS objsubid) n
    WHERE (n.classid, n.objid) <> (f.classid, f.objid) AND f.depth < 50
), theirs AS (
    SELECT f.classid, f.objid, f.objsubid, max(f.depth) AS depth FROM found f
    WHERE NOT EXISTS (SELECT FROM ours o WHERE (o.classid, o.objid) = (f.classid, f.objid)) GROUP BY 1, 2, 3
)
SELECT coalesce(m.kind, 'object'), coalesce(m.name, pg_describe_object(t.classid, t.objid, t.objsubid)), m.statements
FROM theirs t LEFT JOIN LATERAL (
    SELECT v.kind, v.name::text, ARRAY[format('CREATE %%s %%s%%s AS %%s%%s', upper(v.kind), v.name,
               ' WITH (' || array_to_string(c.reloptions, ', ') || ')', rtrim(pg_get_viewdef(c.oid), ';'),
               CASE WHEN c.relkind = 'm' AND NOT c.relispopulated THEN ' WITH NO DATA' END)]
           || CASE WHEN c.relowner <> current_user::regrole
                   THEN format('ALTER %%s %%s OWNER TO %%s', v.kind, v.name, c.relowner::regrole) END
           || (SELECT array_agg(pg_get_indexdef(i.indexrelid)) FROM pg_index i WHERE i.indrelid = c.oid)
           || (SELECT array_agg(pg_get_triggerdef(g.oid)) FROM pg_trigger g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal)
           || (SELECT array_agg(CASE s.objsubid WHEN 0 THEN format('COMMENT ON %%s %%s IS %%L', v.kind, v.name, s.description)
                                ELSE format('COMMENT ON COLUMN %%s.%%I IS %%L', v.name, a.attname, s.description) END)
               FROM pg_description s LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = s.objsubid
               WHERE s.classoid = 'pg_class'::regclass AND s.objoid = c.oid)
           || (SELECT array_agg(g.statement) FROM ({grants}) g) AS statements
    FROM pg_class c CROSS JOIN LATERAL (
        SELECT CASE c.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END AS kind, format('%%I.%%I', c.relnamespace::regnamespace::name, c.relname) AS name) v
    WHERE t.classid = 'pg_class'::regclass AND c.oid = t.objid AND c.relkind IN ('v', 'm')
    UNION ALL
    SELECT 'index', c.oid::regclass::text, ARRAY[pg_get_indexdef(c.oid)] FROM pg_class c
    WHERE t.classid = 'pg_class'::regclass AND c.oid = t.objid AND c.relkind IN ('i', 'I')
          AND NOT EXISTS (SELECT FROM pg_constraint n WHERE n.conindid = c.oid)
    UNION ALL
    SELECT 'function', p.oid::regprocedure::text, ARRAY[pg_get_functiondef(p.oid)]
           || CASE WHEN p.proowner <> current_user::regrole
                   THEN format('ALTER ROUTINE %%s OWNER TO %%s', p.oid::regprocedure, p.proowner::regrole) END
           || format('COMMENT ON ROUTINE %%s IS %%L', p.oid::regprocedure, obj_description(p.oid, 'pg_proc'))
           || CASE WHEN p.proacl IS NOT NULL THEN format('REVOKE ALL ON ROUTINE %%s FROM PUBLIC', p.oid::regprocedure) END
           || (SELECT array_agg(format('GRANT EXECUTE ON ROUTINE %%s TO %%s', p.oid::regprocedure,
                                       CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END))
               FROM aclexplode(p.proacl) a)
    FROM pg_proc p WHERE t.classid = 'pg_proc'::regclass AND p.oid = t.objid AND p.prokind <> 'a'
    UNION ALL
    SELECT 'constraint', format('%%I of %%s', n.conname, n.conrelid::regclass),
           ARRAY[format('ALTER TABLE %%s ADD CONSTRAINT %%I %%s', n.conrelid::regclass, n.conname, pg_get_constraintdef(n.oid))]
    FROM pg_constraint n WHERE t.classid = 'pg_constraint'::regclass AND n.oid = t.objid AND n.conrelid <> 0
    UNION ALL
    SELECT 'default', format('%%s.%%I', a.attrelid::regclass, a.attname),
           ARRAY[format('ALTER TABLE %%s ALTER COLUMN %%I SET DEFAULT %%s', a.attrelid::regclass, a.attname,
                        pg_get_expr(e.adbin, e.adrelid))]
    FROM pg_attrdef e JOIN pg_attribute a ON a.attrelid = e.adrelid AND a.attnum = e.adnum
    WHERE t.classid = 'pg_attrdef'::regclass AND e.oid = t.objid AND a.attgenerated = ''
    UNION ALL
    SELECT 'rule', format('%%I on %%s', w.rulename, w.ev_class::regclass), ARRAY[pg_get_ruledef(w.oid)]
    FROM pg_rewrite w WHERE t.classid = 'pg_rewrite'::regclass AND w.oid = t.objid
    UNION ALL
    SELECT 'trigger', format('%%I on %%s', g.tgname, g.tgrelid::regclass), ARRAY[pg_get_triggerdef(g.oid)]
    FROM pg_trigger g WHERE t.classid = 'pg_trigger'::regclass AND g.oid = t.objid
    UNION ALL
    SELECT 'policy', l.name, ARRAY[l.statement] FROM ({policies}) l
    WHERE t.classid = 'pg_policy'::regclass AND l.oid = t.objid) m ON true
WHERE CASE t.classid
          WHEN 'pg_class'::regclass THEN NOT EXISTS (
              SELECT FROM pg_index i JOIN ours o ON o.objid = i.indrelid WHERE i.indexrelid = t.objid)
          WHEN 'pg_constraint'::regclass THEN NOT EXISTS (
              SELECT FROM pg_constraint n JOIN ours o ON o.objid = n.conrelid WHERE n.oid = t.objid)
          WHEN 'pg_attrdef'::regclass THEN NOT EXISTS (
              SELECT FROM pg_attrdef e JOIN ours o ON o.objid = e.adrelid WHERE e.oid = t.objid)
          WHEN 'pg_rewrite'::regclass THEN NOT EXISTS (
              SELECT FROM pg_rewrite w JOIN ours o ON o.objid = w.ev_class WHERE w.oid = t.objid)
          WHEN 'pg_trigger'::regclass THEN NOT EXISTS (
              SELECT FROM pg_trigger g JOIN found f ON f.objid = g.tgrelid WHERE g.oid = t.objid)
          WHEN 'pg_policy'::regclass THEN NOT EXISTS (
              SELECT FROM pg_policy p JOIN ours o ON o.objid = p.polrelid WHERE p.oid = t.objid)
          ELSE true END
ORDER BY t.depth, t.classid, t.objid;

-- name: on_ours
-- What others made on our relations, and goes with them: triggers, policies, statistics, indexes, publications, grants.
WITH ours AS (
    SELECT c.* FROM pg_class c WHERE c.relnamespace = 'genbank'::regnamespace AND c.relname = ANY (%(relations)s))
SELECT 'trigger', format('%%I on %%s', g.tgname, c.oid::regclass), ARRAY[pg_get_triggerdef(g.oid)]
FROM ours c JOIN pg_trigger g ON g.tgrelid = c.oid AND NOT g.tgisinternal
UNION ALL
SELECT 'row level security', c.oid::regclass::text, ARRAY[format('ALTER TABLE %%s ENABLE ROW LEVEL SECURITY', c.oid::regclass)]
FROM ours c WHERE c.relrowsecurity
UNION ALL
SELECT 'policy', l.name, ARRAY[l.statement] FROM ours c JOIN ({policies}) l ON l.relation = c.oid
UNION ALL
SELECT 'statistics', s.stxname::text, ARRAY[pg_get_statisticsobjdef(s.oid)]
FROM ours c JOIN pg_statistic_ext s ON s.stxrelid = c.oid
UNION ALL
SELECT 'index', i.indexrelid::regclass::text, ARRAY[pg_get_indexdef(i.indexrelid)]
FROM ours c JOIN pg_index i ON i.indrelid = c.oid JOIN pg_class x ON x.oid = i.indexrelid
WHERE x.relname <> ALL (%(indexes)s) AND NOT EXISTS (SELECT FROM pg_constraint n WHERE n.conindid = x.oid)
UNION ALL
SELECT 'publication', format('%%I of %%s', p.pubname, c.oid::regclass),
       ARRAY[format('ALTER PUBLICATION %%I ADD TABLE %%s', p.pubname, c.oid::regclass)]
FROM ours c JOIN pg_publication_rel r ON r.prrelid = c.oid JOIN pg_publication p ON p.oid = r.prpubid
UNION ALL
SELECT 'grant', c.oid::regclass::text, (SELECT array_agg(g.statement) FROM ({grants}) g)
FROM ours c WHERE EXISTS (SELECT FROM ({grants}) g);

-- name: namesakes
SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid) FROM pg_proc p
WHERE p.pronamespace = 'genbank'::regnamespace AND p.proname = ANY (%(functions)s) AND p.prokind <> 'a'
      AND obj_description(p.oid, 'pg_proc') IS NULL;

-- name: default_grants
-- Statements that give a relation the default privileges of the schema, which one that was made in another schema lacks.
SELECT format('GRANT %%s ON genbank.%%I TO %%s%%s', a.privilege_type, %(relation)s::text,
              CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
              CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END)
FROM pg_default_acl d, aclexplode(d.defaclacl) a
WHERE d.defaclnamespace = 'genbank'::regnamespace AND d.defaclrole = current_user::regrole AND d.defaclobjtype = 'r'
      AND a.grantee <> d.defaclrole;

-- name: grants
-- Inserted above: privileges on the relation c and its columns.
SELECT format('GRANT %%s%%s ON %%s TO %%s%%s', a.privilege_type, p.columns, c.oid::regclass,
              CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
              CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' END) AS statement
FROM (SELECT NULL AS columns, c.relacl AS acl
      UNION ALL SELECT format('(%%I)', b.attname), b.attacl FROM pg_attribute b
      WHERE b.attrelid = c.oid AND b.attacl IS NOT NULL) p, aclexplode(p.acl) a
WHERE a.grantee <> c.relowner;

-- name: policies
-- Inserted above.
SELECT p.oid, p.polrelid AS relation, format('%%I on %%s', p.polname, p.polrelid::regclass) AS name,
       format('CREATE POLICY %%I ON %%s AS %%s FOR %%s TO %%s%%s%%s', p.polname, p.polrelid::regclass,
              CASE WHEN p.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
              CASE p.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
                            ELSE 'ALL' END,
              (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE r::regrole::text END, ', ') FROM unnest(p.polroles) r),
              ' USING (' || pg_get_expr(p.polqual, p.polrelid) || ')',
              ' WITH CHECK (' || pg_get_expr(p.polwithcheck, p.polrelid) || ')') AS statement
FROM pg_policy p;

-- name: aside
CREATE TABLE IF NOT EXISTS genbank.view_aside (
    name text NOT NULL, definition text NOT NULL, reason text NOT NULL, at timestamptz NOT NULL DEFAULT now());
COMMENT ON TABLE genbank.view_aside IS
    'Users'' views, functions and other objects that an upgrade could not recreate, with the reason';
