"""Preserves users' views on this package's tables, while these are replaced.

A view that cannot be recreated, because one of its columns is gone, does not block an upgrade: its definition is saved
in the table ``genbank.view_aside``, with the reason.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import psycopg
from psycopg import sql

from genbank_assets.postgres.connection import Session
from genbank_assets.postgres.sql_files import query


@dataclasses.dataclass(frozen=True)
class DroppedView:
    """A user's view that was dropped and will be recreated.

    Attributes:
        schema: its schema.
        name: its name.
        is_materialized: whether it is a materialized view.
        definition: its SELECT, as printed by PostgreSQL.
        owner: the role that owns it.
        comment: its comment, if any.
        grants: (grantee, privilege, whether it is grantable).
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
        """Quoted name with schema."""
        return sql.Identifier(self.schema, self.name)


def drop_dependents(session: Session, ours: Sequence[str]) -> list[DroppedView]:
    """Drop all direct and indirect users' views on these relations; return them in order of dependency."""
    found = []
    for schema, name, kind, definition, owner, comment in session.execute(
        query("dependents.find"), {"ours": list(ours)}
    ):
        grants = tuple(session.execute(query("dependents.grants"), [f'"{schema}"."{name}"']))
        found.append(DroppedView(schema, name, kind == "m", definition, owner, comment, grants))
    for view in reversed(found):
        kind = "MATERIALIZED VIEW" if view.is_materialized else "VIEW"
        _run(session, sql.SQL(f"DROP {kind} {{}}").format(view.identifier))
    return found


def restore(session: Session, views: Sequence[DroppedView], *, progress: Callable[[str], None]) -> None:
    """Recreate the views; save those that fail in ``genbank.view_aside``."""
    for view in views:
        try:
            with session.savepoint():
                _create(session, view)
        except psycopg.Error as error:
            reason = str(error).strip().splitlines()[0]
            session.execute(query("dependents.aside"))
            session.execute(
                "INSERT INTO genbank.view_aside (name, definition, reason) VALUES (%s, %s, %s)",
                [f"{view.schema}.{view.name}", view.definition, reason],
            )
            progress(f"the view {view.schema}.{view.name} cannot be recreated ({reason}): see genbank.view_aside")


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
