"""Alerts through a real webhook and real SMTP servers: they arrive, and their secrets stay where they are."""

from __future__ import annotations

import dataclasses
import logging
import ssl
from pathlib import Path

import pytest
import trustme

from genbank_assets.alerts import Alert, AlertSettings, alert_settings_from_environment, deliver
from genbank_assets.errors import SettingsError
from genbank_assets_tests.fix_alerts import SECRET_PATH, StartMail, Webhook
from genbank_assets_tests.processes import free_port

ALERT = Alert("genbank-assets: mirror_genbank of phg failed", ("raw_files: 1 < 2 & so on", "Dagster run abc"))
HERE = AlertSettings(smtp_host="127.0.0.1", smtp_from="mirror@example.org")


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def server_tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def test_settings_come_from_the_environment() -> None:
    found = alert_settings_from_environment(
        {
            "GENBANK_ASSETS_ALERT_WEBHOOK_URL": "https://example.org/secret",
            "GENBANK_ASSETS_ALERT_EMAIL": "a@example.org, b@example.org",
            "GENBANK_ASSETS_ALERT_SMTP_PORT": "587",
            "GENBANK_ASSETS_ALERT_SMTP_PASSWORD": "hunter2",
            "GENBANK_ASSETS_ALERT_SMTP_HOST": "",
        }
    )
    assert (found.recipients, found.smtp_port, found.smtp_host) == (
        ["a@example.org", "b@example.org"],
        587,
        "localhost",
    )
    assert "secret" not in repr(found)
    assert "hunter2" not in repr(found)
    with pytest.raises(SettingsError, match="SMTP_PORT"):
        alert_settings_from_environment({"GENBANK_ASSETS_ALERT_SMTP_PORT": "smtp"})


def test_nothing_set_sends_nothing() -> None:
    assert deliver(ALERT, AlertSettings()).sent == deliver(ALERT, AlertSettings()).failed == ()


def test_a_webhook_gets_what_slack_reads(webhook: Webhook) -> None:
    delivery = deliver(ALERT, AlertSettings(webhook_url=webhook.url))
    assert (delivery.sent, delivery.failed) == (("webhook",), ())
    assert webhook.posted == [
        {"text": f"*{ALERT.title}*\nraw_files: 1 &lt; 2 &amp; so on\nDagster run abc"},
    ]


def test_a_long_alert_is_cut() -> None:
    text = Alert("t", tuple(f"{n} " + "x" * 1000 for n in range(100))).text.splitlines()
    assert len(text) == 31
    assert max(map(len, text)) == 500
    assert text[-1] == "… and 70 more"


@pytest.mark.parametrize(
    ("answers", "requests", "sent", "says"),
    [
        ([500, 429, 200], 3, True, ""),
        ([503], 3, False, "webhook: it answered 503"),
        ([404], 1, False, "webhook: it answered 404"),
        ([302, 200], 1, False, "webhook: it answered 302"),
    ],
)
def test_passing_troubles_are_tried_again_and_others_are_not(
    webhook: Webhook, answers: list[int], requests: int, sent: bool, says: str
) -> None:
    webhook.answers = answers
    delivery = deliver(ALERT, AlertSettings(webhook_url=webhook.url), pause_seconds=0.0)
    assert (bool(delivery.sent), "; ".join(delivery.failed), webhook.requests) == (sent, says, requests)


