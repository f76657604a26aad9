"""Resolves settings to a database URL: the configured one, or that of the store's embedded server.

This is the only way from ``postgres`` and ``defs`` to the embedded server; both only ever see a URL.
"""

from __future__ import annotations

from pathlib import Path

from genbank_assets.errors import NoDatabaseError
from genbank_assets.settings import Settings


def genbank_url(settings: Settings, *, create: bool) -> str:
    """Return the libpq URL of the database with the records.

    Args:
        settings: ``postgres_url`` is used if set, otherwise the embedded server of ``store``.
        create: whether to create the embedded server if it does not exist; an existing one is always started.

    Raises:
        NoDatabaseError: the store has no embedded server, and ``create`` is false.
        DatabaseError: the embedded server cannot be created or started.
    """
    if settings.postgres_url:
        return settings.postgres_url
    from genbank_assets.postgres_server.server import ensure_server, open_server  # not needed with a URL

    server = ensure_server(settings.store) if create else open_server(settings.store)
    if server is None:
        raise NoDatabaseError(
            f"{settings.store} has no database yet: materialize a division first, or set GENBANK_ASSETS_POSTGRES_URL"
        )
    return server.url("genbank")


def dagster_url(store: Path, *, purpose: str) -> str:
    """Return the SQLAlchemy URL of Dagster's storage in the embedded server, held open until this process exits.

    Args:
        store: the store's folder.
        purpose: what this process does, shown to people who want to stop the server.

    Raises:
        DatabaseError: the embedded server cannot be created or started.
    """
    from genbank_assets.postgres_server.server import use_server

    return use_server(store, purpose=purpose).sqlalchemy_url("dagster")
