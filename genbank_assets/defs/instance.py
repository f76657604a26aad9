"""The Dagster instance of a store: its home folder and its storage in the embedded PostgreSQL.

``STORE/dagster`` is DAGSTER_HOME and holds a copy of the project's ``dagster.yaml``; the storage URL reaches it by an
environment variable. What runs on the instance belongs to ``run``.
See https://docs.dagster.io/deployment/oss/dagster-yaml
"""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

import dagster as dg

import genbank_assets
from genbank_assets.database_url import dagster_url
from genbank_assets.errors import SettingsError
from genbank_assets.settings import Settings
from genbank_assets.store import write_atomically

POOLS = ("ncbi", "postgres", "object_store")
STORAGE_VARIABLE = "GENBANK_ASSETS_DAGSTER_POSTGRES_URL"


def project_file(name: str) -> Path:
    """``dagster.yaml`` or ``workspace.yaml``: beside the package in a checkout, under ``share`` when installed.

    Raises:
        SettingsError: it is in neither place.
    """
    for folder in (Path(genbank_assets.__file__).parent.parent, Path(sys.prefix) / "share" / "genbank-assets"):
        if (folder / name).is_file():
            return folder / name
    raise SettingsError(f"{name} is missing: it belongs beside the package genbank_assets")


def prepare_instance(settings: Settings) -> Path:
    """Make DAGSTER_HOME and start the embedded server if the storage is not elsewhere; sets the environment.

    An environment that names its own DAGSTER_HOME is left alone.

    Returns:
        DAGSTER_HOME.
    """
    if os.environ.get("DAGSTER_HOME"):
        return Path(os.environ["DAGSTER_HOME"])
    home = settings.store.resolve() / "dagster"
    home.mkdir(parents=True, exist_ok=True)
    content = project_file("dagster.yaml").read_bytes()
    if not (home / "dagster.yaml").is_file() or (home / "dagster.yaml").read_bytes() != content:
        write_atomically(home / "dagster.yaml", content)
    if not os.environ.get(STORAGE_VARIABLE):
        os.environ[STORAGE_VARIABLE] = dagster_url(settings.store, purpose=" ".join(["genbank-assets", *sys.argv[1:3]]))
    os.environ["DAGSTER_HOME"] = str(home)
    return home


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The store's Dagster instance: what the UI shows too. Its pools exist."""
    home = prepare_instance(settings)
    instance = dg.DagsterInstance.get()
    with (home / ".pools.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _prepare_pools(instance)
    return instance


def _prepare_pools(instance: dg.DagsterInstance) -> None:
    """Give each pool its row with the default limit before a run needs it.

    Dagster makes the row when a run first asks for the pool. On PostgreSQL a run fails that asks at the same time as
    another, and every run once the default has changed (https://github.com/dagster-io/dagster/issues/33552). A limit
    that somebody set stays.
    """
    storage = instance.event_log_storage
    default = instance.global_op_concurrency_default_limit
    if default is None or not storage.supports_global_concurrency_limits:
        return
    known = {pool.name: pool for pool in storage.get_pool_limits()}
    for name in POOLS:
        pool = known.get(name)
        if pool is not None and pool.from_default and pool.limit != default:
            storage.delete_concurrency_limit(name)
            pool = None
        if pool is None:
            storage.initialize_concurrency_limit_to_default(name)
