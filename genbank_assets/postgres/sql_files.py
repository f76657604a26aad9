"""Loads SQL from this package's files; statements are never built from input.

``sql/NAME.sql`` creates tables, indexes, views and functions. ``sql/queries/GROUP.sql`` has named statements, each
below a line ``-- name: NAME``. Substituting columns belongs to ``statements``, executing to the callers.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import LiteralString, cast

_NAME = re.compile(r"^-- name: (\w+)\n((?:--.*\n)*)", re.MULTILINE)


def read_sql(name: str) -> str:
    """Return the text of ``sql/NAME.sql``."""
    return (files("genbank_assets.postgres") / "sql" / f"{name}.sql").read_text("utf-8")


@cache
def queries(group: str) -> dict[str, LiteralString]:
    """Return name → statement of ``sql/queries/GROUP.sql``, without comments and final semicolon."""
    parts = _NAME.split(read_sql(f"queries/{group}"))
    return {
        name: cast(LiteralString, text.strip().removesuffix(";"))
        for name, text in zip(parts[1::3], parts[3::3], strict=True)
    }


def query(name: LiteralString) -> LiteralString:
    """Return the statement ``GROUP.NAME``."""
    group, _, one = name.partition(".")
    return queries(group)[one]
