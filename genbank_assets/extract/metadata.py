"""Writes machine-readable metadata beside the files of an extract.

Derived from the manifest only: equal extracts have equal metadata. Content belongs to ``croissant`` and ``ro_crate``,
citations to ``citation``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from genbank_assets.errors import SettingsError
from genbank_assets.extract.croissant import croissant
from genbank_assets.extract.manifest import SUFFIX, Extract, manifest_path
from genbank_assets.extract.names import METADATA_NAMES
from genbank_assets.extract.ro_crate import CRATE_NAME, ro_crate
from genbank_assets.store import write_atomically


def check_metadata(names: tuple[str, ...], to: Path | None) -> None:
    """Check in advance that metadata can be written beside a file.

    Raises:
        SettingsError: a name is not in :data:`METADATA_NAMES`, the output is not a file, or its folder is another
            crate.
    """
    if unknown := [name for name in names if name not in METADATA_NAMES]:
        raise SettingsError(f"there are no metadata {unknown[0]!r}: there are {', '.join(METADATA_NAMES)}")
    if names and to is None:
        raise SettingsError("metadata are written beside a file: name it with --out")
    if "ro-crate" in names and to is not None:
        described = _described(to.with_name(CRATE_NAME))
        if described is not None and described != manifest_path(to).name:
            raise SettingsError(
                f"{to.with_name(CRATE_NAME)} describes something else: give an extract with RO-Crate metadata a folder "
                "of its own"
            )


def _described(path: Path) -> str | None:
    """Return the manifest described by a crate; "" for a different kind of crate, None if there is none."""
    try:
        graph = json.loads(path.read_text(encoding="utf-8"))["@graph"]
        return next((str(one["@id"]) for one in graph if str(one["@id"]).endswith(SUFFIX)), "")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def write_metadata(extract: Extract, *, to: Path, names: tuple[str, ...]) -> tuple[Path, ...]:
    """Write metadata beside the files of an extract, each file atomically.

    Args:
        extract: the extract, whose manifest is beside its files.
        to: the file, or the name of the shards.
        names: some of :data:`METADATA_NAMES`.
    """
    written = []
    for name in dict.fromkeys(names):
        if name == "croissant":
            path, content = to.with_name(f"{to.name}.croissant.json"), croissant(extract, name=to.name)
        else:
            path, content = to.with_name(CRATE_NAME), ro_crate(extract, name=to.name)
        write_atomically(path, as_text(content).encode())
        written.append(path)
    return tuple(written)


def as_text(content: Mapping[str, Any]) -> str:
    """Serialise JSON-LD."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


__all__ = ["as_text", "check_metadata", "croissant", "ro_crate", "write_metadata"]
