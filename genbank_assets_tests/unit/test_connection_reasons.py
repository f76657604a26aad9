"""What a server did wrong is said in the same plain words for every library, and only what may pass is tried again."""

from __future__ import annotations

import contextlib
import http.server
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import obstore
import pytest
import trustme

from genbank_assets.connection_reasons import connection_reason, is_lasting
from genbank_assets.errors import SourceError
from genbank_assets.ncbi.limiter import Limiter
from genbank_assets.ncbi.sources import open_source
from genbank_assets.objects.requests import is_transient
from genbank_assets.objects.store import open_objects, reason_of
from genbank_assets.settings import Settings

OTHERS_NAME = "its certificate is for a different name: check the address"
UNKNOWN = "its certificate is not signed by a trusted authority: set "
EXPIRED = "its certificate has expired or is not valid yet"
NO_TLS = "it does not use TLS: should the address start with http:// instead of https://?"
NOTHING = "the connection was refused"
NO_NAME = "the host name cannot be resolved"
ENDED = "the server ended the connection"


@contextlib.contextmanager
def serving(certificate: trustme.LeafCert | None) -> Iterator[int]:
    """An HTTP server that has nothing; its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    server.RequestHandlerClass.log_message = lambda *_: None  # type: ignore[method-assign,assignment]
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextlib.contextmanager
def rude() -> Iterator[int]:
    """A server that hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    listener.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def address(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        match request.param:
            case "untrusted" | "trusted":
                port = stack.enter_context(serving(authority.issue_cert("127.0.0.1")))
                yield f"https://127.0.0.1:{port}"
            case "other name":
                yield f"https://127.0.0.1:{stack.enter_context(serving(authority.issue_cert('other.example')))}"
            case "expired":
                past = datetime(2020, 1, 1, tzinfo=UTC)
                certificate = authority.issue_cert("127.0.0.1", not_after=past)
                yield f"https://127.0.0.1:{stack.enter_context(serving(certificate))}"
            case "plain":
                yield f"https://127.0.0.1:{stack.enter_context(serving(None))}"
            case "rude":
                yield f"http://127.0.0.1:{stack.enter_context(rude())}"
            case "closed":
                yield "http://127.0.0.1:1"
            case _:
                yield "http://nowhere.invalid"


CASES = pytest.mark.parametrize(
    ("address", "trusts", "says", "lasting"),
    [
        ("untrusted", False, UNKNOWN, True),
        ("other name", True, OTHERS_NAME, True),
        ("expired", True, EXPIRED, True),
        ("plain", True, NO_TLS, True),
        ("rude", False, ENDED, False),
        ("closed", False, NOTHING, False),
        ("no name", False, NO_NAME, False),
    ],
    indirect=["address"],
)


@CASES
def test_of_a_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: trustme.CA, address: str, trusts: bool, says: str,
    lasting: bool,
) -> None:  # fmt: skip
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    if trusts:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    limiter = Limiter.of(Settings(store=tmp_path))
    with open_source(address, limiter=limiter) as source, pytest.raises(SourceError) as found:
        source.stat("genbank/GB_Release_Number")
    assert says in str(found.value)
    assert "Errno" not in str(found.value)
    assert "_ssl.c" not in str(found.value)
    assert found.value.transient is not lasting
    assert is_lasting(found.value) is lasting


@CASES
def test_of_an_object_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, authority: trustme.CA, address: str, trusts: bool, says: str,
    lasting: bool,
) -> None:  # fmt: skip
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    if trusts:
        monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "very-secret")
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    store = open_objects(Settings(store=tmp_path, objects="s3://bucket/prefix"), retries=0)
    with pytest.raises(obstore.exceptions.BaseError) as found:
        list(obstore.list(store))
    reason = reason_of(found.value)
    assert reason.startswith(f"{address} failed: {says}"), reason
    assert "\n" not in reason
    if says != NO_NAME:  # a name that is not known is waited for by a source only, whose servers are others'
        assert is_transient(found.value) is not lasting


def test_what_no_library_says_in_words_is_not_left_empty() -> None:
    assert connection_reason(EOFError()) == ENDED
    assert connection_reason(OSError("[Errno 5] strange")) == "strange"
    assert connection_reason(RuntimeError()) == "RuntimeError"
