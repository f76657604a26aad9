"""Any password reaches PostgreSQL as it is, in every form of address, and no message."""

from __future__ import annotations

import re
from urllib.parse import quote

import psycopg
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from genbank_assets import redaction
from genbank_assets.errors import DatabaseError, GenbankAssetsError, SettingsError
from genbank_assets.postgres.connection import Database
from genbank_assets.postgres_url import normalised_postgres_url, shown_postgres_url, sqlalchemy_url
from genbank_assets.redaction import passwords_in, redacted, remember
from genbank_assets.settings import Settings

# What people's password generators use, what URLs and connection strings are made of, and beyond ASCII.
PASSWORDS = st.text(
    st.one_of(
        st.sampled_from("%@:/?#[]&=+ '\"\\;,.-_~!$*()<>|^`{}"),
        st.characters(codec="ascii", categories=["L", "N"]),
        st.characters(exclude_categories=["Cs", "Cc"]),
    ),
    min_size=1,
    max_size=30,
)
LONG_PASSWORDS = PASSWORDS.filter(lambda text: len(text) > 5 and set(text) != {"*"})
SCHEMES = st.sampled_from(["postgresql://", "postgres://", "postgresql+psycopg2://", "POSTGRESQL://"])
NASTY = ["p@ss/w?rd#1", "50%off", "a b'c\"d", "100%@%zz", "x:y@z", "\\'", "it''s", "@", "%", "ü%C3", "u@h/db?user=x"]


@pytest.fixture(autouse=True)
def _nothing_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_remembered", set())


def parts_of(url: str) -> tuple[str | None, ...]:
    found = conninfo_to_dict(url)
    return tuple(None if (value := found.get(name)) is None else str(value)
                 for name in ("user", "password", "host", "port", "dbname"))  # fmt: skip


@given(PASSWORDS, SCHEMES)
@settings(max_examples=300, deadline=None)
@example("p@ss/w?rd#1", "postgresql://")
@example("50%off", "postgresql+psycopg2://")
@example("a@b?x=1", "postgres://")
@example("12/3", "postgresql://")
def test_a_password_written_as_it_is_arrives_as_it_is(password: str, scheme: str) -> None:
    assume(not re.search(r"%[0-9A-Fa-f]{2}", password))  # which says that it is encoded
    assume(password == password.strip())
    url = normalised_postgres_url(f"{scheme}u:{password}@127.0.0.1:1/db", variable="V")
    assert parts_of(url) == ("u", password, "127.0.0.1", "1", "db")
    assert password in passwords_in(f"{scheme}u:{password}@127.0.0.1:1/db")


@given(PASSWORDS, SCHEMES, st.sampled_from(["h", "h:1", "[::1]:1", "a:1,b:2", "%2Ftmp%2Fs", ""]))
@settings(deadline=None)
def test_an_encoded_password_arrives_decoded(password: str, scheme: str, host: str) -> None:
    url = normalised_postgres_url(f"{scheme}u:{quote(password, safe='')}@{host}/db?sslmode=require", variable="V")
    assert conninfo_to_dict(url)["password"] == password
    assert conninfo_to_dict(url)["sslmode"] == "require"
    assert normalised_postgres_url(url, variable="V") == url
    assert normalised_postgres_url(sqlalchemy_url(url), variable="V") == url


