"""Dagster's storage as the project's ``dagster.yaml`` names it: PostgreSQL, embedded where no URL is set.

So Dagster's own commands (``dagster dev``, ``dg launch``, …) load the instance in a checkout in which nothing was
set, and see the runs that ``genbank-assets`` made. What the database is belongs to ``database_url``.
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
_RECYCLE_SECONDS = 300  # older connections are replaced: poolers and firewalls cut idle ones


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
    """The database of ``GENBANK_ASSETS_DAGSTER_POSTGRES_URL``; without it, of the store's embedded server.

    One connection is kept open for all that an instance stores. Dagster's own storage makes one for every statement,
    280 for a run of five assets with their checks: most of the time of a small division. A kept connection that has
    died, with its server or on its way, is noticed before it is used, and replaced.
    """

    def __init__(self, postgres_url: str, **options: Any) -> None:
        super().__init__(postgres_url, **options)  # makes the tables
        engine = create_engine(
            postgres_url, isolation_level="AUTOCOMMIT", pool_size=1, max_overflow=-1, pool_pre_ping=True,
            pool_recycle=_RECYCLE_SECONDS,
        )  # fmt: skip
        self._run_storage = _Runs(engine, postgres_url)
        self._event_log_storage = _EventLog(engine, postgres_url)
        self._schedule_storage = _Schedules(engine, postgres_url)

    @classmethod
    def config_type(cls) -> Any:
        """No configuration: everything comes from the environment."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> MirrorStorage:
        """Called by Dagster when it opens the instance; starts the embedded server if need be.

        Raises:
            SettingsError: a GENBANK_ASSETS_* variable has a value that cannot be used.
            DatabaseError: the embedded server cannot be made or started.
        """
        return cls(postgres_url=storage_url(settings_from_environment().store), inst_data=inst_data)


def storage_url(store: Path) -> str:
    """SQLAlchemy's URL of Dagster's storage; an embedded server is started, and ``stop`` will know of this process."""
    if url := os.environ.get(STORAGE_VARIABLE, "").strip():
        return sqlalchemy_url(normalised_postgres_url(url, variable=STORAGE_VARIABLE))
    command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:2]])
    return dagster_url(store, purpose=command)
