"""Publication over machines: the sequences of one raw file are a task, sent by whichever worker takes it.

The caller holds the lock and the lease, writes down what is wanted of each file, and publishes the manifest; a worker
sends, and notes what it sent (``resume``) when the whole file is in the set. A task may run more than once: objects are
put under conditions, notes are renamed into place. Each task has as many requests in flight as the settings say; how
many tasks run at a time is bounded by the executor (resource ``objects``). Which files they are belongs to ``publish``.
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

MULTIPART_RETRIES = 12  # by the client, because it alone sees the parts; some two minutes
MIN_SPREAD_FILES = 2
# What is known of a sequence that is in the set and is read again.
KNOWN_COLUMNS = [name for name in EMPTY.columns if name not in IDENTITY and name != "length"]
KNOWN = pl.Struct({name: EMPTY.schema[name] for name in KNOWN_COLUMNS})


@dataclasses.dataclass(frozen=True, kw_only=True)
class SendTask:
    """What is to be sent of one raw file; small and picklable.

    Attributes:
        settings: the set, and how many requests may be in flight.
        name: the raw file.
        sequences: its chunk table.
        wanted: a table of the sequences that are to be sent, or read again for their refget digests.
        notes: where what was sent is noted.
        packing: whether short sequences are packed.
        broken: a table of keys of objects that are not right; None where none are known.
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
    """What sending a file took; its rows are noted.

    Attributes:
        counts: objects, requests and errors.
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
    """Send files by the executor of the settings.

    Args:
        tasks: one a file.
        lease_key: the caller's lease, which a worker has to see in the set before its first task.
        settings: which executor.
        progress: called with lines for people.
        on_done: called with each task when its file is in the set and noted.

    Raises:
        WorkerLostError: workers were killed over some files; all others are sent and noted.
        WorkerRefusedError: no worker is fit.
        ObjectStoreError: the store failed for good.
        IntegrityError: residues do not have their digest.
    """
    proof = proof_of(settings, lease_key)
    run_tasks(send_file, tasks, settings=settings, resource="objects", proof=proof, progress=progress, on_done=on_done)


def proof_of(settings: Settings, lease_key: str) -> Proof:
    """Return what a worker has to show before it sends: that it sees the caller's lease in the set of the settings."""
    shown = dataclasses.replace(settings, store=settings.store.absolute(), postgres_url=None)
    return functools.partial(sees_lease, shown, lease_key)


def sees_lease(settings: Settings, key: str) -> str:
    """Return why a worker cannot send into the set that the caller has leased; "" if it can. Runs on the worker.

    Raises:
        ObjectStoreError: the set cannot be asked, for want of keys or of a way to it.
    """
    there = retried(functools.partial(stored_as, opened(settings, 0), key), doing=f"read {key}", seconds=10)
    return "" if there is not None else f"it sees another object set at {settings.objects_url}"


def send_file(task: SendTask) -> SentFile:
    """Send one file; runs in a worker process.

    Raises:
        IntegrityError: residues do not have their digest.
        ObjectStoreError: the store failed for good.
    """
    part = unsent(pl.read_parquet(task.wanted), task.notes.tables(task.name))
    if not len(part):  # sent and noted by a worker that ended before it could say so
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
    """Return the rows of what is wanted that no table of notes has."""
    if not notes:
        return part
    return part.join(pl.read_parquet(notes, columns=IDENTITY), on=IDENTITY, how="anti", maintain_order="left")


def send_part(uploader: Uploader, sequences: Path, part: pl.DataFrame, *, packing: bool, refget: bool) -> pl.DataFrame:
    """Send what is wanted of one chunk table.

    Args:
        uploader: sends it.
        sequences: the chunk table.
        part: rows of the table of distinct sequences, with :data:`KNOWN` of those that are in the set as ``known``.
        packing: whether short sequences are packed.
        refget: whether refget digests are computed.

    Returns:
        The rows of the object table.
    """
    in_set = pl.col("known").struct.field("key").is_not_null()
    wanted = part.with_columns(record_ordinal="representative_record_ordinal", in_set=in_set).select(WANTED.keys())
    sent = FileSender(uploader, packing=packing, refget=refget).send(sequences, wanted)
    known = part.filter(in_set).select(*IDENTITY, "known").unnest("known").drop("refget")
    read_again = sent.select(*IDENTITY, "length", "refget").join(known, on=IDENTITY, how="inner")
    return pl.concat([sent.filter(pl.col("key").is_not_null()), read_again.select(sent.columns)])


@functools.lru_cache(maxsize=8)
def opened(settings: Settings, retries: int) -> ObjectStore:
    """Return the store of the settings, opened once in a worker process, whose connections then serve many files."""
    return open_objects(settings, retries=retries)
