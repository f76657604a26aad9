"""Preflight checks of store, source, database, object store and executor, within seconds and before a run starts.

Without them, every stage would discover a wrong address on its own, after retries, and leave failed assets over intact
data. Nothing is modified except for a temporary file in the store. Requirements of a single stage are checked by the
stage itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from genbank_assets.errors import DatabaseError, ObjectStoreError, ReleaseError, SettingsError, SourceError
from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.release_facts import release_sort_key
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey, current_release
from genbank_assets.waits import announced

if TYPE_CHECKING:
    from genbank_assets.ncbi.sources.base import Source

TIMEOUT_SECONDS = 10.0
OLDEST_POSTGRES = 140_000

# The first load creates the schema; later ones create tables in it.
_MAY_LOAD = """
SELECT current_setting('transaction_read_only') = 'off',
       coalesce(has_schema_privilege(to_regnamespace('genbank')::oid, 'CREATE'),
                has_database_privilege(current_database(), 'CREATE'))
"""


def check_readiness(
    settings: Settings,
    *,
    keys: Sequence[PartitionKey],
    release: str | None = None,
    progress: Callable[[str], None],
) -> None:
    """Check everything a run of some partitions needs.

    Args:
        settings: name the services to check.
        keys: the partitions to be run.
        release: the release the source must offer; None for any.
        progress: called with what the source offers and, every few seconds, with what is being waited for.

    Raises:
        SettingsError: the store cannot be written, or there is no such executor.
        SourceError: the source cannot be reached or is not a GenBank mirror.
        ReleaseError: the source offers a different release than requested.
        DatabaseError: PostgreSQL cannot be reached, is too old, or does not permit loading.
        ObjectStoreError: the object store cannot be reached or the bucket does not exist.
        WorkerLostError: the Dask scheduler cannot be reached.
    """
    from genbank_assets.compute.remote import check_executor

    check_store(settings.store)
    with announced("PostgreSQL", progress):
        check_database(settings)
    with announced(f"the object store {settings.objects_url}", progress):
        check_objects(settings)
    with announced(f"the executor {settings.executor}", progress):
        check_executor(settings)
    for collection in dict.fromkeys(key.collection for key in keys):
        offered = check_source(settings, collection, progress=progress)
        if release is not None:
            _check_wanted(settings, [key for key in keys if key.collection == collection], release, offered=offered)


def check_taxonomy(settings: Settings, *, progress: Callable[[str], None]) -> None:
    """Check everything that fetching the taxonomy needs; compare :func:`check_readiness`.

    Raises:
        SettingsError: the store cannot be written.
        SourceError: the source cannot be reached or offers no taxonomy.
        DatabaseError: PostgreSQL cannot be reached, is too old, or does not permit loading.
    """
    from genbank_assets.ncbi.taxonomy import published_md5

    check_store(settings.store)
    with announced("PostgreSQL", progress):
        check_database(settings)
    _asked(settings, published_md5, progress=progress)


def check_store(store: Path) -> None:
    """Create the store's folder if needed, and check that it is writable.

    Raises:
        SettingsError: the path is a file, read-only, or not writable by this user.
    """
    try:
        store.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=store, prefix=".probe-") as probe:
            probe.write(b"x" * 4096)
    except OSError as error:
        reason = "it is a file" if store.exists() and not store.is_dir() else error.strerror
        if store.is_symlink() and not store.exists():
            reason = f"it is a link to {store.readlink()}, which is not there"
        raise SettingsError(
            f"the store {store} cannot be written: {reason}; choose another with --store or GENBANK_ASSETS_STORE"
        ) from None


def check_source(settings: Settings, collection: str, *, progress: Callable[[str], None]) -> str:
    """Return the release number that the source currently offers.

    Raises:
        SourceError: the source cannot be reached or does not have the collection.
    """
    from genbank_assets.ncbi.releases import read_number

    def ask(source: Source) -> str:
        number = read_number(source, collection=COLLECTIONS[collection])
        progress(f"{source.url('')} offers {COLLECTIONS[collection].title} {number}")
        return number

    return _asked(settings, ask, progress=progress)


def _asked(settings: Settings, ask: Callable[[Source], str], *, progress: Callable[[str], None]) -> str:
    """Query the source with short timeouts; errors say that nothing was started."""
    from genbank_assets.ncbi.limiter import Limiter
    from genbank_assets.ncbi.sources import open_source

    limiter = Limiter.of(settings, time_limit_seconds=3 * TIMEOUT_SECONDS)
    with (
        announced("the source", progress),
        open_source(settings.source, limiter=limiter, timeout_seconds=TIMEOUT_SECONDS, progress=progress) as source,
    ):
        try:
            return ask(source)
        except SourceError as error:
            raise type(error)(f"nothing was started because the source cannot be used: {error}") from error


def check_database(settings: Settings) -> None:
    """Check the configured PostgreSQL server; the embedded server is started on demand and not checked.

    Raises:
        DatabaseError: it cannot be reached, is too old or read-only, or the role may not create tables.
    """
    if settings.postgres_url is None:
        return
    import psycopg

    from genbank_assets.postgres_url import shown_postgres_url

    shown = shown_postgres_url(settings.postgres_url)
    try:
        with psycopg.connect(settings.postgres_url, connect_timeout=int(TIMEOUT_SECONDS)) as connection:
            version, encoding = connection.info.server_version, connection.info.parameter_status("server_encoding")
            (is_writable, may_create), *_ = connection.execute(_MAY_LOAD).fetchall()
    except psycopg.Error as error:
        raise DatabaseError(f"cannot reach PostgreSQL at {shown}: {error}") from None
    if version < OLDEST_POSTGRES or encoding != "UTF8":
        raise DatabaseError(
            f"PostgreSQL at {shown} is version {version // 10_000} with {encoding}: 14 or later with UTF8 is needed"
        )
    if not is_writable:
        raise DatabaseError(
            f"PostgreSQL at {shown} is read-only: use the address of its primary server, or a role that may write"
        )
    if not may_create:
        raise DatabaseError(
            f"the role of {shown} may not load there: make it the owner of the database, or GRANT it CREATE "
            "(docs/operating.md, PostgreSQL)"
        )


def check_objects(settings: Settings) -> None:
    """Check the object store by listing at most one manifest.

    Raises:
        ObjectStoreError: the store cannot be reached or denies access.
    """
    import obstore
    from obstore.exceptions import BaseError

    from genbank_assets.objects.store import open_objects, reason_of

    store = open_objects(settings, retries=1, timeout=timedelta(seconds=TIMEOUT_SECONDS))
    try:
        next(iter(obstore.list(store, prefix="manifests", chunk_size=1)), None)
    except FileNotFoundError:
        return  # an empty folder
    except BaseError as error:
        raise ObjectStoreError(f"the object store {settings.objects_url} cannot be used: {reason_of(error)}") from None


def _check_wanted(settings: Settings, keys: Sequence[PartitionKey], wanted: str, *, offered: str) -> None:
    title = COLLECTIONS[keys[0].collection].title
    if release_sort_key(offered) != release_sort_key(wanted):
        raise ReleaseError(
            f"{title} {wanted} was requested, but the source offers {offered}: NCBI keeps the current release only, an "
            f"older one needs --source with a copy of it"
        )
    for key in keys:
        here = current_release(settings.store, key=key, stage="raw_files")
        if here is not None and release_sort_key(here.release) > release_sort_key(wanted):
            raise ReleaseError(f"{key} {here.release} is in the store already: {wanted} cannot be loaded over it")
