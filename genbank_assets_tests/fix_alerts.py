"""Destinations of alerts on loopback: a webhook that records requests, and SMTP servers that record mail."""

from __future__ import annotations

import dataclasses
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from genbank_assets_tests.processes import free_port

SECRET_PATH = "/services/T0SECRET/B0SECRET/xyzzySECRET"


@dataclasses.dataclass
class Webhook:
    """A Slack-compatible webhook; ``answers`` are the status codes to return, the last one repeatedly."""

    url: str
    answers: list[int] = dataclasses.field(default_factory=lambda: [200])
    posted: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    requests: int = 0

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.posted]


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    """A webhook that accepts everything by default."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            hook.requests += 1
            answer = hook.answers.pop(0) if len(hook.answers) > 1 else hook.answers[0]
            content = self.rfile.read(int(self.headers["Content-Length"]))
            if answer == 200 and self.path == SECRET_PATH and self.headers["Content-Type"] == "application/json":
                hook.posted.append(json.loads(content))
            self.send_response(answer)
            if 300 <= answer < 400:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook = Webhook(f"http://127.0.0.1:{server.server_address[1]}{SECRET_PATH}")
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield hook
    server.shutdown()
    server.server_close()
    thread.join()


@dataclasses.dataclass
class Mailbox:
    """The messages received by a server, with how each was delivered."""

    port: int
    refuse: set[str] = dataclasses.field(default_factory=set)
    codes: list[str] = dataclasses.field(default_factory=list)
    messages: list[EmailMessage] = dataclasses.field(default_factory=list)
    recipients: list[list[str]] = dataclasses.field(default_factory=list)
    encrypted: list[bool] = dataclasses.field(default_factory=list)
    logins: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 -- aiosmtpd's names
        self, server: Any, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        if address in self.refuse:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.codes:
            return self.codes.pop(0)
        assert isinstance(envelope.content, bytes)
        self.messages.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        self.recipients.append(list(envelope.rcpt_tos))
        self.encrypted.append(session.ssl is not None)
        return "250 OK"

    def authenticate(self, server: Any, session: Session, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=data.password == b"hunter2", handled=False)


StartMail = Callable[..., Mailbox]


@pytest.fixture
def mail_server() -> Iterator[StartMail]:
    """Start SMTP servers: ``mail_server()``, ``mail_server(tls=context, login=True)``."""
    running: list[Controller] = []

    def start(*, tls: ssl.SSLContext | None = None, login: bool = False) -> Mailbox:
        mailbox = Mailbox(free_port())
        options: dict[str, Any] = {"tls_context": tls} if tls else {}
        if login:
            options |= {"authenticator": mailbox.authenticate, "auth_require_tls": tls is not None}
        controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port, **options)
        controller.start()
        running.append(controller)
        return mailbox

    yield start
    for controller in running:
        controller.stop()
