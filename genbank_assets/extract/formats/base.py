"""The interface of formats: blocks of text with the positions of entries, and the options of a query."""

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
    """Options for writing entries; options that a format does not support are an error.

    Attributes:
        header: template of the header after the first word; None for the format's default.
        width: residues per line; 0 for one line per sequence.
        kraken: whether to append ``|kraken:taxid|N`` to the first word.
        columns: columns of a table; empty for the format's default.
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
    """A piece of output.

    Attributes:
        data: its bytes.
        starts: offsets at which entries start (ascending); the last entry may continue in the next block, (entries,).
        names: accession.version of each entry's record, (entries,).
        table: rows, for formats that are not text.
    """

    data: Any
    starts: Ints
    names: pa.Array
    table: pa.Table | None = None


class Format(abc.ABC):
    """An output format.

    Attributes:
        name: its name on the command line.
        suffix: suffix of its files.
        whole_files: whether all records of a file must be processed together.
        needs_taxonomy: whether it requires a taxonomy.
        chooses_features: whether it writes the selected features; other formats write the records that have any.
        schema: schema of a tabular format; None for text.
    """

    name: ClassVar[str]
    suffix: ClassVar[str]
    whole_files: ClassVar[bool] = False
    needs_taxonomy: ClassVar[bool] = False
    chooses_features: ClassVar[bool] = False
    schema: pa.Schema | None = None
    #: The fields of :class:`FormatOptions` that it supports.
    supports: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, selection: Selection, options: FormatOptions, taxonomy: Taxonomy | None) -> None:
        for field in dataclasses.fields(options):
            if getattr(options, field.name) != field.default and field.name not in self.supports:
                raise SettingsError(f"the format {self.name} does not support --{field.name}")
        self.selection = selection
        self.options = options
        self.taxonomy = taxonomy

    @property
    def preamble(self) -> bytes:
        """Text at the beginning of each file."""
        return b""

    @abc.abstractmethod
    def blocks(self, scan: Scan) -> Iterator[Block]:
        """Yield the entries of a stretch; runs in a worker thread."""


def lines_block(data: bytes, names: pa.Array) -> Block:
    """Return a block in which each line is an entry."""
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == ord("\n"))
    return Block(data, np.concatenate([[0], ends[:-1] + 1]) if len(ends) else np.zeros(0, np.int64), names)