@pytest.mark.parametrize(
    "url",
    [
        f"http://127.0.0.1:{free_port()}{SECRET_PATH}",
        f"http://127.0.0.1:{free_port()}{SECRET_PATH}\nX-Injected: SECRET",
        f"http://[127.0.0.1{SECRET_PATH}",
        f"https://127.0.0.1:notaport{SECRET_PATH}",
        f"file://{SECRET_PATH}",
        SECRET_PATH,
    ],
    ids=["nobody-listens", "line-break", "half-a-bracket", "no-port", "no-web-address", "no-scheme"],
)
def test_no_word_of_the_url_gets_out(
    url: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        delivery = deliver(ALERT, AlertSettings(webhook_url=url), pause_seconds=0.0)
    assert delivery.sent == ()
    assert len(delivery.failed) == 1
    told = f"{delivery} {caplog.text} {''.join(capfd.readouterr())}"
    assert "SECRET" not in told
    assert "services" not in told


def test_a_url_that_works_is_not_logged(webhook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        deliver(ALERT, AlertSettings(webhook_url=webhook.url))
    assert webhook.texts
    assert "SECRET" not in caplog.text


def test_mail_without_tls_and_log_in(mail_server: StartMail) -> None:
    mailbox = mail_server()
    settings = dataclasses.replace(HERE, email="a@example.org,b@example.org", smtp_port=mailbox.port)
    assert deliver(ALERT, settings).sent == ("e-mail",)
    (message,) = mailbox.messages
    assert (message["Subject"], message["From"]) == (ALERT.title, "mirror@example.org")
    assert message.get_content().splitlines() == list(ALERT.lines)
    assert message["Date"]
    assert message["Message-ID"]
    assert mailbox.recipients == [["a@example.org", "b@example.org"]]
    assert mailbox.encrypted == [False]


def test_tls_where_the_server_offers_it(mail_server: StartMail, authority: trustme.CA) -> None:
    mailbox = mail_server(tls=server_tls(authority, "localhost"), login=True)
    settings = dataclasses.replace(
        HERE, email="a@example.org", smtp_port=mailbox.port, smtp_user="mirror", smtp_password="hunter2"
    )
    assert deliver(ALERT, settings).failed == ()
    assert (mailbox.encrypted, mailbox.logins) == ([True], [("mirror", "hunter2")])


def test_another_machines_certificate_is_checked(
    mail_server: StartMail, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # "127.1" leads to this machine without being one of the names that say so.
    mailbox = mail_server(tls=server_tls(authority, "127.1"))
    settings = dataclasses.replace(HERE, smtp_host="127.1", email="a@example.org", smtp_port=mailbox.port)
    (failed,) = deliver(ALERT, settings, pause_seconds=0.0).failed
    assert failed == "e-mail: it cannot be sent (SSLCertVerificationError)"
    assert mailbox.messages == []
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    assert deliver(ALERT, settings).sent == ("e-mail",)
    assert mailbox.encrypted == [True]


def test_a_password_is_not_sent_in_the_clear(mail_server: StartMail) -> None:
    mailbox = mail_server(login=True)
    settings = dataclasses.replace(
        HERE, smtp_host="127.1", email="a@example.org", smtp_port=mailbox.port, smtp_user="m", smtp_password="hunter2"
    )
    (failed,) = deliver(ALERT, settings).failed
    assert "not sent in the clear" in failed
    assert mailbox.logins == []


def test_a_wrong_password_is_reported_without_showing_it(mail_server: StartMail, authority: trustme.CA) -> None:
    mailbox = mail_server(tls=server_tls(authority, "localhost"), login=True)
    settings = dataclasses.replace(
        HERE, email="a@example.org", smtp_port=mailbox.port, smtp_user="mirror", smtp_password="tr0ub4dor"
    )
    (failed,) = deliver(ALERT, settings).failed
    assert failed == "e-mail: the server answered 535"
    assert len(mailbox.logins) == 2, "PLAIN and LOGIN once each, and no further attempt"


def test_servers_that_are_busy_down_or_refuse(mail_server: StartMail) -> None:
    mailbox = mail_server()
    settings = dataclasses.replace(HERE, email="a@example.org,no@example.org", smtp_port=mailbox.port)
    mailbox.codes = ["451 later", "451 later"]
    assert deliver(ALERT, settings, pause_seconds=0.0).sent == ("e-mail",)
    mailbox.refuse = {"no@example.org"}
    assert deliver(ALERT, settings).failed == ("e-mail: the server refused 1 of 2 recipients",)
    assert len(mailbox.messages) == 2
    mailbox.codes = ["554 never"]
    assert deliver(ALERT, settings).failed == ("e-mail: the server answered 554",)
    down = dataclasses.replace(settings, smtp_port=free_port())
    assert deliver(ALERT, down, pause_seconds=0.0).failed == ("e-mail: it cannot be sent (ConnectionRefusedError)",)


def test_one_way_that_fails_does_not_keep_the_other(webhook: Webhook, mail_server: StartMail) -> None:
    mailbox = mail_server()
    webhook.answers = [404]
    settings = dataclasses.replace(HERE, webhook_url=webhook.url, email="a@example.org", smtp_port=mailbox.port)
    delivery = deliver(ALERT, settings)
    assert (delivery.sent, delivery.failed) == (("e-mail",), ("webhook: it answered 404",))
    assert len(mailbox.messages) == 1
