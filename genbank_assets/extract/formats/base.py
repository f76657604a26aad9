"""What every format has in common: blocks of text with the places where entries begin, and the options of a query."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from genbank_assets.errors import SettingsError
from genbank_assets.extract.plan import Ints
from genbank_assets.extract.scan import Scan
from genbank_assets.extract.selection import Selection

if TYPE_CHECKING:
    from genbank_assets.tables.clades import Taxonomy

MAX_WIDTH = 1_000_000


@dataclasses.dataclass(frozen=True, kw_only=True)
class FormatOptions:
    """How entries are written; what a format has no use for is refused.

    Attributes:
        header: template of the words behind an entry's first one; None for the format's own.
        width: residues in a line; 0 for one line per sequence.
        kraken: whether ``|kraken:taxid|N`` follows the first word.
        columns: columns of a table; empty for the format's own.
        ranks: ranks of a lineage, highest first; empty for domain (or superkingdom), phylum, class, order, family,
            genus and species.
    """

    header: str | None = None
    width: int = 60
    kraken: bool = False
    columns: tuple[str, ...] = ()
    ranks: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.width <= MAX_WIDTH:
            raise SettingsError(f"a line has 0 (no end) to {MAX_WIDTH:,} residues, not {self.width}")


@dataclasses.dataclass(frozen=True)
class Block:
    """A piece of the output.

    Attributes:
        data: its bytes.
        starts: where in them entries begin (ascending); an entry may go on in the next block, (entries,).
        names: accession.version of each entry's record, (entries,).
        table: the rows of a format that is no text.
    """

    data: Any
    starts: Ints
    names: pa.Array
    table: pa.Table | None = None


class Format(abc.ABC):
    """A way to write entries.

    Attributes:
        name: as users call it.
        suffix: of a file in it.
        whole_files: whether a file's records have to be read in one go.
        needs_taxonomy: whether it cannot do without.
        schema: of a format that is a table and no text; else None.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    whole_files: ClassVar[bool] = False
    needs_taxonomy: ClassVar[bool] = False
    schema: pa.Schema | None = None
    #: Fields of :class:`FormatOptions` that it supports.
    supports: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, selection: Selection, options: FormatOptions, taxonomy: Taxonomy | None) -> None:
        for field in dataclasses.fields(options):
            if getattr(options, field.name) != field.default and field.name not in self.supports:
                raise SettingsError(f"the format {self.name} has no use for --{field.name}")
        self.selection = selection
        self.options = options
        self.taxonomy = taxonomy

    @property
    def preamble(self) -> bytes:
        """What each file begins with."""
        return b""

    @abc.abstractmethod
    def blocks(self, scan: Scan) -> Iterator[Block]:
        """Return the entries of a stretch; called in a thread of its own."""


def lines_block(data: bytes, names: pa.Array) -> Block:
    """Return a block whose entries are its lines."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    return Block(data, np.concatenate([[0], ends[:-1] + 1]) if len(ends) else np.zeros(0, np.int64), names)
