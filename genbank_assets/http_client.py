"""HTTP clients that honour the proxy and CA settings of the environment.

httpx reads the environment itself, but fails on IPv6 ranges in NO_PROXY (0.28) and raises a bare ImportError for SOCKS
proxies without the optional package. Requests belong to the callers.
"""

from __future__ import annotations

import ipaddress
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import httpx

from genbank_assets.errors import SettingsError


def http_client(url: str, **options: Any) -> httpx.Client:
    """Return a client configured for the server of a URL.

    Args:
        url: URL of the server; redirects to other hosts use the same proxy.
        options: passed to ``httpx.Client``.

    Raises:
        SettingsError: the proxy or the certificates named by the environment cannot be used.
    """
    proxy = proxy_of(url)
    try:
        options.setdefault("verify", httpx.create_ssl_context())
        return httpx.Client(proxy=proxy, trust_env=False, **options)
    except ImportError:
        raise SettingsError(
            "the proxy of the environment uses SOCKS, which needs another package: pip install 'httpx[socks]', or "
            "set NO_PROXY"
        ) from None
    except (ValueError, httpx.InvalidURL) as error:
        if proxy is None:
            raise
        raise SettingsError(f"the proxy of the environment cannot be used: {error}") from None
    except OSError as error:
        raise SettingsError(f"the certificates of SSL_CERT_FILE or SSL_CERT_DIR cannot be read: {error}") from None


def proxy_of(url: str) -> str | None:
    """Return the proxy that the environment configures for a URL, or None."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = urllib.request.getproxies_environment()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or _bypasses_proxy(parts.netloc.rpartition("@")[2], host, proxies):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def way_to(url: str) -> str:
    """Return "via the proxy … " without its credentials, for messages about a URL; "" without a proxy."""
    proxy = proxy_of(url)
    if proxy is None:
        return ""
    parts = urlsplit(proxy)
    return f"via the proxy {parts.scheme}://{parts.netloc.rpartition('@')[2]} "


def _bypasses_proxy(netloc: str, host: str, proxies: dict[str, str]) -> bool:
    """Return whether NO_PROXY lists the host, a parent domain of it, or an address range that contains it."""
    if urllib.request.proxy_bypass(netloc) or urllib.request.proxy_bypass(host):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for text in proxies.get("no", "").split(","):
        try:
            network = ipaddress.ip_network(text.strip().strip("[]"), strict=False)
        except ValueError:
            continue
        if address.version == network.version and address in network:
            return True
    return False
