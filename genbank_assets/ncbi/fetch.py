"""Stage 1: fetches and verifies the raw files of a division, and publishes their manifest last.

A release is published only if it is consistent: number, release notes, listing and file headers must agree, and number
and notes are read again at the end. Files already in place are not fetched again. Transfers belong to ``transfers`` and
``download``; staging files until all have arrived belongs to ``incoming``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from collections.abc import Callable

from genbank_assets.durable import store_errors
from genbank_assets.errors import ReleaseError, ReleaseFlippedError
from genbank_assets.file_lock import file_lock
from genbank_assets.generations import readable_manifests
from genbank_assets.measure import Stopwatch
from genbank_assets.ncbi.catalog import COLLECTIONS, GENBANK, Collection
from genbank_assets.ncbi.evidence import EVIDENCE_FILE, Evidence, fetch_evidence
from genbank_assets.ncbi.incoming import IncomingFiles, discard_unfinished
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.listing import Listing, listed_division
from genbank_assets.ncbi.releases import Release, disagreement, promised_files, read_number, read_release
from genbank_assets.ncbi.sources import RemoteFile, Source, open_source, without_credentials
from genbank_assets.ncbi.transfers import Transfers, transfer_report
from genbank_assets.ncbi.unknown import note_unknown, unknown_sentence
from genbank_assets.release_facts import date_of, release_sort_key, same_number
from genbank_assets.retention import keep_newest_releases
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, current_release

CODE_VERSION = "1"


def fetch_division(
    key: PartitionKey,
    *,
    settings: Settings,
    progress: Callable[[str], None],
    run_id: str,
    release: str | None = None,
    recheck: bool = False,
) -> Manifest:
    """Fetch a division of the source's current release and publish its manifest once all files are complete.

    If the release has no files of the division, the manifest is published without files.

    Args:
        key: the division.
        settings: name the source and the store.
        progress: called with messages for the user.
        run_id: id of this run, recorded in the manifest.
        release: the release to expect; None accepts the current one.
        recheck: whether to verify the digests of files already in place.

    Returns:
        The published manifest.

    Raises:
        ReleaseError: the source's release is inconsistent, older than the store's, or not the expected one.
        ReleaseFlippedError: the release was replaced during the fetch; nothing was published.
        SourceError: the source failed.
        IntegrityError: a file failed verification.
    """
    collection = COLLECTIONS[key.collection]
    with contextlib.ExitStack() as stack:
        stack.enter_context(store_errors(settings.store))
        watch, limiter = stack.enter_context(Stopwatch()), Limiter.of(settings)
        source = stack.enter_context(open_source(settings.source, limiter=limiter, progress=progress))
        current = _current_release(source, key, settings=settings, expected=release)
        partition = PartitionRelease(settings.store, key, current.number)
        files = _listed_files(source, key, settings=settings, release=current, progress=progress)
        job = Transfers(
            partition, collection=collection, release=current, settings=settings, limiter=limiter, recheck=recheck
        )
        entries, transferred, fetched = job.run(source, files, progress=progress)
        with file_lock(settings.store, f"{key.collection}/lists", progress=progress, run_id=run_id):
            evidence = fetch_evidence(
                source,
                collection=collection,
                number=current.number,
                division=key.division,
                lists=partition.folder.parent / "lists",
                out=job.incoming.folder / EVIDENCE_FILE,
                progress=progress,
            )
        try:
            _check_flip(source, collection=collection, release=current, division=key.division)
        except ReleaseFlippedError:
            job.incoming.discard()
            raise
    manifest = Manifest(
        stage="raw_files",
        code_version=CODE_VERSION,
        collection=key.collection,
        release=current.number,
        division=key.division,
        input_digest="",
        files=entries,
        extra=_extra(partition, release=current, source=settings.source, evidence=evidence),
        report=transfer_report(entries, files_now=fetched, bytes_now=transferred, watch=watch),
        run_id=run_id,
    )
    return _published(manifest, partition=partition, incoming=job.incoming, settings=settings, progress=progress)


def _current_release(source: Source, key: PartitionKey, *, settings: Settings, expected: str | None) -> Release:
    """Return the source's release, which must be the expected one, if any, and not older than the store's."""
    collection = COLLECTIONS[key.collection]
    current = read_release(source, collection=collection)
    if expected is not None and not same_number(current.number, expected):
        raise ReleaseError(f"{collection.title} {expected} was requested, but the source offers {current.number}")
    refuse_older(settings, key, offered=current.number)
    return current


def _listed_files(
    source: Source, key: PartitionKey, *, settings: Settings, release: Release, progress: Callable[[str], None]
) -> list[RemoteFile]:
    """List the division's files, and report and record content that this version does not support."""
    collection = COLLECTIONS[key.collection]
    listing = listed_division(source, release=release, collection=collection, division=key.division)
    note_unknown(settings.store, listing.unknown, collection=collection)
    if warning := unknown_sentence(listing.unknown, collection=collection):
        progress(f"warning: {warning}")
    files = _files(listing, collection=collection, release=release, division=key.division)
    what = f"{len(files)} file(s) of {key.division}"
    empty = f"its release notes list no file of {key.division}: it is empty"
    progress(f"{collection.title} {release.number}: {what if files else empty}")
    return files


