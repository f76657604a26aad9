"""The SQL files of this package, by name; what is in them is the package's own and never made of input."""

from __future__ import annotations

from importlib.resources import files


def read_sql(name: str) -> str:
    """The text of ``sql/NAME.sql``."""
    return (files("genbank_assets.postgres") / "sql" / f"{name}.sql").read_text("utf-8")
