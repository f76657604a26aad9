"""Preserves what users made on this package's tables, views and functions, while these are replaced.

Views, functions, foreign keys, defaults, indexes, rules, triggers, policies, statistics, publications and grants are
recreated. What cannot be recreated, because a column is gone for example, does not block an upgrade: its statements are
saved in the table ``genbank.view_aside``, with the reason. Only what would take a user's rows along blocks it. Dropping
belongs to the callers, with CASCADE, within the same transaction.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import LiteralString

import psycopg

from genbank_assets.errors import DatabaseError
from genbank_assets.postgres.connection import Session
from genbank_assets.postgres.sql_files import query


@dataclasses.dataclass(frozen=True)
class Dependent:
    """An object of a user that goes with ours and will be recreated.

    Attributes:
        kind: such as ``view``.
        name: its name with schema.
        statements: recreate it, with owner, comments and grants.
    """

    kind: str
    name: str
    statements: tuple[str, ...]


def find_dependents(
    session: Session, relations: Sequence[str], *, functions: Sequence[str] = (), indexes: Sequence[str] = ()
) -> list[Dependent]:
    """Return everything of users that depends on ours, in an order in which it can be recreated.

    Args:
        session: the transaction that replaces ours.
        relations: our tables or views that will be dropped.
        functions: our functions that will be dropped.
        indexes: our indexes on these tables; others are users'.

    Raises:
        DatabaseError: an object cannot be dropped without a user's rows, or not be recreated.
    """
    names = {"relations": list(relations), "functions": list(functions), "indexes": list(indexes)}
    found = [
        *session.execute(complete(query("dependents.find")), names),
        *session.execute(complete(query("dependents.on_ours")), names),
    ]
    for _, name, statements in found:
        if statements is None:
            raise DatabaseError(
                f"the schema cannot be upgraded, because {name} depends on what is replaced and cannot be "
                "recreated: drop it and run this again"
            )
    return [Dependent(kind, name, tuple(s for s in statements if s)) for kind, name, statements in found]


def restore(session: Session, dependents: Sequence[Dependent], *, progress: Callable[[str], None]) -> None:
    """Recreate the objects; save those that fail in ``genbank.view_aside``."""
    for one in dependents:
        try:
            with session.savepoint():
                for statement in one.statements:
                    _run(session, statement)
        except psycopg.Error as error:
            reason = str(error).strip().splitlines()[0]
            _save(session, one.name, ";\n".join(one.statements), reason=reason)
            progress(f"the {one.kind} {one.name} cannot be recreated ({reason}): see genbank.view_aside")


def set_functions_aside(session: Session, names: Sequence[str], *, progress: Callable[[str], None]) -> None:
    """Save users' functions that have names of ours, before all functions of these names are dropped.

    This package's own functions of the current schema version all have comments.
    """
    for name, definition in session.execute(query("dependents.namesakes"), {"functions": list(names)}):
        _save(session, name, definition, reason="a function of genbank-assets has this name")
        progress(f"the function {name} gives way to one of genbank-assets: see genbank.view_aside")


def _save(session: Session, name: str, definition: str, *, reason: str) -> None:
    session.execute(query("dependents.aside"))
    session.execute(
        "INSERT INTO genbank.view_aside (name, definition, reason) VALUES (%s, %s, %s)", [name, definition, reason]
    )


def grant_defaults(session: Session, relation: str) -> None:
    """Grant the schema's default privileges on a relation of ours that was created in another schema."""
    for (statement,) in session.execute(query("dependents.default_grants"), {"relation": relation}):
        _run(session, statement)


def complete(statement: LiteralString) -> LiteralString:
    """Insert the parts that several statements share, where they name them in braces."""
    grants, policies = query("dependents.grants"), query("dependents.policies")
    return statement.replace("{grants}", grants).replace("{policies}", policies)


def _run(session: Session, statement: str) -> None:
    session.execute(statement)  # as PostgreSQL's own functions print it