def _extra(
    partition: PartitionRelease, *, release: Release, source: str, evidence: Evidence | None
) -> dict[str, object]:
    """Return the manifest's facts about the release: date, source and evidence."""
    return {
        "release_date": release.date,
        **({} if date_of(release.date) else {"first_fetched_at": _first_fetched_at(partition)}),
        "source": without_credentials(source),
        **({"evidence_file": EVIDENCE_FILE, **dataclasses.asdict(evidence)} if evidence is not None else {}),
    }


def _first_fetched_at(partition: PartitionRelease) -> str:
    """Return when an undated release was first fetched, which orders it among states; kept on re-issue."""
    before = next(readable_manifests(partition, "raw_files"), None)  # a stopped run may not have published its own
    known = (before.extra.get("first_fetched_at") or before.published_at) if before is not None else ""
    return str(known or dt.datetime.now(dt.UTC).isoformat(timespec="seconds"))


def _published(
    manifest: Manifest,
    *,
    partition: PartitionRelease,
    incoming: IncomingFiles,
    settings: Settings,
    progress: Callable[[str], None],
) -> Manifest:
    """Publish the fetched files, then apply retention to older releases."""
    previous = partition.manifest("raw_files")
    published = incoming.publish(manifest, grace_seconds=settings.keep_replaced_seconds)
    if published is None:
        assert previous is not None
        progress("nothing changed: every file was in place")
        published = dataclasses.replace(previous, report=manifest.report)
    keep_newest_releases(settings, partition.key, progress=progress)
    discard_unfinished(settings.store, key=partition.key, current=partition.release)
    return published


def refuse_older(settings: Settings, key: PartitionKey, *, offered: str) -> None:
    """Check that the offered release is not older than the division's release in the store.

    Raises:
        ReleaseError: it is older; nothing was fetched.
    """
    here = current_release(settings.store, key=key, stage="raw_files")
    if here is not None and release_sort_key(offered) < release_sort_key(here.release):
        title = COLLECTIONS[key.collection].title
        raise ReleaseError(
            f"the source offers {title} {offered}, and {here.release} of {key.division} is here already: nothing was "
            "fetched; use a source that is up to date"
        )


def _files(listing: Listing, *, collection: Collection, release: Release, division: str) -> list[RemoteFile]:
    """Return the division's files, which must match those the release promises.

    A division counts as empty only if the release notes say so.

    Raises:
        ReleaseError: files are missing, or none are listed and the notes do not say that the division is empty.
    """
    listed = listing.files[division]
    names = [remote.name for remote in listed]
    if differs := disagreement(release, names, collection=collection, division=division):
        raise ReleaseError(f"{collection.title} {release.number}, {differs}", transient=True)
    if not listed and not (collection is GENBANK and release.files):
        notes = "gbrel.txt lists no files at all" if collection is GENBANK else "files.installed names no file of it"
        raise ReleaseError(
            f"the source has no {division} of {collection.title} {release.number}: its folder shows no file and {notes}"
        )
    return listed


def _check_flip(source: Source, *, collection: Collection, release: Release, division: str) -> None:
    """Read the release again, and check that its number and the division's promised files are unchanged."""
    discarded = "while its files were fetched; nothing was published, the previous release stays in place"
    now = read_number(source, collection=collection)
    if now != release.number:
        raise ReleaseFlippedError(f"{collection.title} {release.number} was replaced by {now} {discarded}")
    try:
        again = read_release(source, collection=collection)
    except ReleaseError as error:
        raise ReleaseFlippedError(
            f"{collection.title} {release.number} is being replaced ({error}) {discarded}"
        ) from error
    before, after = (promised_files(r, collection=collection, division=division) for r in (release, again))
    for name in sorted(before | after):
        if _promise(release, name) != _promise(again, name):
            raise ReleaseFlippedError(
                f"{collection.title} {release.number}: what it says of {name} was changed {discarded}"
            )


def _promise(release: Release, name: str) -> tuple[object, ...]:
    return name in release.files, release.checksums.get(name), release.entries.get(name)
