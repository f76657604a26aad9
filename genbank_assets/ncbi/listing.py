"""Which files of a release a source has, by its listing; where it shows none, by the release's own list.

Some mirrors show no listing. Then the files that the release names count as listed, and each of them has to be there
when it is fetched; files that the release does not name cannot be seen. What a release promises belongs to
``releases``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from genbank_assets.ncbi.catalog import REFSEQ, Collection, division_of_file, file_sort_key
from genbank_assets.ncbi.releases import Release, promised_files
from genbank_assets.ncbi.sources import RemoteFile, Source
from genbank_assets.ncbi.unknown import unknown_parts

# As many files a source is asked about one by one where its listing says neither size nor date.
MAX_LOOKED_UP = 64


@dataclasses.dataclass(frozen=True)
class Listing:
    """What a source shows of a release.

    Attributes:
        files: division → its files, in order of number; every division that was asked for is a key.
        unknown: what is there beside them that this version does not know, a phrase each.
    """

    files: dict[str, list[RemoteFile]]
    unknown: tuple[str, ...]


def folder_of(collection: Collection, division: str) -> str:
    """Return the folder of a division's files: RefSeq has one for each section."""
    return f"{collection.path}/{division}" if collection is REFSEQ else collection.path


def listed_division(source: Source, *, release: Release, collection: Collection, division: str) -> Listing:
    """Return the files of one division.

    Raises:
        SourceError: the source failed.
    """
    return _listing(source, release=release, collection=collection, divisions=[division])


def listed_release(source: Source, *, release: Release, collection: Collection) -> Listing:
    """The files of every division. Of few files without size and date in the listing the source is asked one by one.

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
