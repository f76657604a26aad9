"""The exception tree: every error a user of the package can meet.

Errors say what happened, where (file, offset, line, accession) and what to do, and whether the same call may succeed
later. They never carry secrets: every message goes through ``redaction``. They can be pickled, because workers hand
them to the process that waits for them. Quarantined blocks are data, not errors, and do not belong here.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from genbank_assets.redaction import redacted


def one_line(text: str) -> str:
    """A message of several lines, as libpq, PostgreSQL and DuckDB write them, as one; a text of one line stays."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    lines = [line for line in lines if line.strip("^~ ")]  # not those that point at a place in the line above
    if len(lines) < 2:
        return text.strip()
    return "".join(line + (" " if line.endswith(tuple(".:;,!?")) else "; ") for line in lines).rstrip("; ")


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error, what caused it, and so on: the last one is where it began."""
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__


class GenbankAssetsError(Exception):
    """Base of all errors raised on purpose; the command line prints it without a traceback.

    Args:
        message: one sentence: what happened and what to do; secrets in it are hidden here.
        transient: what this one error knows better than its class.

    Attributes:
        transient: whether the same call may succeed later without anybody doing anything. Retries follow it, and
            nothing else. Each class has its own default.
    """

    transient: bool = False

    def __init__(self, message: str = "", *, transient: bool | None = None) -> None:
        super().__init__(one_line(redacted(message)))
        if transient is not None:
            self.transient = transient


class SettingsError(GenbankAssetsError):
    """A setting (environment variable or option) has a value that cannot be used."""


class UsageError(SettingsError):
    """What was asked for on the command line cannot be: the exit code is 2."""


class StoreError(GenbankAssetsError):
    """The store's file system refuses: it is full, read-only, not this user's, or a file where a folder should be."""


class SourceError(GenbankAssetsError):
    """NCBI's server (or the folder that stands for it) cannot be reached or sent an invalid response."""


class SourceInterruptedError(SourceError):
    """The connection broke or the server stumbled (5xx): the same request may well succeed in a moment."""

    transient = True


class RemoteFileMissingError(SourceError):
    """The source has no such file."""


class SourceBusyError(SourceError):
    """The server asked to slow down (503/429) for longer than the settings allow to wait."""

    transient = True


class RemoteFileChangedError(SourceError):
    """A remote file is no longer the one whose first bytes are already here."""

    transient = True


class ReleaseError(GenbankAssetsError):
    """A release is not coherent: numbers, listing or checksums disagree; nothing was published."""


class ReleaseFlippedError(ReleaseError):
    """The release number changed while its files were being fetched."""

    transient = True


class QueryError(GenbankAssetsError):
    """A query of a user cannot be answered as it is written."""


class IntegrityError(GenbankAssetsError):
    """Bytes or totals are not what they have to be; the stage stopped before publishing."""


class FlatFileError(GenbankAssetsError):
    """A flat file stopped being readable.

    Attributes:
        file: name of the file.
        offset: bytes into the uncompressed stream up to which everything was read.
        line: 1-based line number at that point, if known.
        accession: accession of the record at that point, if legible.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str,
        offset: int | None = None,
        line: int | None = None,
        accession: str | None = None,
    ) -> None:
        self._message = message
        self.file = file
        self.offset = offset
        self.line = line
        self.accession = accession
        where = file
        if offset is not None:
            where += f", byte {offset:,} of the uncompressed text"
        if line is not None:
            where += f", line {line:,}"
        if accession:
            where += f", record {accession}"
        super().__init__(f"{message} ({where})")

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled with its keywords: an error of a worker is raised as it is where its result is waited for."""
        made = functools.partial(
            type(self), self._message, file=self.file, offset=self.offset, line=self.line, accession=self.accession
        )
        return made, (), self.__dict__


class CorruptGzipError(FlatFileError):
    """A gzip stream is damaged or ends early; what came before was kept but is not published."""


class ShrinkGuardError(GenbankAssetsError):
    """A release lacks more of the loaded records than the settings allow; nothing was changed."""


class DatabaseError(GenbankAssetsError):
    """PostgreSQL cannot be reached, is the wrong version or holds a schema from the future.

    ``transient`` says of each whether it may pass: a server that restarts does, a wrong password does not.
    """


class DatabaseInUseError(DatabaseError):
    """The embedded server was not stopped, because other processes use it."""


class NoDatabaseError(DatabaseError):
    """The store has no database yet: nothing was ever loaded, and reading does not make one."""


class ObjectStoreError(GenbankAssetsError):
    """The object store cannot be reached or does not hold what its manifest says."""


class ObjectStoreBusyError(ObjectStoreError):
    """The object store failed time and again for a reason that may pass (5xx, time-outs)."""

    transient = True


class WorkerLostError(GenbankAssetsError):
    """A worker process was killed, most often by the kernel for lack of memory; finished tasks stay finished."""

    transient = True


class WorkerRefusedError(GenbankAssetsError):
    """A worker on another machine has another version, sees another store, or does not reach the database."""


class NotFoundError(GenbankAssetsError):
    """An accession, digest, partition or file that was asked for does not exist."""
