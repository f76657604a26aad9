"""``ftp://``: passive mode, one control connection per worker for all its files, downloads resumed with REST.

Missing server features have fallbacks: ``LIST`` for ``MLSD``, skipping bytes for ``REST``, no date for ``MDTM``. A
control connection is dropped after an unexpected reply, because the next reply could belong to an earlier command.
"""

from __future__ import annotations

import contextlib
import ftplib
import socket
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from genbank_assets.connection_reasons import connection_reason
from genbank_assets.errors import RemoteFileMissingError, SourceError, SourceInterruptedError
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.sources.base import (
    CHUNK_BYTES,
    TIMEOUT_SECONDS,
    RemoteFile,
    Source,
    check_same_file,
    safe_name,
    size_of,
)
from genbank_assets.ncbi.sources.index import list_lines

KEEP_ALIVE_SECONDS = 30
# ftplib raises ValueError for malformed numbers.
_FAILURES: tuple[type[Exception], ...] = (*ftplib.all_errors, ValueError)
_UNKNOWN_COMMAND = ("500", "502", "504")
_TOO_MANY = "421"
_ABSENT = ("550", "501")


class FtpSource(Source):
    """An FTP server with NCBI's layout."""

    def __init__(self, root: str, *, limiter: Limiter, timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        super().__init__(root, limiter=limiter, timeout_seconds=timeout_seconds)
        parts = urlsplit(root)
        try:
            self._server = (parts.hostname or "", parts.port or ftplib.FTP_PORT)
        except ValueError as error:
            raise SourceError(f"the source is not a valid URL: {error}") from error
        self._user = (unquote(parts.username or "anonymous"), unquote(parts.password or "genbank-assets@"))
        self._base = unquote(parts.path).rstrip("/")
        self._connection: ftplib.FTP | None = None
        self._knows_mlsd = True

    def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(*_FAILURES):
                self._connection.quit()
            self._drop()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> ftplib.FTP:
        """Return the control connection, reopening it if the server has closed it."""
        if self._connection is not None:
            try:
                self._connection.voidcmd("NOOP")
            except _FAILURES:
                self._drop()
        while self._connection is None:
            sent = self._limiter.wait_for_turn(self._root)
            try:
                self._connection = self._logged_in()
            except _FAILURES as error:
                if str(error).startswith(_TOO_MANY):
                    self._limiter.slow_down(None, url=f"{self._root} ({error})", sent=sent)
                    continue
                kind = SourceError if isinstance(error, ftplib.error_perm) else SourceInterruptedError
                raise kind(f"cannot reach {self._root}: {connection_reason(error)}") from error
            self._limiter.record_success(sent=sent)
        return self._connection

    def _logged_in(self) -> ftplib.FTP:
        connection = ftplib.FTP(timeout=self._timeout_seconds, encoding="latin-1")
        try:
            connection.connect(*self._server)
            _keep_alive(connection.sock)
            connection.login(*self._user)
            connection.voidcmd("TYPE I")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def _dialogue(self, path: str) -> Iterator[ftplib.FTP]:
        """Give the connection for one exchange, and drop it afterwards if its replies may be out of step."""
        connection = self._connected()
        try:
            yield connection
        except ftplib.error_perm as error:
            if str(error).startswith(_ABSENT):
                raise RemoteFileMissingError(f"there is no {self.url(path)}: {error}") from error
            raise SourceError(f"{self.url(path)}: {error}") from error
        except ftplib.error_temp as error:
            if str(error).startswith(_TOO_MANY):
                self._drop()
            raise SourceInterruptedError(f"{self.url(path)}: the transfer broke: {connection_reason(error)}") from error
        except _FAILURES as error:
            self._drop()
            raise SourceInterruptedError(
                f"{self.url(path)}: the connection broke: {connection_reason(error)}"
            ) from error
        except BaseException:  # the reader stopped early: the server's final reply is still outstanding
            self._drop()
            raise

    def _path(self, path: str) -> str:
        return f"{self._base}/{path}"

    def _listed(self, folder: str) -> list[RemoteFile]:
        self._limiter.wait_for_turn(self.url(folder))
        try:
            if self._knows_mlsd:
                with self._dialogue(folder) as connection:
                    with contextlib.suppress(ftplib.error_perm):
                        connection.sendcmd("OPTS MLST type;size;modify;")
                    try:
                        return [
                            _entry(*entry) for entry in list(connection.mlsd(self._path(folder))) if _is_file(*entry)
                        ]
                    except ftplib.error_perm as error:
                        if not str(error).startswith(_UNKNOWN_COMMAND):
                            raise
                        self._knows_mlsd = False
            lines: list[str] = []
            with self._dialogue(folder) as connection:
                connection.retrlines(f"LIST {self._path(folder)}", lines.append)
        except RemoteFileMissingError:
            return []
        return list_lines(lines)

    def stat(self, path: str) -> RemoteFile:
        with self._dialogue(path) as connection:
            connection.voidcmd("TYPE I")
            size = _optional(connection, f"SIZE {self._path(path)}")
            modified = _optional(connection, f"MDTM {self._path(path)}")
        name = path.rsplit("/", 1)[-1]
        return RemoteFile(name, None if size is None else size_of(size, what=self.url(path)), modified=modified)

    def stream(self, path: str, *, offset: int, expected: RemoteFile) -> Iterator[bytes]:
        check_same_file(self.stat(path), expected, url=self.url(path))
        self._limiter.wait_for_turn(self.url(path))
        with self._dialogue(path) as connection:
            data, passed_over = self._transfer(connection, path, offset=offset)
            with data:
                while piece := data.recv(CHUNK_BYTES):
                    if passed_over < len(piece):
                        yield piece[passed_over:]
                    passed_over = max(0, passed_over - len(piece))
            connection.voidresp()
        check_same_file(self.stat(path), expected, url=self.url(path))

    def _transfer(self, connection: ftplib.FTP, path: str, *, offset: int) -> tuple[socket.socket, int]:
        """Return the data connection, and how many of its first bytes to skip."""
        command = f"RETR {self._path(path)}"
        try:
            return connection.transfercmd(command, rest=offset or None), 0
        except ftplib.error_perm as error:
            if not offset or str(error).startswith(_ABSENT[0]):
                raise
        return connection.transfercmd(command), offset


def _keep_alive(control: socket.socket | None) -> None:
    """Enable TCP keep-alive, so that the control connection survives a long transfer on the data connection."""
    if control is not None:
        control.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name in ("TCP_KEEPIDLE", "TCP_KEEPINTVL"):
            if hasattr(socket, name):
                control.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), KEEP_ALIVE_SECONDS)


def _optional(connection: ftplib.FTP, command: str) -> str | None:
    """Send a command that old servers may not know; None if the server does not know it."""
    try:
        answer = connection.sendcmd(command)
    except ftplib.error_perm as error:
        if str(error).startswith(_UNKNOWN_COMMAND):
            return None
        raise
    if not answer.startswith("213 "):
        raise ValueError(f"the server's replies are out of sync: {answer[:80]}")
    return answer[4:].strip()


def _is_file(name: str, facts: dict[str, str]) -> bool:
    return facts.get("type", "").lower() == "file"


def _entry(name: str, facts: dict[str, str]) -> RemoteFile:
    size = facts.get("size")
    return RemoteFile(
        safe_name(name), None if size is None else size_of(size, what=name[:80]), modified=facts.get("modify")
    )
