"""Parses server listings: HTML index pages and the output of FTP's ``LIST``.

Servers format index pages differently (Apache with or without tables, nginx, lighttpd, IIS, Python's), so only links
are relied on, with date and size if they appear next to them. Malicious names are rejected, other links ignored.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

from genbank_assets.errors import SourceError
from genbank_assets.ncbi.sources.base import MAX_FILE_BYTES, RemoteFile, safe_name, size_of

_DATE = re.compile(
    r"\b(?:\d{4}-\d{2}-\d{2}|\d{1,2}-[A-Z][a-z]{2}-\d{4}|\d{4}-[A-Z][a-z]{2}-\d{2})(?:[ T]+\d{1,2}:\d{2}(?::\d{2})?)?"
)
_SIZE = re.compile(r"([-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)\s?([KMGTP]?)(?:i?B)?")
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40, "P": 2**50}
_UNIX_LINE = re.compile(
    r"([-dlbcps])[rwxsStTl-]{9}\S?\s+\d+\s+(?:\S+\s+){1,2}(\d+)\s+"
    r"([A-Z][a-z]{2}\s+\d{1,2}\s+(?:\d{4}|\d{1,2}:\d{2}))\s(.+)"
)
_DOS_LINE = re.compile(r"(\d{2}-\d{2}-\d{2,4}\s+\d{1,2}:\d{2}(?:[AP]M)?)\s+(<DIR>|\d+)\s+(.+)")


class _Links(HTMLParser):
    """Collects the links of a page, each with the text up to the next link."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[str, str]] = []
        self._in_link = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self._in_link = True
            self.rows.append((dict(attrs).get("href") or "", ""))
        elif tag in {"td", "tr", "li", "br"} and self.rows:
            self._add(" ")

    def handle_endtag(self, tag: str) -> None:
        self._in_link = self._in_link and tag != "a"

    def handle_data(self, data: str) -> None:
        if self.rows and not self._in_link:
            self._add(data)

    def _add(self, text: str) -> None:
        href, before = self.rows[-1]
        if len(before) < 400:
            self.rows[-1] = (href, before + text[:400])


def html_index(page: str, *, url: str) -> list[RemoteFile]:
    """Return the files listed in a server's index page of a folder.

    Args:
        page: the HTML text.
        url: the final URL of the page, to which links are relative.

    Raises:
        SourceError: a link would leave the folder, or a name or size is invalid.
    """
    links = _Links()
    links.feed(page)
    links.close()
    texts: dict[str, str] = {}
    for href, text in links.rows:
        name = _name(href, url=url)
        if name is not None:
            texts[name] = texts.get(name, "") + " " + text
    return [_remote(name, text) for name, text in sorted(texts.items())]


def _name(href: str, *, url: str) -> str | None:
    """Return the name of the file a link refers to, or None if it is not a file in this folder."""
    if re.search(r"[\x00-\x1f\\]", href):
        raise SourceError(f"the listing contains an invalid name: {href[:80]!r}")
    here = urlsplit(url)
    try:
        link = urlsplit(href)
    except ValueError as error:
        raise SourceError(f"the listing contains an invalid name: {href[:80]!r}") from error
    if link.query or link.fragment or not link.path or (link.scheme, link.netloc) not in _same_server(here):
        return None  # links for sorting, footers, other servers
    path = link.path
    if path.startswith("/"):
        if not path.startswith(here.path):
            return None  # another folder
        path = path.removeprefix(here.path)
    path = path.removeprefix("./")
    if path in {"", ".", ".."} or path.endswith("/"):
        return None  # the folder itself, its parent, folders in it
    return safe_name(unquote(path))


def _same_server(here: object) -> set[tuple[str, str]]:
    scheme, netloc = getattr(here, "scheme", ""), getattr(here, "netloc", "")
    return {("", ""), ("", netloc), (scheme, netloc)}


def _remote(name: str, text: str) -> RemoteFile:
    date = _DATE.search(text)
    behind = text[date.end() :].split() if date else []  # a number not preceded by a date may be anything
    size = next((found for word in behind if (found := _SIZE.fullmatch(word))), None)
    bytes_, rounded = _size(size, name=name) if size is not None else (None, False)
    return RemoteFile(name, bytes_, modified=" ".join(date[0].split()) if date else None, rounded=rounded)


def _size(found: re.Match[str], *, name: str) -> tuple[int, bool]:
    number, unit = found[1], found[2]
    if number.isdigit() and not unit:
        return size_of(number, what=name), False
    size = float(number) * _UNITS[unit]
    if not 0 <= size <= MAX_FILE_BYTES:
        raise SourceError(f"{name}: a file cannot have a size of {found[0]!r}")
    return int(size), True


def list_lines(lines: list[str]) -> list[RemoteFile]:
    """Return the files in the output of ``LIST``, in the style of ``ls -l`` or of DOS.

    Raises:
        SourceError: a line has neither format, or a name is invalid.
    """
    found = []
    for line in lines:
        if not line.strip() or re.fullmatch(r"total\s+\d+", line.strip(), re.IGNORECASE):
            continue
        if unix := _UNIX_LINE.fullmatch(line.rstrip()):
            if unix[1] == "-":
                size = size_of(unix[2], what=unix[4])
                found.append(RemoteFile(safe_name(unix[4]), size, modified=" ".join(unix[3].split())))
        elif dos := _DOS_LINE.fullmatch(line.rstrip()):
            if dos[2] != "<DIR>":
                size = size_of(dos[2], what=dos[3])
                found.append(RemoteFile(safe_name(dos[3]), size, modified=" ".join(dos[1].split())))
        else:
            raise SourceError(f"the server's listing has a line that cannot be read: {line[:80]!r}")
    return found
