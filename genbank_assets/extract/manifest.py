"""The manifest of an extract: writing and reading it.

Producing extracts belongs to ``run``, descriptions derived from the manifest to ``citation`` and ``metadata``.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from genbank_assets import __version__
from genbank_assets.errors import NotFoundError, SettingsError
from genbank_assets.extract.output import WrittenFile

SUFFIX = ".manifest.json"


def counted_entries(number: int) -> str:
    """Format a count: ``1 entry``, ``2,000 entries``."""
    return f"{number:,} {'entry' if number == 1 else 'entries'}"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Extract:
    """An extract as described by its manifest.

    Attributes:
        query: selection, format and options, as given.
        inputs: partitions with releases and digests of the tables that were read.
        taxonomy: date of the taxonomy, or None.
        records: number of records examined: all records of the partitions, or the requested accessions.
        features: number of features selected in them, including protein records if these are written; None for formats
            that write whole records.
        entries: number of entries written: records or features.
        excluded: numbers of excluded records and features by reason.
        not_found: requested accessions that no table has.
        files: the files in order; standard output is named ``-``.
        version: version of this package.
    """

    query: dict[str, Any]
    inputs: tuple[dict[str, Any], ...]
    taxonomy: str | None
    records: int
    features: int | None
    entries: int
    excluded: dict[str, int]
    not_found: tuple[str, ...]
    files: tuple[WrittenFile, ...]
    version: str = __version__

    def as_json(self) -> str:
        """Return the manifest as text; equal extracts have equal manifests."""
        content = dataclasses.asdict(self)
        return json.dumps({"genbank_assets": content.pop("version"), **content}, indent=1, default=str) + "\n"

    @classmethod
    def read(cls, path: Path) -> Extract:
        """Read a manifest.

        Raises:
            NotFoundError: the file does not exist.
            SettingsError: it is not the manifest of an extract.
        """
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                query=dict(content["query"]),
                inputs=tuple(content["inputs"]),
                taxonomy=content["taxonomy"],
                records=int(content["records"]),
                features=content["features"],
                entries=int(content["entries"]),
                excluded=dict(content["excluded"]),
                not_found=tuple(content["not_found"]),
                files=tuple(WrittenFile(**file) for file in content["files"]),
                version=str(content["genbank_assets"]),
            )
        except OSError as error:
            raise NotFoundError(f"the manifest {path} cannot be read: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise SettingsError(f"{path} is not the manifest of an extract; name a file NAME{SUFFIX}") from error


def manifest_path(file: Path) -> Path:
    """Return the path of the manifest of a file or of shards."""
    return file.with_name(f"{file.name}{SUFFIX}")
