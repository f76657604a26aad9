"""The Dagster instance of a store: its home folder and its storage in the embedded PostgreSQL.

``STORE/dagster`` is DAGSTER_HOME and has a copy of the project's ``dagster.yaml``. Its database belongs to ``storage``,
executing runs to ``run``.
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
from genbank_assets.setting_values import expanded
from genbank_assets.settings import Settings
from genbank_assets.store import write_atomically
from genbank_assets.waits import announced

COMMAND_YAML = "command.yaml"
_NO_OUTPUT = b"""
# For runs in the process of a command, which prints their output to its terminal.
compute_logs:
  module: dagster.core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
"""
POOLS = ("ncbi", "postgres", "object_store")


def project_file(name: str) -> Path:
    """Return the path of ``dagster.yaml`` or ``workspace.yaml``: in the checkout, or in the package's ``deployment``.

    Raises:
        SettingsError: the file is in neither place.
    """
    package = Path(genbank_assets.__file__).parent
    for folder in (package.parent, package / "deployment"):
        if (folder / name).is_file():
            return folder / name
    raise SettingsError(f"{name} is missing in {package / 'deployment'}: install genbank-assets again")


def prepare_instance(settings: Settings) -> Path:
    """Create DAGSTER_HOME, start the embedded server if it holds the storage, and set the environment variables.

    An existing DAGSTER_HOME variable is respected; its ``dagster.yaml`` may be the project's.

    Returns:
        DAGSTER_HOME.

    Raises:
        SettingsError: DAGSTER_HOME is not a usable folder, or the storage's URL is invalid.
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
    home = expanded(chosen, variable="DAGSTER_HOME")
    if not home.is_absolute() or not home.is_dir():
        wrong = "not a folder" if home.is_absolute() else "not an absolute path"
        raise SettingsError(f"DAGSTER_HOME is {chosen}, which is {wrong}: correct it, or unset it to use STORE/dagster")
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
    except (OSError, ValueError):  # reported by Dagster when it reads the file
        return False


def _check_reachable(url: str) -> None:
    """Fail early with a readable error, where Dagster would retry for seconds and end with a traceback."""
    try:
        with announced(f"Dagster's database at {shown_postgres_url(url)}"):
            psycopg.connect(url, connect_timeout=10).close()
    except psycopg.Error as error:
        raise DatabaseError(
            f"Dagster's database at {shown_postgres_url(url)} ({STORAGE_VARIABLE}) cannot be reached: {error}"
        ) from None


def open_instance(settings: Settings, *, captures_output: bool = True) -> dg.DagsterInstance:
    """Open the store's Dagster instance, which the UI also uses, and create its pools.

    Args:
        settings: the store.
        captures_output: whether Dagster captures the output of runs in this process. Capturing needs two processes per
            step, which print tracebacks after Ctrl-C; commands print to the terminal instead. A DAGSTER_HOME set in the
            environment is used as configured.

    Raises:
        SettingsError: a setting or Dagster's configuration is invalid.
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
    said = one_line(str(root).partition("\nLINE ")[0])[:500]  # without Dagster's SQL statement
    if "permission denied" in said:
        said += "; its role must own the database or have the privilege CREATE on its schema public"
    return said


def _prepare_pools(instance: dg.DagsterInstance) -> None:
    """Create each pool's row with the default limit before a run needs it.

    Dagster creates the row when a run first uses the pool. On PostgreSQL, one of two runs that do so concurrently
    fails, and so does every run after a change of the default (https://github.com/dagster-io/dagster/issues/33552).
    Limits set by an operator are kept.
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
