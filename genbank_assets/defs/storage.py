"""The storage class in the project's ``dagster.yaml``: PostgreSQL, embedded if no URL is set.

With it, Dagster's own commands (``dagster dev``, ``dg launch``, …) work in a checkout without any settings, and see the
runs of ``genbank-assets``. Choosing the database belongs to ``database_url``.
See https://docs.dagster.io/deployment/oss/dagster-yaml
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from sqlalchemy import Engine, create_engine

from genbank_assets.database_url import dagster_url
from genbank_assets.postgres_url import normalised_postgres_url, sqlalchemy_url
from genbank_assets.settings import settings_from_environment

STORAGE_VARIABLE = "GENBANK_ASSETS_DAGSTER_POSTGRES_URL"
_RECYCLE_SECONDS = 300  # older connections are replaced, because poolers and firewalls close idle ones


class _Runs(PostgresRunStorage):
    def __init__(self, engine: Engine, postgres_url: str) -> None:
        super().__init__(postgres_url, should_autocreate_tables=False)
        self._engine = engine


class _Schedules(PostgresScheduleStorage):
    def __init__(self, engine: Engine, postgres_url: str) -> None:
        super().__init__(postgres_url, should_autocreate_tables=False)
        self._engine = engine


class _EventLog(PostgresEventLogStorage):
    def __init__(self, engine: Engine, postgres_url: str) -> None:
        super().__init__(postgres_url, should_autocreate_tables=False)
        self._kept = self._engine = engine

    def dispose(self) -> None:
        super().dispose()
        self._kept.dispose()


class MirrorStorage(DagsterPostgresStorage):
    """Storage in ``GENBANK_ASSETS_DAGSTER_POSTGRES_URL``, or in the store's embedded server if it is not set.

    All storages of an instance share one persistent connection. Dagster's own storage opens one per statement, 280 for
    a run of five assets with their checks, which takes most of the time for a small division. A broken connection is
    detected before use and replaced.
    """

    def __init__(self, postgres_url: str, **options: Any) -> None:
        super().__init__(postgres_url, **options)  # creates the tables
        engine = create_engine(
            postgres_url, isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=-1, pool_pre_ping=True,
            pool_recycle=_RECYCLE_SECONDS,
        )  # fmt: skip
        self._run_storage = _Runs(engine, postgres_url)
        self._event_log_storage = _EventLog(engine, postgres_url)
        self._schedule_storage = _Schedules(engine, postgres_url)

    @classmethod
    def config_type(cls) -> Any:
        """Return an empty schema: all configuration comes from the environment."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> MirrorStorage:
        """Create the storage when Dagster opens the instance; starts the embedded server if necessary.

        Raises:
            SettingsError: a GENBANK_ASSETS_* variable has an invalid value.
            DatabaseError: the embedded server cannot be created or started.
        """
        return cls(postgres_url=storage_url(settings_from_environment().store), inst_data=inst_data)


def storage_url(store: Path) -> str:
    """Return the SQLAlchemy URL of Dagster's storage; an embedded server is started and this process registered."""
    if url := os.environ.get(STORAGE_VARIABLE, "").strip():
        return sqlalchemy_url(normalised_postgres_url(url, variable=STORAGE_VARIABLE))
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]])
    return dagster_url(store, purpose=command)
