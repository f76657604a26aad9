"""Alerts sent to a Slack-compatible webhook and by e-mail.

Settings, wording and delivery belong here; deciding when to send an alert belongs to ``defs.alerts``. The webhook URL
is a secret because anyone who has it can post, and so is the SMTP password: neither appears in a log, an error or a
``repr``. Delivery never raises; it returns a sentence for each failure.
"""

from __future__ import annotations

import dataclasses
import http.client
import ipaddress
import json
import os
import smtplib
import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from genbank_assets.errors import SettingsError
from genbank_assets.redaction import redacted

MAX_ATTEMPTS = 3
TIMEOUT_SECONDS = 10.0
MAX_LINE_CHARACTERS = 500
MAX_LINES = 30
SMTPS_PORT = 465
PREFIX = "GENBANK_ASSETS_ALERT_"


@dataclasses.dataclass(frozen=True, kw_only=True)
class AlertSettings:
    """Where alerts are sent; with nothing set, none are sent.

    Attributes:
        webhook_url: URL of a Slack-compatible incoming webhook; a secret.
        email: recipients, separated by commas.
        smtp_host: mail server.
        smtp_port: 25 or 587 (STARTTLS if the server offers it) or 465 (implicit TLS).
        smtp_user: user name; empty to send without authentication.
        smtp_password: password of ``smtp_user``; a secret.
        smtp_from: sender address; empty means ``genbank-assets@<this host>``.
    """

    webhook_url: str = dataclasses.field(default="", repr=False)
    email: str = ""
    smtp_host: str = "localhost"
    smtp_port: int = 25
    smtp_user: str = ""
    smtp_password: str = dataclasses.field(default="", repr=False)
    smtp_from: str = ""

    @property
    def recipients(self) -> list[str]:
        """The addresses of :attr:`email`."""
        return [address.strip() for address in self.email.split(",") if address.strip()]


def alert_settings_from_environment(environment: Mapping[str, str] | None = None) -> AlertSettings:
    """Read settings from ``GENBANK_ASSETS_ALERT_<FIELD>`` variables; unset or empty ones keep their defaults.

    Raises:
        SettingsError: the port is not a number.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, str | int] = {}
    for field in dataclasses.fields(AlertSettings):
        text = environment.get(f"{PREFIX}{field.name.upper()}", "").strip()
        if text:
            values[field.name] = text
    if "smtp_port" in values:
        try:
            values["smtp_port"] = int(values["smtp_port"])
        except ValueError:
            raise SettingsError(f"{PREFIX}SMTP_PORT is not a port: {values['smtp_port']!r}") from None
    return AlertSettings(**values)  # type: ignore[arg-type]


@dataclasses.dataclass(frozen=True)
class Alert:
    """A message to the operators.

    Attributes:
        title: one line saying what happened and where.
        lines: one reason per line.
    """

    title: str
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The lines as text, each truncated to 500 characters and at most 30 of them."""
        shown = [_one_line(line) for line in self.lines[:MAX_LINES]]
        if len(self.lines) > MAX_LINES:
            shown.append(f"… and {len(self.lines) - MAX_LINES} more")
        return "\n".join(shown)


@dataclasses.dataclass(frozen=True)
class Delivery:
    """Outcome of sending an alert, per channel.

    Attributes:
        sent: channels that accepted it: ``webhook``, ``e-mail``.
        failed: a sentence for each channel that failed.
    """

    sent: tuple[str, ...]
    failed: tuple[str, ...]


def deliver(alert: Alert, settings: AlertSettings, *, pause_seconds: float = 1.0) -> Delivery:
    """Send an alert through every configured channel, with up to three attempts for transient failures.

    Never raises. Without a configured channel, both parts of the result are empty.
    """
    channels: list[tuple[str, Callable[[], None]]] = []
    if settings.webhook_url:
        channels.append(("webhook", lambda: _post(alert, settings)))
    if settings.recipients:
        channels.append(("e-mail", lambda: _mail(alert, settings)))
    sent, failed = [], []
    for name, send in channels:
        try:
            _retried(send, pause_seconds=pause_seconds)
            sent.append(name)
        except _DeliveryError as error:
            failed.append(f"{name}: {error}")
    return Delivery(tuple(sent), tuple(failed))


class _DeliveryError(Exception):
    """Why an attempt failed, without secrets; ``transient`` if another attempt may succeed."""

    def __init__(self, sentence: str, *, transient: bool) -> None:
        super().__init__(sentence)
        self.transient = transient


