"""The proxy of the environment is taken, or left out where NO_PROXY says so; what cannot be used gets a sentence."""

from __future__ import annotations

import pytest

from genbank_assets.errors import SettingsError
from genbank_assets.http_client import http_client, proxy_of
from genbank_assets.objects.store import open_objects
from genbank_assets.settings import Settings


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name.upper()}_PROXY", raising=False)


@pytest.mark.parametrize(
    ("no_proxy", "url", "goes_by_proxy"),
    [
        ("", "http://10.1.2.3/", True),
        ("10.0.0.0/8,::1/128", "http://10.1.2.3/", False),
        ("10.0.0.0/8,::1/128", "http://11.1.2.3/", True),
        ("fe80::/10", "http://[fe80::1]/", False),
        ("fe80::/10", "http://[2001:db8::1]/", True),
        ("::1", "http://[::1]:8080/", False),
        ("example.org", "http://ftp.example.org/", False),
        ("example.org", "http://example.com/", True),
        ("localhost:8080", "http://localhost:8080/", False),
        ("*", "http://10.1.2.3/", False),
    ],
)
def test_no_proxy_names_hosts_domains_and_ranges(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, url: str, goes_by_proxy: bool
) -> None:
    monkeypatch.setenv("http_proxy", "proxy.example.org:3128")
    monkeypatch.setenv("no_proxy", no_proxy)
    assert proxy_of(url) == ("http://proxy.example.org:3128" if goes_by_proxy else None)
    http_client(url).close()


def test_all_proxy_applies_to_schemes_without_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "http://a:1")
    monkeypatch.setenv("https_proxy", "http://b:2")
    assert proxy_of("http://x/") == "http://a:1"
    assert proxy_of("https://x/") == "http://b:2"


@pytest.mark.parametrize("proxy", ["gopher://p:1", "http://[::1", "http://p:port"])
def test_a_proxy_that_is_none_gets_a_sentence(monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    with pytest.raises(SettingsError, match="proxy of the environment"):
        http_client("http://x/")


@pytest.mark.parametrize(("setting", "sent"), [("sha256", True), ("none", False)])
def test_checksums_of_objects_can_be_left_out(monkeypatch: pytest.MonkeyPatch, setting: str, sent: bool) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    store = open_objects(Settings(objects="s3://bucket", object_checksum=setting))
    assert ("checksum_algorithm" in "".join(store.config)) is sent  # type: ignore[union-attr]


@pytest.mark.parametrize("endpoint", ["localhost:9000", "http://", "http://h:port", "ftp://h", "http://a b", "//h"])
def test_an_endpoint_that_is_none_gets_a_sentence(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "k")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    with pytest.raises(SettingsError, match="write https://HOST or http://HOST:PORT"):
        open_objects(Settings(objects="s3://bucket"))