@given(PASSWORDS, st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
@settings(deadline=None)
def test_keywords_are_an_address_too(password: str, user: str) -> None:
    text = make_conninfo(host="/tmp/a b", port=1, user=user, dbname="d'b", password=password)
    assert parts_of(normalised_postgres_url(text, variable="V")) == (user, password, "/tmp/a b", "1", "d'b")


def is_told(password: str, text: str) -> bool:
    """Words may be parts of other words: they are told where they stand alone."""
    if re.fullmatch(r"[a-z]+", password):
        return bool(re.search(rf"(?<![A-Za-z0-9]){re.escape(password)}(?![A-Za-z0-9])", text))
    return password in text


def said_of(password: str) -> list[str]:
    """What is said of an address where nobody answers: the error, the address, the settings."""
    redaction._remembered.clear()
    url = Settings(postgres_url=f"postgresql://u:{quote(password, safe='')}@127.0.0.1:1/db").postgres_url
    assert url is not None
    with pytest.raises(DatabaseError) as raised, Database(url, pool_size=1):
        pass
    return [str(raised.value), shown_postgres_url(url), repr(Settings(postgres_url=url))]


@given(LONG_PASSWORDS)
@settings(deadline=None, max_examples=100)
@example("very-secret")
@example("p@ss/w?rd#1")
@example("127.0.")
def test_no_password_is_in_what_a_real_error_says(password: str) -> None:
    spellings = (password, quote(password, safe=""))
    others = said_of("Zx9-neutral-9xZ")
    said = said_of(password)
    is_said_anyway = any(is_told(spelling, text) for spelling in spellings for text in others)
    assert is_said_anyway or "127.0.0.1" in said[0]
    assert not any(is_told(spelling, said[0]) for spelling in spellings)
    assert is_said_anyway or not any(is_told(spelling, text) for spelling in spellings for text in said)


@given(LONG_PASSWORDS)
@settings(deadline=None)
def test_what_libpq_repeats_of_an_address_it_cannot_read_is_hidden(password: str) -> None:
    redaction._remembered.clear()
    remember(password)
    for text in (f"postgresql://u:{password}%@h/d", f"host=h password={password} x", f"host='{password}"):
        try:
            conninfo_to_dict(text)
        except psycopg.ProgrammingError as error:
            said = str(GenbankAssetsError(f"cannot be used: {error} {error!r}"))
            assert not is_told(password, said)


@given(LONG_PASSWORDS)
@settings(deadline=None)
def test_every_spelling_is_hidden(password: str) -> None:
    redaction._remembered.clear()
    remember(password)
    for text in (password, quote(password), quote(password, safe="").lower(), repr(password), f"a {password!a} b"):
        assert not is_told(password, redacted(f"it said: {text}"))


@pytest.mark.parametrize("password", NASTY)
def test_an_address_that_cannot_be_read_is_not_repeated(password: str) -> None:
    for text in (
        f"postgresql://u:{password}@h:port/db",
        f"postgresql://u:{password}@h:99999/db",
        f"postgresql//u:{password}@h/db",
        f"mysql://u:{password}@h/db",
        f"host=h password={password}' x",
        f"postgresql://u:{password}@h/db\n",
        f"postgresql://u:{password}@h/db?sslmode",
    ):
        try:
            Settings(postgres_url=text.replace("\n", "\x00"))
        except SettingsError as error:
            said = str(error)
            assert said.startswith("GENBANK_ASSETS_POSTGRES_URL")
            assert len(password) < 4 or password not in said


def test_short_passwords_do_not_spoil_sentences() -> None:
    for password in ("e", "of", "first", "a*b*"):
        remember(password)
    sentence = "the first of one sentence, firstly password=of see postgresql://u:e@h"
    assert redacted(sentence) == "the *** of one sentence, firstly password=*** see postgresql://u:***@h"


@pytest.mark.parametrize(
    ("variable", "value", "secret"),
    [
        ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPx", "wJalrXUtnFEMI/K7MDENG+bPx"),
        ("GENBANK_ASSETS_SOURCE", "ftp://mirror:t%40ken@host/x", "t@ken"),
        ("https_proxy", "http://me:hush hush@proxy:1", "hush hush"),
        ("GENBANK_ASSETS_ALERT_WEBHOOK_URL", "https://example.org/T0/B0/xyz", "https://example.org/T0/B0/xyz"),
        ("GENBANK_ASSETS_DAGSTER_POSTGRES_URL", "postgresql+psycopg2://d:hunter22@h/d?options=a@b", "hunter22"),
    ],
)  # fmt: skip
def test_secrets_of_the_environment_are_known(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, secret: str
) -> None:
    monkeypatch.setenv(variable, value)
    for text in (secret, quote(secret, safe=""), value, f"it said {secret!r}"):
        assert secret not in redacted(f"failed: {text}")
        assert quote(secret, safe="") not in redacted(f"failed: {text}")
