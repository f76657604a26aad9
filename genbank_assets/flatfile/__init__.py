"""Stage 2: the flat-file format. Imports no later stage.

``to_seqrecord`` is here for users of Biopython; it is loaded on first use.
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
