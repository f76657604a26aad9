"""The SQL of this package, out of its files; it is the package's own and never made of input.

``sql/NAME.sql`` makes tables, indexes, views and functions. ``sql/queries/GROUP.sql`` has statements with a name each,
under lines ``-- name: NAME``. Filling in columns belongs to ``statements``, executing to the callers.
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
    """Name → statement, of ``sql/queries/GROUP.sql``; without the comment above it and the final semicolon."""
    parts = _NAME.split(read_sql(f"queries/{group}"))
    return {
        name: cast(LiteralString, text.strip().removesuffix(";"))
        for name, text in zip(parts[1::3], parts[3::3], strict=True)
    }


def query(name: LiteralString) -> LiteralString:
    """Return the statement ``GROUP.NAME``."""
    group, _, one = name.partition(".")
    return queries(group)[one]
