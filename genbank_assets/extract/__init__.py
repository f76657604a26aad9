"""Extracts: selecting records and features from a store and writing them in many formats.

``selection`` describes what is wanted, ``inputs`` finds the tables, and ``plan`` the records in them; ``scan`` reads
these, ``formats`` convert them to text, ``engine`` runs formats in parallel but in order, and ``output`` writes files
and shards. The ``manifest`` documents the result, ``citation`` and ``metadata`` describe it for others. Start with
:func:`genbank_assets.extract.run.extract`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genbank_assets.extract.formats import FormatOptions
    from genbank_assets.extract.manifest import Extract
    from genbank_assets.extract.run import extract
    from genbank_assets.extract.selection import Selection

__all__ = ["Extract", "FormatOptions", "Selection", "extract"]
_HOMES = {"FormatOptions": "formats", "Extract": "manifest", "extract": "run", "Selection": "selection"}


def __getattr__(name: str) -> Any:
    """Load public names on first use, because the command line only needs the names of formats."""
    if name not in _HOMES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"genbank_assets.extract.{_HOMES[name]}"), name)
