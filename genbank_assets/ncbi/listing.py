"""Lists the files of a release on a source, from folder listings or else from the release's own list.

Some mirrors do not offer listings. In that case the files named by the release count as listed, and each of them must
exist when it is fetched; other files cannot be discovered. The release's own list belongs to ``releases``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from genbank_assets.ncbi.catalog import REFSEQ, Collection, division_of_file, file_sort_key
from genbank_assets.ncbi.releases import Release, promised_files
from genbank_assets.ncbi.sources import RemoteFile, Source
from genbank_assets.ncbi.unknown import unknown_parts

# Up to this many files without size and date in the listing are looked up one by one.
MAX_LOOKED_UP = 64


@dataclasses.dataclass(frozen=True)
class Listing:
    """Files of a release on a source.

    Attributes:
        files: division → files in numeric order; contains every requested division.
        unknown: descriptions of other content that this version does not support.
    """

    files: dict[str, list[RemoteFile]]
    unknown: tuple[str, ...]


def folder_of(collection: Collection, division: str) -> str:
    """Return the folder of a division's files; RefSeq has one per section."""
    return f"{collection.path}/{division}" if collection is REFSEQ else collection.path


def listed_division(source: Source, *, release: Release, collection: Collection, division: str) -> Listing:
    """Return the files of one division.

    Raises:
        SourceError: the source failed.
    """
    return _listing(source, release=release, collection=collection, divisions=[division])


def listed_release(source: Source, *, release: Release, collection: Collection) -> Listing:
    """Return the files of all divisions; up to 64 files listed without size and date are looked up individually.

    Raises:
        SourceError: the source failed.
    """
    found = _listing(source, release=release, collection=collection, divisions=collection.divisions)
    bare = sum(_is_bare(remote) for remotes in found.files.values() for remote in remotes)
    if 0 < bare <= MAX_LOOKED_UP:
        for division, remotes in found.files.items():
            folder = folder_of(collection, division)
            found.files[division] = [source.look_up(f"{folder}/{r.name}") if _is_bare(r) else r for r in remotes]
    return found


def _listing(source: Source, *, release: Release, collection: Collection, divisions: Iterable[str]) -> Listing:
    shown: dict[str, list[RemoteFile]] = {}
    files: dict[str, list[RemoteFile]] = {}
    for division in divisions:
        folder = folder_of(collection, division)
        if folder not in shown:
            shown[folder] = source.listing(folder)
        files[division] = _of_division(shown[folder], release=release, collection=collection, division=division)
    names = {remote.name for remotes in shown.values() for remote in remotes}
    return Listing(files, unknown_parts(names | release.files, collection=collection))


def _is_bare(remote: RemoteFile) -> bool:
    return remote.bytes is None and remote.modified is None


def _of_division(
    shown: list[RemoteFile], *, release: Release, collection: Collection, division: str
) -> list[RemoteFile]:
    if not shown:
        promised = promised_files(release, collection=collection, division=division)
        return [RemoteFile(name, None) for name in sorted(promised, key=file_sort_key)]
    mine = (remote for remote in shown if division_of_file(remote.name, collection=collection) == division)
    return sorted(mine, key=lambda remote: file_sort_key(remote.name))
