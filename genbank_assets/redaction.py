"""Keeps secrets out of what people see: messages, logs, alerts.

A secret is known, not guessed: passwords in URLs of the environment, AWS's keys, the alerts' secrets, and what was
given to :func:`remember`. It is hidden in every spelling in which programs repeat it. What looks like the password of a
URL is hidden besides. :class:`~genbank_assets.errors.GenbankAssetsError` passes its message through here.
"""

from __future__ import annotations

import functools
import html
import json
import os
import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus, unquote

HIDDEN = "***"
# A shorter one is hidden only where it is the password of a URL or a connection string: no sentence would be left.
MIN_LENGTH = 4
# Whose value is a secret as a whole.
SECRET_VARIABLES = (
    "PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID",
    "GENBANK_ASSETS_ALERT_WEBHOOK_URL", "GENBANK_ASSETS_ALERT_SMTP_PASSWORD",
)  # fmt: skip
# Whose value may be a URL or a connection string with a password in it.
_URL_VARIABLE = re.compile(r"GENBANK_ASSETS_\w+|AWS_ENDPOINT_URL\w*|\w*_proxy", re.IGNORECASE)
# Up to the last @ of the authority, and up to the last of all, for a password with / or ? in it.
_URL_PASSWORDS = (re.compile(r"://[^:/?#\s]*:([^/?#]*)@"), re.compile(r"://[^:/?#\s]*:(.*)@", re.DOTALL))
# Not in our own sentences that say how such an address is written.
_URL_IN_TEXT = re.compile(r"(://[^:/?#@\s]*:)(?!PASSWORD@)[^\s/]*@")
_KEYWORD_PASSWORD = re.compile(r"""(\bpassword\s*=\s*)(?!'…')('(?:[^'\\]|\\.)*'|"[^"]*"|[^\s&'"]+)""", re.IGNORECASE)
# A secret that may well be part of other words is hidden where it stands alone.
_WORD = re.compile(r"[a-z]+|.{1,5}", re.DOTALL)
_remembered: set[str] = set()


def remember(secret: str | None) -> None:
    """Hide a secret from now on that stands in no variable this module knows."""
    if secret:
        _remembered.add(secret)


def redacted(text: str) -> str:
    """Return the text with every known secret, and whatever looks like the password of a URL, replaced by ``***``."""
    pattern = _pattern(frozenset({*_remembered, *_of_environment(os.environ)}))
    if pattern is not None:
        text = pattern.sub(HIDDEN, text)
    text = _URL_IN_TEXT.sub(rf"\g<1>{HIDDEN}@", text)
    return _KEYWORD_PASSWORD.sub(rf"\g<1>{HIDDEN}", text)


def passwords_in(text: str) -> Iterator[str]:
    """Yield the password of a URL or of a connection string, as it is written there and decoded, if there is one."""
    found = [match[1] for pattern in _URL_PASSWORDS for match in pattern.finditer(text)]
    for match in _KEYWORD_PASSWORD.finditer(text):
        quoted = match[2][:1] == match[2][-1:] and match[2][:1] in {"'", '"'}
        found.append(re.sub(r"\\(.)", r"\1", match[2][1:-1]) if quoted else match[2])
    for password in found:
        yield from filter(None, {password, unquote(password)})


def _of_environment(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        if name in SECRET_VARIABLES and value:
            yield value
        elif value and _URL_VARIABLE.fullmatch(name):
            yield from passwords_in(value)


@functools.lru_cache(maxsize=8)
def _pattern(secrets: frozenset[str]) -> re.Pattern[str] | None:
    """All spellings in one pattern, longest first, so that no rest of a longer one stays; None where there are none."""
    spellings = {
        spelling
        for secret in secrets
        if len(secret) >= MIN_LENGTH and secret != HIDDEN
        for spelling in _spellings(secret)
    }
    alternatives = (
        rf"(?<![A-Za-z0-9]){re.escape(spelling)}(?![A-Za-z0-9])" if _WORD.fullmatch(spelling) else re.escape(spelling)
        for spelling in sorted(spellings, key=len, reverse=True)
    )
    return re.compile("|".join(alternatives)) if spellings else None


def _spellings(secret: str) -> set[str]:
    """Return a secret as it stands in URLs, connection strings, JSON, Python's ``repr`` and HTML."""
    encoded = {quote(secret, safe=""), quote(secret), quote_plus(secret), quote(secret, safe="!$&'()*+,;=:@~ ")}
    lower = {re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), one) for one in encoded}
    escaped = secret.replace("\\", "\\\\").replace("'", "\\'")
    return {
        secret,
        *encoded,
        *lower,
        escaped,
        repr(secret)[1:-1],
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        html.escape(secret),
    }
