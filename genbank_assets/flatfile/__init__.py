"""Stage 2: the flat-file format. Imports no later stage.

``to_seqrecord`` is here for users who live in Biopython; it is loaded when it is asked for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from genbank_assets.flatfile.seqrecord import to_seqrecord

__all__ = ["to_seqrecord"]


def __getattr__(name: str) -> Any:
    if name == "to_seqrecord":
        from genbank_assets.flatfile.seqrecord import to_seqrecord

        return to_seqrecord
    raise AttributeError(name)
