"""Chooses the source of read-only commands: a store, or tables published in a bucket.

A bucket is given with ``--store s3://…``, or with ``GENBANK_ASSETS_TABLES`` if there is no store. Reading it belongs to
``catalog.bucket``.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from genbank_assets.cli.output import say
from genbank_assets.settings import Settings

if TYPE_CHECKING:
    from genbank_assets.catalog.bucket import TableBucket


def add_place_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--store`` to a command that can also read a bucket."""
    parser.add_argument(
        "--store",
        type=_folder_or_address,
        metavar="DIR|URL",
        help=(
            "folder that holds all files (GENBANK_ASSETS_STORE, default ./data), or published tables at s3://… or "
            "file:///… (GENBANK_ASSETS_TABLES, used if there is no store)"
        ),
    )


def published_tables(options: argparse.Namespace, settings: Settings) -> TableBucket | None:
    """Return the bucket that the command reads; None if it reads the store.

    Raises:
        ObjectStoreError: the address is invalid.
        NotFoundError: the folder of a ``file:///`` address does not exist.
    """
    if isinstance(options.store, str):
        address = options.store
    elif options.store is None and settings.tables and not (_names_a_store() or settings.store.is_dir()):
        address = settings.tables
        if not options.quiet:
            say(f"there is no store here: reading the tables published at {address.partition('?')[0]}")
    else:
        return None
    from genbank_assets.catalog.bucket import TableBucket

    return TableBucket(address)


def _names_a_store() -> bool:
    return bool(os.environ.get("GENBANK_ASSETS_STORE", "").strip())


def _folder_or_address(text: str) -> Path | str:
    return text if "://" in text else Path(text)
