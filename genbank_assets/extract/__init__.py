"""Getting data out of a store: what is asked for, which records and features that is, and how they are written.

``selection`` says what; ``inputs`` finds the tables and ``plan`` the records in them; ``scan`` reads what was chosen;
``formats`` make text of it, ``engine`` runs them in parallel and in order, ``output`` writes files and shards; the
``manifest`` says what came out, ``citation`` and ``metadata`` say it to others. Start with
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
    """What users import from here, loaded when it is asked for: the command line wants the names of formats alone."""
    if name not in _HOMES:
        raise AttributeError(name)
    from importlib import import_module

    return getattr(import_module(f"genbank_assets.extract.{_HOMES[name]}"), name)
