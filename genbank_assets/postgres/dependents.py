"""Views that other people made on ours: kept while the tables below them are replaced, and made again afterwards.

A view that cannot be made again, because a column it names is gone, does not stop an upgrade: its definition stays in
the table ``genbank.view_aside``, with the reason.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final, LiteralString

import psycopg
from psycopg import sql

from genbank_assets.postgres.connection import Session

_FIND: Final[LiteralString] = """
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
ORDER BY f.depth, c.oid
"""
_GRANTS: Final[LiteralString] = """
SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END, a.privilege_type, a.is_grantable
FROM pg_class c, aclexplode(c.relacl) a WHERE c.oid = %s::regclass AND a.grantee <> c.relowner
"""
_ASIDE: Final[LiteralString] = """
CREATE TABLE IF NOT EXISTS genbank.view_aside (
    name text NOT NULL, definition text NOT NULL, reason text NOT NULL, at timestamptz NOT NULL DEFAULT now());
COMMENT ON TABLE genbank.view_aside IS 'Views of other people that an upgrade could not make again, with the reason';
"""


@dataclasses.dataclass(frozen=True)
class DroppedView:
    """A view of somebody else's that stands on ours and was dropped, to be made again.

    Attributes:
        schema: its schema.
        name: its name there.
        is_materialized: whether it is a materialized view.
        definition: its SELECT, as PostgreSQL prints it.
        owner: its owner's role.
        comment: its comment, if it has one.
        grants: (grantee, privilege, whether it may be granted on).
    """

    schema: str
    name: str
    is_materialized: bool
    definition: str
    owner: str
    comment: str | None
    grants: tuple[tuple[str, str, bool], ...]

    @property
    def identifier(self) -> sql.Identifier:
        """Its name with its schema."""
        return sql.Identifier(self.schema, self.name)


def drop_dependents(session: Session, ours: Sequence[str]) -> list[DroppedView]:
    """Drop the views that others made on these tables and views of ours, directly or not; those below come first."""
    found = []
    for schema, name, kind, definition, owner, comment in session.execute(_FIND, {"ours": list(ours)}):
        grants = tuple(session.execute(_GRANTS, [f'"{schema}"."{name}"']))
        found.append(DroppedView(schema, name, kind == "m", definition, owner, comment, grants))
    for view in reversed(found):
        kind = "MATERIALIZED VIEW" if view.is_materialized else "VIEW"
        _run(session, sql.SQL(f"DROP {kind} {{}}").format(view.identifier))
    return found


def restore(session: Session, views: Sequence[DroppedView], *, progress: Callable[[str], None]) -> None:
    """Make the views again; what cannot be made stays as text in ``genbank.view_aside``."""
    for view in views:
        try:
            with session.savepoint():
                _create(session, view)
        except psycopg.Error as error:
            reason = str(error).strip().splitlines()[0]
            session.execute(_ASIDE)
            session.execute(
                "INSERT INTO genbank.view_aside (name, definition, reason) VALUES (%s, %s, %s)",
                [f"{view.schema}.{view.name}", view.definition, reason],
            )
            progress(f"the view {view.schema}.{view.name} cannot be made again ({reason}): see genbank.view_aside")


def _create(session: Session, view: DroppedView) -> None:
    kind = "MATERIALIZED VIEW" if view.is_materialized else "VIEW"
    text = f"CREATE {kind} {{}} AS {{}}"
    _run(session, sql.SQL(text).format(view.identifier, sql.SQL(view.definition)))
    _run(session, sql.SQL(f"ALTER {kind} {{}} OWNER TO {{}}").format(view.identifier, sql.Identifier(view.owner)))
    for grantee, privilege, grantable in view.grants:
        option = " WITH GRANT OPTION" if grantable else ""
        text = f"GRANT {privilege} ON {{}} TO {grantee}{option}"
        _run(session, sql.SQL(text).format(view.identifier))
    if view.comment is not None:
        comment = sql.SQL(f"COMMENT ON {kind} {{}} IS {{}}")
        _run(session, comment.format(view.identifier, sql.Literal(view.comment)))


def _run(session: Session, statement: sql.Composed) -> None:
    session.execute(statement.as_string())
