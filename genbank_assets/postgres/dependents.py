"""Views that other people made on ours: kept while the tables below them are replaced, and made again afterwards.

A view that cannot be made again, because a column it names is gone, does not stop an upgrade: its definition stays in
the table ``genbank.view_aside``, with the reason.
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
    """Make the views again; what cannot be made stays as text in ``genbank.view_aside``."""
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