def _retried(send: Callable[[], None], *, pause_seconds: float) -> None:
    for attempt in range(1, MAX_ATTEMPTS + 1):
        try:
            return send()
        except _DeliveryError as error:
            if not error.transient or attempt == MAX_ATTEMPTS:
                raise
        time.sleep(pause_seconds * attempt)
    return None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Refuses redirects: a webhook that redirects is misconfigured, and the message could end up anywhere."""

    def redirect_request(self, *_: object) -> None:
        return None


def _post(alert: Alert, settings: AlertSettings) -> None:
    # urllib rather than httpx, which logs the URL of every request.
    if not settings.webhook_url.startswith(("https://", "http://")):
        raise _DeliveryError(f"{PREFIX}WEBHOOK_URL does not start with https://", transient=False)
    body = json.dumps({"text": _escaped(f"*{_one_line(alert.title)}*\n{alert.text}")}).encode()
    try:
        request = urllib.request.Request(  # noqa: S310 -- checked above
            settings.webhook_url, data=body, headers={"Content-Type": "application/json"}
        )
        opener = urllib.request.build_opener(_NoRedirects)
        opener.open(request, timeout=TIMEOUT_SECONDS).close()
    except urllib.error.HTTPError as error:
        error.close()
        raise _DeliveryError(f"it answered {error.code}", transient=error.code == 429 or error.code >= 500) from None
    except urllib.error.URLError as error:
        raise _DeliveryError(f"it cannot be reached ({type(error.reason).__name__})", transient=True) from None
    except (OSError, http.client.HTTPException, ValueError) as error:  # their messages may quote the URL
        raise _DeliveryError(
            f"it cannot be used ({type(error).__name__})", transient=isinstance(error, OSError)
        ) from None


def _escaped(text: str) -> str:
    """Escape Slack's three control characters."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _mail(alert: Alert, settings: AlertSettings) -> None:
    try:
        message = EmailMessage()
        message["Subject"] = _one_line(alert.title)
        message["From"] = settings.smtp_from or f"genbank-assets@{socket.getfqdn()}"
        message["To"] = ", ".join(settings.recipients)
        message["Date"] = formatdate(localtime=False)
        message["Message-ID"] = make_msgid(domain="genbank-assets")
        message.set_content(f"{alert.text}\n")
        with _connected(settings) as server:
            if settings.smtp_user:
                if not isinstance(server.sock, ssl.SSLSocket) and not _is_loopback(settings.smtp_host):
                    raise _DeliveryError(
                        "the server offers no TLS: the password is not sent in the clear", transient=False
                    )
                server.login(settings.smtp_user, settings.smtp_password)
            refused = server.send_message(message)
    except smtplib.SMTPResponseException as error:
        raise _DeliveryError(f"the server answered {error.smtp_code}", transient=400 <= error.smtp_code < 500) from None
    except (OSError, ValueError, smtplib.SMTPException) as error:
        broken = isinstance(error, OSError) and not isinstance(error, ssl.SSLError | smtplib.SMTPException)
        raise _DeliveryError(
            f"it cannot be sent ({type(error).__name__})",
            transient=broken or isinstance(error, smtplib.SMTPServerDisconnected),
        ) from None
    if refused:
        raise _DeliveryError(
            f"the server refused {len(refused)} of {len(settings.recipients)} recipients", transient=False
        )


def _connected(settings: AlertSettings) -> smtplib.SMTP:
    """Connect, with TLS if the server supports it; certificates are verified unless the server is on this host."""
    tls = ssl.create_default_context()
    if _is_loopback(settings.smtp_host):
        tls.check_hostname = False
        tls.verify_mode = ssl.CERT_NONE
    where = (settings.smtp_host, settings.smtp_port)
    if settings.smtp_port == SMTPS_PORT:
        return smtplib.SMTP_SSL(*where, timeout=TIMEOUT_SECONDS, context=tls)
    server = smtplib.SMTP(*where, timeout=TIMEOUT_SECONDS)
    try:
        server.ehlo()
        if server.has_extn("starttls"):
            server.starttls(context=tls)
            server.ehlo()
    except BaseException:
        server.close()
        raise
    return server


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _one_line(text: str) -> str:
    line = " ".join(redacted(text).split())
    return line if len(line) <= MAX_LINE_CHARACTERS else line[: MAX_LINE_CHARACTERS - 1] + "…"
