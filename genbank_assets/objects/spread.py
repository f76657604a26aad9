"""Distributed publication: the sequences of each raw file are a task for a remote worker.

The caller holds lock and lease, writes the list of sequences for each file, and publishes the manifest; a worker sends
them, and records what it sent (``resume``) once the file is complete. Tasks may run more than once: objects are sent
conditionally, and records are renamed into place. Each task has as many requests in flight as configured; the executor
limits the number of concurrent tasks (resource ``objects``). Selecting files belongs to ``publish``.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import polars as pl
from obstore.store import ObjectStore

from genbank_assets.compute.fitness import Proof
from genbank_assets.compute.tasks import TaskResult, run_tasks
from genbank_assets.objects.object_index import EMPTY, IDENTITY
from genbank_assets.objects.requests import Counts, stored_as
from genbank_assets.objects.resume import SentFiles
from genbank_assets.objects.retry import retried
from genbank_assets.objects.send_file import WANTED, FileSender
from genbank_assets.objects.store import open_objects
from genbank_assets.objects.upload import Uploader
from genbank_assets.settings import Settings

MULTIPART_RETRIES = 12  # by the client, which alone sees the parts; about two minutes
MIN_SPREAD_FILES = 2
# Known columns of a sequence that is in the set and must be read again.
KNOWN_COLUMNS = [name for name in EMPTY.columns if name not in IDENTITY and name != "length"]
KNOWN = pl.Struct({name: EMPTY.schema[name] for name in KNOWN_COLUMNS})


@dataclasses.dataclass(frozen=True, kw_only=True)
class SendTask:
    """The task of sending one raw file's sequences; picklable.

    Attributes:
        settings: name the set, and the number of requests in flight.
        name: the raw file.
        sequences: its chunk table.
        wanted: table of the sequences to send, or to read for their refget digests.
        notes: where to record what was sent.
        packing: whether short sequences are packed.
        broken: table of keys of damaged objects, or None.
    """

    settings: Settings
    name: str
    sequences: Path
    wanted: Path
    notes: SentFiles
    packing: bool
    broken: Path | None

    def __str__(self) -> str:
        return self.name


@dataclasses.dataclass(frozen=True)
class SentFile:
    """Result of sending a file, whose rows have been recorded.

    Attributes:
        counts: upload statistics.
    """

    counts: Counts


def send_files(
    tasks: Sequence[SendTask],
    *,
    lease_key: str,
    settings: Settings,
    progress: Callable[[str], None],
    on_done: Callable[[SendTask, TaskResult[SentFile]], None],
) -> None:
    """Send files with the configured executor.

    Args:
        tasks: one task per file.
        lease_key: the caller's lease, which a worker must see in the set before its first task.
        settings: name the executor.
        progress: called with messages for the user.
        on_done: called with each task once its file is sent and recorded.

    Raises:
        WorkerLostError: workers were killed while processing some files; all others are sent and recorded.
        WorkerRefusedError: no worker is suitable.
        ObjectStoreError: the store failed permanently.
        IntegrityError: residues do not match their digest.
    """
    proof = proof_of(settings, lease_key)
    run_tasks(send_file, tasks, settings=settings, resource="objects", proof=proof, progress=progress, on_done=on_done)


def proof_of(settings: Settings, lease_key: str) -> Proof:
    """Return the test for workers: whether they see the caller's lease in the set of the settings."""
    shown = dataclasses.replace(settings, store=settings.store.absolute(), postgres_url=None)
    return functools.partial(sees_lease, shown, lease_key)


def sees_lease(settings: Settings, key: str) -> str:
    """Return why a worker cannot send to the set leased by the caller; "" if it can. Runs on the worker.

    Raises:
        ObjectStoreError: the set cannot be accessed, because of missing credentials or network access.
    """
    there = retried(functools.partial(stored_as, opened(settings, 0), key), doing=f"read {key}", seconds=10)
    return "" if there is not None else f"it sees another object set at {settings.objects_url}"


def send_file(task: SendTask) -> SentFile:
    """Send one file; runs in a worker process.

    Raises:
        IntegrityError: residues do not match their digest.
        ObjectStoreError: the store failed permanently.
    """
    part = unsent(pl.read_parquet(task.wanted), task.notes.tables(task.name))
    if not len(part):  # already sent and recorded by a worker that ended before reporting it
        return SentFile(Counts())
    broken = pl.read_parquet(task.broken)["key"] if task.broken is not None else ()
    uploader = Uploader(
        opened(task.settings, 0),
        retrying_store=opened(task.settings, MULTIPART_RETRIES),
        concurrency=task.settings.upload_concurrency,
        overwrite=frozenset(broken),
    )
    rows = send_part(uploader, task.sequences, part, packing=task.packing, refget=task.settings.refget)
    task.notes.add(task.name, rows)
    return SentFile(uploader.counts)


def unsent(part: pl.DataFrame, notes: list[Path]) -> pl.DataFrame:
    """Return the rows to send that are not in any recorded table."""
    if not notes:
        return part
    return part.join(pl.read_parquet(notes, columns=IDENTITY), on=IDENTITY, how="anti", maintain_order="left")


def send_part(uploader: Uploader, sequences: Path, part: pl.DataFrame, *, packing: bool, refget: bool) -> pl.DataFrame:
    """Send the selected sequences of one chunk table.

    Args:
        uploader: sends the objects.
        sequences: the chunk table.
        part: rows of the table of distinct sequences, with :data:`KNOWN` as ``known`` for those in the set.
        packing: whether short sequences are packed.
        refget: whether to compute refget digests.

    Returns:
        Rows of the object table.
    """
    in_set = pl.col("known").struct.field("key").is_not_null()
    wanted = part.with_columns(record_ordinal="representative_record_ordinal", in_set=in_set).select(WANTED.keys())
    sent = FileSender(uploader, packing=packing, refget=refget).send(sequences, wanted)
    known = part.filter(in_set).select(*IDENTITY, "known").unnest("known").drop("refget")
    read_again = sent.select(*IDENTITY, "length", "refget").join(known, on=IDENTITY, how="inner")
    return pl.concat([sent.filter(pl.col("key").is_not_null()), read_again.select(sent.columns)])


@functools.lru_cache(maxsize=8)
def opened(settings: Settings, retries: int) -> ObjectStore:
    """Return the store of the settings, opened once per worker process so that connections are reused."""
    return open_objects(settings, retries=retries)
