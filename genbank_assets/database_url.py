"""Which database the settings mean: a URL of your own, or that of the store's embedded server.

The only module through which ``postgres`` and ``defs`` come to the embedded server; both know a URL and no more.
"""

from __future__ import annotations

from pathlib import Path

from genbank_assets.errors import NoDatabaseError
from genbank_assets.settings import Settings


def genbank_url(settings: Settings, *, create: bool) -> str:
    """Return the libpq URL of the database with the records.

    Args:
        settings: their ``postgres_url``, or else their ``store``.
        create: whether an embedded server may be made; a server whose data are there is started in any case.

    Raises:
        NoDatabaseError: the store has no embedded server, and ``create`` is false.
        DatabaseError: the embedded server cannot be made or started.
    """
    if settings.postgres_url:
        return settings.postgres_url
    from genbank_assets.postgres_server.server import ensure_server, open_server  # with a URL nothing of it is needed

    server = ensure_server(settings.store) if create else open_server(settings.store)
    if server is None:
        raise NoDatabaseError(
            f"{settings.store} has no database yet: materialize a division first, or set GENBANK_ASSETS_POSTGRES_URL"
        )
    return server.url("genbank")


def dagster_url(store: Path, *, purpose: str) -> str:
    """SQLAlchemy's URL of Dagster's own storage in the embedded server, which this process uses until it ends.

    Args:
        store: the store's folder.
        purpose: what this process is, for people who want to stop the server.

    Raises:
        DatabaseError: the embedded server cannot be made or started.
    """
    from genbank_assets.postgres_server.server import use_server

    return use_server(store, purpose=purpose).sqlalchemy_url("dagster")
