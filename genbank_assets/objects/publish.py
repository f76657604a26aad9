"""Stage 5: publishes a division's distinct sequences as objects, each once, and its manifest last.

Layout ``record``: an object contains the residues as they are, so any part of a chromosome is one ranged request.
Layout ``pack``: short sequences are combined (``packs``). Sequences listed by a manifest of the set are not sent again.
The work is done file by file and out of core; a killed run continues after the last complete file. Readers follow the
manifest object; what a failed run left is reused by the next one or removed by ``prune``.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from obstore.store import ObjectStore

from genbank_assets.errors import NotFoundError
from genbank_assets.generations import prune_generations
from genbank_assets.measure import Stopwatch, peak_memory_bytes
from genbank_assets.objects import object_index
from genbank_assets.objects.division_objects import DivisionObjects
from genbank_assets.objects.lease import leased
from genbank_assets.objects.object_index import CODE_VERSION, Compared
from genbank_assets.objects.requests import Counts
from genbank_assets.objects.resume import SentFiles
from genbank_assets.objects.spread import MULTIPART_RETRIES
from genbank_assets.objects.store import lock_objects, open_objects
from genbank_assets.reports import ObjectSetReport
from genbank_assets.retention import keep_newest_releases
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionRelease, publish_manifest

OpenStore = Callable[[int], ObjectStore]


def publish_division(
    partition: PartitionRelease,
    *,
    settings: Settings,
    progress: Callable[[str], None],
    run_id: str,
    open_store: OpenStore | None = None,
    compared: Compared | None = None,
) -> Manifest:
    """Send a division's new distinct sequences, then its memberships, then its manifest.

    Readers of the bucket see the old state until the manifest object is sent, and readers of the store until the local
    manifest is written; nothing named by either is overwritten.

    Args:
        partition: the division; its ``unique_records`` must be published.
        settings: name the set, layout and concurrency.
        progress: called with messages for the user.
        run_id: id of this run, recorded in the manifest.
        open_store: opens the store with a given number of client retries; None to open it from the settings.
        compared: result of comparing tables and set (for ``repair``): broken objects are overwritten. None to trust the
            tables whose manifest objects are in the set.

    Returns:
        The published manifest.

    Raises:
        NotFoundError: the deduplicated tables are not published.
        ObjectStoreError: the store kept failing; the previous manifest remains valid.
        IntegrityError: residues do not match their digest; nothing is published.
    """
    unique = partition.manifest("unique_records")
    if unique is None:
        raise NotFoundError(f"{partition.key} {partition.release}: materialize unique_records first")
    opened = open_store or (lambda retries: open_objects(settings, retries=retries))
    store = opened(0)
    work = f"publication of {partition.key} {partition.release}"
    with Stopwatch() as watch, lock_objects(settings, exclusive=False, work=work, progress=progress):
        previous = partition.manifest("object_set")
        if (
            compared is None
            and previous is not None
            and _is_current(previous, unique, settings)
            and object_index.is_published(store, partition, previous, progress=progress)
        ):
            progress("nothing changed: every object and the manifest are in place")
            # A run may have been killed after it had published its manifest.
            SentFiles(partition.stage_folder("object_set"), input_digest=unique.digest, settings=settings).clear()
            prune_generations(partition, "object_set", grace_seconds=settings.keep_replaced_seconds)
            return _unchanged(previous, watch=watch)
        with leased(store, purpose="publish", work=work, progress=progress) as lease:
            job = DivisionObjects(partition, unique, settings=settings, progress=progress, compared=compared)
            tables = (
                compared.tables
                if compared is not None
                else object_index.published_tables(settings, store, first=partition.key, progress=progress)
            )
            counts = job.run(store, retrying_store=opened(MULTIPART_RETRIES), tables=tables, lease_key=lease.key)
            generation, entry = job.tables.keep(job.written)
            job.tables.send_memberships(opened(MULTIPART_RETRIES), broken=compared.broken if compared else None)
            lease.check()
            job.tables.send_manifest(opened(MULTIPART_RETRIES))
    manifest = Manifest(
        stage="object_set",
        code_version=CODE_VERSION,
        collection=partition.key.collection,
        release=partition.release,
        division=partition.key.division,
        input_digest=unique.digest,
        files=(entry,),
        generation=generation,
        extra={
            "url": settings.objects_url,
            "layout": "pack" if job.packing else "record",
            "refget": settings.refget,
            "manifest_key": job.tables.manifest_key,
            "memberships": job.tables.memberships,
        },
        report=_report(job, counts, records=unique.report.records, watch=watch),
        run_id=run_id,
    )
    published = publish_manifest(manifest, partition=partition)
    job.sent.clear()
    prune_generations(partition, "object_set", grace_seconds=settings.keep_replaced_seconds)
    keep_newest_releases(settings, partition.key, progress=progress)
    return published


def _unchanged(previous: Manifest, *, watch: Stopwatch) -> Manifest:
    """Return the published manifest with the figures of a run that sent nothing."""
    report = dataclasses.replace(
        previous.report_as(ObjectSetReport),
        files_now=0,
        bytes_now=0,
        objects_put=0,
        upload_attempts=0,
        upload_errors=0,
        upload_retries=0,
        upload_slow_downs=0,
        seconds=watch.seconds,
        cpu_seconds=watch.cpu_seconds,
    )
    return dataclasses.replace(previous, report=report)


def _report(job: DivisionObjects, counts: Counts, *, records: int | None, watch: Stopwatch) -> ObjectSetReport:
    return ObjectSetReport(
        files=1,
        files_now=1,
        records=records,
        distinct_sequences=job.rows,
        objects=job.objects,
        bytes_out=job.bytes,
        bytes_now=counts.bytes,
        objects_put=counts.put,
        upload_attempts=counts.attempts,
        upload_errors=counts.errors,
        upload_retries=counts.retries,
        upload_slow_downs=counts.slow_downs,
        seconds=watch.seconds,
        cpu_seconds=watch.cpu_seconds,
        peak_memory_bytes=peak_memory_bytes(),
    )


def _is_current(previous: Manifest, unique: Manifest, settings: Settings) -> bool:
    return (
        previous.input_digest == unique.digest
        and previous.code_version == CODE_VERSION
        and settings.has_objects_of(str(previous.extra["url"]))
        and (previous.extra["refget"] or not settings.refget)
    )
