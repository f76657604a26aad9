"""The Dagster instance of a store: its home folder and its storage in the embedded PostgreSQL.

``STORE/dagster`` is DAGSTER_HOME and holds a copy of the project's ``dagster.yaml``; the database that it names belongs
to ``storage``, what runs on the instance to ``run``.
See https://docs.dagster.io/deployment/oss/dagster-yaml
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import dagster as dg
import psycopg

import genbank_assets
from genbank_assets.defs.storage import STORAGE_VARIABLE, storage_url
from genbank_assets.errors import DatabaseError, SettingsError, causes, one_line
from genbank_assets.postgres_url import normalised_postgres_url, shown_postgres_url, sqlalchemy_url
from genbank_assets.settings import Settings
from genbank_assets.store import write_atomically
from genbank_assets.waits import announced

COMMAND_YAML = "command.yaml"
_NO_OUTPUT = b"""
# For runs in a command's own process, whose output is on its terminal.
compute_logs:
  module: dagster.core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""
POOLS = ("ncbi", "postgres", "object_store")


def project_file(name: str) -> Path:
    """``dagster.yaml`` or ``workspace.yaml``: beside the package in a checkout, in it (``deployment``) when installed.

    Raises:
        SettingsError: it is in neither place.
    """
    package = Path(genbank_assets.__file__).parent
    for folder in (package.parent, package / "deployment"):
        if (folder / name).is_file():
            return folder / name
    raise SettingsError(f"{name} is missing in {package / 'deployment'}: install genbank-assets again")


def prepare_instance(settings: Settings) -> Path:
    """Make DAGSTER_HOME and start the embedded server if the storage is not elsewhere; sets the environment.

    An environment that names its own DAGSTER_HOME keeps it; its ``dagster.yaml`` may be the project's.

    Returns:
        DAGSTER_HOME.

    Raises:
        SettingsError: DAGSTER_HOME is not a usable folder, or the storage's address is wrong.
        DatabaseError: the storage cannot be reached.
    """
    chosen = os.environ.get("DAGSTER_HOME")
    home = _chosen_home(chosen) if chosen else _home_of_store(settings)
    os.environ["DAGSTER_HOME"] = str(home)
    if (text := os.environ.get(STORAGE_VARIABLE, "").strip()) != "":
        url = normalised_postgres_url(text, variable=STORAGE_VARIABLE)
        os.environ[STORAGE_VARIABLE] = sqlalchemy_url(url)
        _check_reachable(url)
    elif not chosen or _names_the_storage(home):
        os.environ[STORAGE_VARIABLE] = storage_url(settings.store)  # also for what this process starts
    return home


def _chosen_home(chosen: str) -> Path:
    home = Path(chosen).expanduser()
    if not home.is_absolute() or not home.is_dir():
        wrong = "no folder" if home.is_absolute() else "no absolute path"
        raise SettingsError(
            f"DAGSTER_HOME is {chosen}, which is {wrong}: make it one, or unset it to use STORE/dagster"
        )
    return home


def _home_of_store(settings: Settings) -> Path:
    home = settings.store.resolve() / "dagster"
    content = project_file("dagster.yaml").read_bytes()
    try:
        home.mkdir(parents=True, exist_ok=True)
        for name, text in (("dagster.yaml", content), (COMMAND_YAML, content + _NO_OUTPUT)):
            if not (home / name).is_file() or (home / name).read_bytes() != text:
                write_atomically(home / name, text)
    except OSError as error:
        raise SettingsError(
            f"the store {settings.store} cannot be used ({error.strerror}: {error.filename}): choose another with "
            "--store or GENBANK_ASSETS_STORE"
        ) from None
    return home


def _names_the_storage(home: Path) -> bool:
    try:
        return STORAGE_VARIABLE in (home / "dagster.yaml").read_text(encoding="utf-8")
    except (OSError, ValueError):  # Dagster says what is wrong with it
        return False


def _check_reachable(url: str) -> None:
    """Dagster itself would try again for seconds and end with a traceback."""
    try:
        with announced(f"Dagster's database at {shown_postgres_url(url)}"):
            psycopg.connect(url, connect_timeout=10).close()
    except psycopg.Error as error:
        raise DatabaseError(
            f"Dagster's database at {shown_postgres_url(url)} ({STORAGE_VARIABLE}) cannot be reached: {error}"
        ) from None


def open_instance(settings: Settings, *, captures_output: bool = True) -> dg.DagsterInstance:
    """Return the store's Dagster instance: what the UI shows too. Its pools exist.

    Args:
        settings: the store.
        captures_output: whether Dagster keeps what runs in this process print. That takes it two processes a step,
            which answer Ctrl-C with tracebacks of their own; a command's output is on its terminal. A DAGSTER_HOME that
            the environment names is used as it is configured.

    Raises:
        SettingsError: a setting or Dagster's own configuration cannot be used.
        DatabaseError: the storage cannot be reached.
    """
    home = prepare_instance(settings)
    try:
        quiet = not captures_output and (home / COMMAND_YAML).is_file()
        instance = dg.DagsterInstance.from_config(str(home), COMMAND_YAML) if quiet else dg.DagsterInstance.get()
        with (home / ".pools.lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            _prepare_pools(instance)
    except OSError as error:
        raise SettingsError(f"DAGSTER_HOME {home} cannot be used: {error}") from None
    except Exception as error:  # Dagster's, SQLAlchemy's, the driver's
        raise SettingsError(f"Dagster cannot work with {home}/dagster.yaml: {_root_cause(error)}") from error
    return instance


def _root_cause(error: BaseException) -> str:
    *_, root = causes(error)
    said = one_line(str(root).partition("\nLINE ")[0])[:500]  # not the statement of Dagster's own
    if "permission denied" in said:
        said += "; its role has to own the database, or may CREATE in its schema public"
    return said


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
