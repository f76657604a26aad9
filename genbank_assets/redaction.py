"""Redacts secrets from messages, logs and alerts.

Known secrets are passwords in URLs of the environment, AWS keys, the secrets of alerts, and whatever was passed to
:func:`remember`; they are redacted in every encoding in which programs repeat them. In addition, anything that looks
like the password or the signature of a URL is redacted. :class:`~genbank_assets.errors.GenbankAssetsError` redacts its
message here.
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
# Shorter secrets are redacted only inside URLs and connection strings; elsewhere they would garble ordinary words.
MIN_LENGTH = 4
# Variables whose entire value is a secret.
SECRET_VARIABLES = (
    "PGPASSWORD", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID",
    "GENBANK_ASSETS_ALERT_WEBHOOK_URL", "GENBANK_ASSETS_ALERT_SMTP_PASSWORD",
)  # fmt: skip
# Variables whose value may be a URL or connection string containing a password.
_URL_VARIABLE = re.compile(r"GENBANK_ASSETS_\w+|AWS_ENDPOINT_URL\w*|\w*_proxy", re.IGNORECASE)
# Up to the last @ of the authority, and up to the last @ overall, for passwords that contain / or ?.
_URL_PASSWORDS = (re.compile(r"://[^:/?#\s]*:([^/?#]*)@"), re.compile(r"://[^:/?#\s]*:(.*)@", re.DOTALL))
# Except for the placeholders in this package's own usage messages.
_URL_IN_TEXT = re.compile(r"(://[^:/?#@\s]*:)(?!PASSWORD@)[^\s/]*@")
_KEYWORD_PASSWORD = re.compile(
    r"""(\b(?:ssl)?password\s*=\s*)(?!'…')('(?:[^'\\]|\\.)*'|"[^"]*"|[^\s&'"]+)""", re.IGNORECASE
)
# Signatures and tokens of URLs, which grant access like a password.
_QUERY_SECRET = re.compile(
    r"""([?&;](?:x-(?:amz|goog)-(?:signature|credential|security-token)|signature|sig|awsaccesskeyid|\w*[_-]?token"""
    r"""|\w*[_-]?secret|api[_-]?key)=)([^&;#\s'"<>]+)""",
    re.IGNORECASE,
)
# A secret that could be part of an ordinary word is redacted only at word boundaries.
_WORD = re.compile(r"[a-z]+|.{1,5}", re.DOTALL)
_remembered: set[str] = set()


def remember(secret: str | None) -> None:
    """Register a secret for redaction that is not in any of the variables known to this module."""
    if secret:
        _remembered.add(secret)


def redacted(text: str) -> str:
    """Return the text with every known secret, and anything that looks like a URL password, replaced by ``***``."""
    pattern = _pattern(frozenset({*_remembered, *_of_environment(os.environ)}))
    if pattern is not None:
        text = pattern.sub(HIDDEN, text)
    text = _URL_IN_TEXT.sub(rf"\g<1>{HIDDEN}@", text)
    text = _QUERY_SECRET.sub(rf"\g<1>{HIDDEN}", text)
    return _KEYWORD_PASSWORD.sub(rf"\g<1>{HIDDEN}", text)


def passwords_in(text: str) -> Iterator[str]:
    """Yield the secrets in a URL or connection string, if any, both as written and decoded."""
    found = [match[1] for pattern in _URL_PASSWORDS for match in pattern.finditer(text)]
    found += [match[2] for match in _QUERY_SECRET.finditer(text)]
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
    """Compile all spellings into one pattern, longest first so that no remainder survives; None without secrets."""
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
    """Return a secret as encoded in URLs, connection strings, JSON, Python's ``repr`` and HTML."""
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
