"""Plain-English reasons why a server could not be reached or read, whichever library reports the error.

Python's sockets and TLS, httpx, ftplib and obstore each word the same failure differently, often as error numbers and
function names. Sending requests and retrying them belongs to the callers.
"""

from __future__ import annotations

import re

from genbank_assets.errors import causes

# Pattern in the libraries' messages -> what it means and what to do. The first match wins.
_REASONS: tuple[tuple[str, str], ...] = (
    (
        r"Name or service not known|nodename nor servname|name resolution|No address associated|dns error",
        "the host name cannot be resolved: check its spelling, the network and the DNS server",
    ),
    (
        r"Hostname mismatch|doesn't match|NotValidForName|not valid for '",
        "its certificate is for a different name: check the address",
    ),
    (
        r"certificate has expired|not yet valid|\bExpired|NotValidYet",
        "its certificate has expired or is not valid yet: check this machine's clock, too",
    ),
    (
        r"CERTIFICATE_VERIFY_FAILED|UnknownIssuer|InvalidCertificate|UnsupportedCertVersion",
        "its certificate is not signed by a trusted authority: set {authorities} to the file of your CA",
    ),
    (
        r"WRONG_VERSION_NUMBER|InvalidContentType|UNKNOWN_PROTOCOL|RECORD_LAYER|InvalidMessage",
        "it does not use TLS: should the address start with http:// instead of https://?",
    ),
    (r"Connection refused|ConnectionRefused", "the connection was refused: check host, port and firewall"),
    (r"Network is unreachable|No route to host|NetworkUnreachable|HostUnreachable", "there is no network route to it"),
    (
        r"reset by peer|ConnectionReset|without sending a response|Broken pipe|UnexpectedEof|IncompleteMessage"
        r"|EOF occurred",
        "the server ended the connection",
    ),
    (r"redirect without LOCATION", "the bucket is in a different region: set AWS_REGION"),
    (r"timed out|TimedOut|Timeout", "no answer in time"),
)
# Failures that a retry cannot cure.
_LASTING = re.compile(
    r"CERTIFICATE_VERIFY_FAILED|InvalidCertificate|WRONG_VERSION_NUMBER|InvalidContentType|UNKNOWN_PROTOCOL"
)
_ERRNO = re.compile(r"\[Errno -?\d+\] ")


def connection_reason(error: BaseException, *, authorities: str = "SSL_CERT_FILE") -> str:
    """Return why a connection failed, as a phrase without a full stop.

    Args:
        error: an exception of any library; its causes are searched, too.
        authorities: the environment variable that names additional CA certificates.
    """
    text = _all_of(error)
    for pattern, reason in _REASONS:
        if re.search(pattern, text):
            return reason.format(authorities=authorities)
    lines = _ERRNO.sub("", str(error)).strip().splitlines()
    return lines[0].rstrip(".")[:300] if lines else _last_words(error)


def is_lasting(error: BaseException) -> bool:
    """Return whether retrying is useless: certificates and protocols do not change within seconds."""
    return _LASTING.search(_all_of(error)) is not None


def _last_words(error: BaseException) -> str:
    return "the server ended the connection" if isinstance(error, EOFError) else type(error).__name__


def _all_of(error: BaseException) -> str:
    return "\n".join(f"{type(one).__name__}: {one}" for one in causes(error))
