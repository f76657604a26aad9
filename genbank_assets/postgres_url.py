"""Normalises PostgreSQL connection strings to one form of URL.

Accepts libpq URLs (``postgresql://``, ``postgres://``), SQLAlchemy URLs (``postgresql+psycopg2://``) and libpq keywords
(``host=… password='…'``); a password in a URL may contain unescaped ``%``, ``@``, blanks and quotes. libpq echoes
input it cannot parse, including the password, so it is only given URLs normalised here. Connecting belongs to
``postgres``.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from genbank_assets.errors import SettingsError
from genbank_assets.redaction import HIDDEN, remember

_SCHEME = re.compile(r"postgres(?:ql)?(?:\+[a-z0-9_]+)?://", re.IGNORECASE)
_HOST = r"(?:\[[0-9A-Fa-f:.%]+\]|[^\[\]@:/?#,\s]*)(?::\d{0,5})?"
_REST = re.compile(rf"({_HOST}(?:,{_HOST})*)(?:/([^?#]*))?(?:\?([^#]*))?")
_PARAMETER = re.compile(r"[A-Za-z_]+=.*")
# libpq parameters whose values may contain an @.
_FREE_PARAMETER = re.compile(
    r"(?:user|password|passfile|dbname|service|options|(?:fallback_)?application_name|ssl\w+|krb\w+|gss\w+)=.*"
)
# Parameters that may appear in messages: not options, which may set anything, nor passwords of keys.
_SHOWN_PARAMETER = re.compile(r"(?:host|hostaddr|port|service|sslmode|target_session_attrs)=.*")
FORMS = "postgresql://USER:PASSWORD@HOST:PORT/DATABASE, or host=… dbname=… user=… password='…'"


def normalised_postgres_url(text: str, *, variable: str) -> str:
    """Return a libpq URL with a percent-encoded password, and register the password for redaction.

    Args:
        text: a connection string in any accepted form.
        variable: name of the setting, for error messages; these never contain the text itself.

    Raises:
        SettingsError: the text is not a PostgreSQL connection string.
    """
    text = text.strip()
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise SettingsError(f"{variable} holds a control character: write {FORMS}")
    scheme = _SCHEME.match(text)
    if scheme is not None:
        return _from_url(text[scheme.end() :], variable=variable)
    if "://" not in text and re.search(r"^\s*\w+\s*=", text):
        return _from_keywords(text, variable=variable)
    raise SettingsError(f"{variable} is not a PostgreSQL address: write {FORMS}")


def sqlalchemy_url(url: str) -> str:
    """Convert a normalised URL to SQLAlchemy's form with psycopg2, as dagster-postgres requires."""
    return url.replace("postgresql://", "postgresql+psycopg2://", 1)


def shown_postgres_url(url: str) -> str:
    """Return a normalised URL with its password masked and only those parameters that identify the server."""
    address, _, query = re.sub(r"(://[^:/@]*:)[^@/]*@", rf"\g<1>{HIDDEN}@", url, count=1).partition("?")
    shown = [pair for pair in query.split("&") if _SHOWN_PARAMETER.fullmatch(pair)]
    return f"{address}?{'&'.join(shown)}" if shown else address


def _from_url(rest: str, *, variable: str) -> str:
    user_info, after = _split(rest)
    if after is None or not _ports_are_valid(after[1]):
        raise SettingsError(f"{variable} has a host or port that cannot be used: write {FORMS}")
    user, colon, password = user_info.partition(":")
    parameters = []
    for pair in filter(None, (after[3] or "").split("&")):
        if not _PARAMETER.fullmatch(pair):
            raise SettingsError(f"{variable} has a parameter without a value: append ?NAME=VALUE&NAME=VALUE")
        name, _, value = pair.partition("=")
        if name == "password":
            password, colon = password or value, ":"
        else:
            parameters.append((name, unquote(value)))
    return _url(
        user=unquote(user),
        password=unquote(password) if colon else None,
        hosts=after[1],
        database=unquote(after[2] or ""),
        parameters=parameters,
    )


def _split(rest: str) -> tuple[str, re.Match[str] | None]:
    """Split user information from the rest of a URL, allowing @, / and ? in the password.

    Splits at the last @ before the path if a valid address follows it, otherwise at the last @ for which one does.
    """
    ends = [match.start() for match in re.finditer("@", rest)]
    path_begins = re.search(r"[/?#]", rest)
    inside = [end for end in ends if path_begins is None or end < path_begins.start()]
    for end in [*reversed(inside), *([] if inside else [-1]), *reversed(ends)]:
        after = _REST.fullmatch(rest[end + 1 :])
        if after is None or "@" in (after[2] or ""):
            continue
        if any("@" in pair and not _FREE_PARAMETER.fullmatch(pair) for pair in (after[3] or "").split("&")):
            continue
        return rest[: max(end, 0)], after
    return "", None


def _from_keywords(text: str, *, variable: str) -> str:
    from psycopg import ProgrammingError  # slow to import, and only needed for this form
    from psycopg.conninfo import conninfo_to_dict

    try:
        found = {name: str(value) for name, value in conninfo_to_dict(text).items() if value is not None}
    except ProgrammingError:  # its message repeats the text
        raise SettingsError(
            f"{variable} cannot be read as libpq's keywords: put values with blanks or quotes between ' and ', with a "
            "backslash before each ' and \\ in them"
        ) from None
    return _url(
        user=found.pop("user", ""),
        password=found.pop("password", None),
        hosts="",
        database=found.pop("dbname", ""),
        parameters=sorted(found.items()),
    )


def _url(*, user: str, password: str | None, hosts: str, database: str, parameters: list[tuple[str, str]]) -> str:
    for secret in (password, *(value for name, value in parameters if name == "sslpassword")):
        remember(secret)
    user_info = quote(user, safe="") + ("" if password is None else f":{quote(password, safe='')}")
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters)
    return (
        f"postgresql://{user_info + '@' if user_info else ''}{hosts}/{quote(database, safe='')}{query and '?' + query}"
    )


def _ports_are_valid(hosts: str) -> bool:
    ports = re.findall(r":(\d*)(?=,|$)", re.sub(r"\[[^\]]*\]", "", hosts))
    return all(not port or 0 < int(port) < 65536 for port in ports)
