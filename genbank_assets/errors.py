"""The exception hierarchy of the package.

Messages say what happened, where (file, offset, line, accession) and what to do; ``transient`` says whether the same
call may succeed later. Every message goes through ``redaction``, so none contains a secret. Errors can be pickled,
because workers return them to the parent process. Quarantined blocks are data, not errors.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from genbank_assets.redaction import redacted


def one_line(text: str) -> str:
    """Join the lines of a message from libpq, PostgreSQL or DuckDB; single-line messages are returned stripped."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    lines = [line for line in lines if line.strip("^~ ")]  # drop caret markers under the line above
    if len(lines) < 2:
        return text.strip()
    return "".join(line + (" " if line.endswith(tuple(".:;,!?")) else "; ") for line in lines).rstrip("; ")


def printable(name: str) -> str:
    r"""Return a file name as valid text: bytes that were not decodable become escapes such as ``\udcff``."""
    return name.encode("utf-8", "backslashreplace").decode()


def causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its chain of causes; the root cause comes last."""
    one: BaseException | None = error
    while one is not None:
        yield one
        one = one.__cause__ or one.__context__


class GenbankAssetsError(Exception):
    """Base class of all errors raised on purpose; the command line prints them without a traceback.

    Args:
        message: one sentence saying what happened and what to do; secrets in it are redacted here.
        transient: overrides the default of the class.

    Attributes:
        transient: whether the same call may succeed later without intervention. Retries depend on this alone.
    """

    transient: bool = False

    def __init__(self, message: str = "", *, transient: bool | None = None) -> None:
        super().__init__(one_line(redacted(message)))
        if transient is not None:
            self.transient = transient


class SettingsError(GenbankAssetsError):
    """A setting (environment variable or option) has an invalid value."""


class UsageError(SettingsError):
    """The command line was used incorrectly; the exit code is 2."""


class StoreError(GenbankAssetsError):
    """The store's file system refuses access: full, read-only, missing permission, or a file in place of a folder."""


class SourceError(GenbankAssetsError):
    """The source (NCBI's server, a mirror of it or a folder) cannot be reached or sent an invalid response."""


class SourceInterruptedError(SourceError):
    """The connection broke or the server failed (5xx); the same request may succeed shortly."""

    transient = True


class RemoteFileMissingError(SourceError):
    """The source does not have the requested file."""


class SourceBusyError(SourceError):
    """The server asked for a longer pause (503/429) than the settings allow."""

    transient = True


class RemoteFileChangedError(SourceError):
    """A remote file was replaced during a download that had begun earlier."""

    transient = True


class ReleaseError(GenbankAssetsError):
    """A release is inconsistent: its numbers, listing or checksums disagree; nothing was published."""


class ReleaseFlippedError(ReleaseError):
    """The release number changed while its files were being fetched."""

    transient = True


class QueryError(GenbankAssetsError):
    """A user's query is invalid or cannot be executed."""


class IntegrityError(GenbankAssetsError):
    """Bytes or totals do not match their expected values; the stage stopped before publishing."""


class FlatFileError(GenbankAssetsError):
    """A flat file cannot be read beyond some offset.

    Attributes:
        file: name of the file.
        offset: byte offset in the uncompressed stream up to which it was read, if known.
        line: 1-based line number at the offset, if known.
        accession: accession of the record at the offset, if known.
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
        """Support pickling despite keyword-only arguments, for errors that cross process boundaries."""
        made = functools.partial(
            type(self), self._message, file=self.file, offset=self.offset, line=self.line, accession=self.accession
        )
        return made, (), self.__dict__


class CorruptGzipError(FlatFileError):
    """A gzip stream is damaged or truncated; the part before the damage is kept but not published."""


class ShrinkGuardError(GenbankAssetsError):
    """A release lacks more of the loaded records than ``max_absent_fraction`` allows; nothing was changed."""


class DatabaseError(GenbankAssetsError):
    """PostgreSQL cannot be reached, has an unsupported version or holds a schema newer than this package.

    ``transient`` is set per error: a restarting server is transient, a wrong password is not.
    """


class DatabaseInUseError(DatabaseError):
    """The embedded server was not stopped because other processes are using it."""


class NoDatabaseError(DatabaseError):
    """The store has no database yet; reading never creates one."""


class ObjectStoreError(GenbankAssetsError):
    """The object store cannot be reached or does not match its manifests."""


class ObjectStoreBusyError(ObjectStoreError):
    """The object store kept failing with transient errors (5xx, timeouts) until retries were exhausted."""

    transient = True


class WorkerLostError(GenbankAssetsError):
    """A worker process was killed, most often by the kernel's OOM killer; completed tasks are kept."""

    transient = True


class WorkerRefusedError(GenbankAssetsError):
    """A remote worker runs another version, sees another store, or cannot reach the database."""


class NotFoundError(GenbankAssetsError):
    """A requested accession, digest, partition or file does not exist."""
