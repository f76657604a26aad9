"""A streaming reader of GenBank flat files into Arrow and Parquet: the one that genbank-assets uses, alone.

What is here works as the same name of ``genbank_assets`` does; the whole graph is in the distribution genbank-assets.
"""

import os

# Before pyarrow is imported: its own allocator keeps much of what was freed, a tenth of a worker's memory, at the same
# speed. Who wants another sets the variable.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
__version__ = "@VERSION@"  # the modules below ask for it

from genbank_assets_reader.errors import FlatFileError, GenbankAssetsError
from genbank_assets_reader.flatfile.reader import FlatFileReader
from genbank_assets_reader.schema.tables import RECORD_SCHEMA, SEQUENCE_SCHEMA
from genbank_assets_reader.tables.writer import ParsedFile, parse_file

__all__ = [
    "RECORD_SCHEMA",
    "SEQUENCE_SCHEMA",
    "FlatFileError",
    "FlatFileReader",
    "GenbankAssetsError",
    "ParsedFile",
    "parse_file",
]
