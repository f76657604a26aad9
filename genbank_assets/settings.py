"""Settings of the core, read from ``GENBANK_ASSETS_*`` environment variables into one frozen dataclass.

Secrets enter through the environment only: the PostgreSQL URL may carry a password and AWS credentials stay
in AWS's own variables. ``repr`` shows neither. Dagster's resources build this same object (``defs.resources``).
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Mapping
from pathlib import Path

from genbank_assets.errors import SettingsError

DEFAULT_SOURCE = "https://ftp.ncbi.nlm.nih.gov"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """How the core works; every field has a default that is safe on one machine.

    Attributes:
        source: ``https://…``, ``ftp://…`` or ``file:///…``: what holds ``genbank/`` and ``refseq/``.
        store: folder that keeps all files.
        postgres_url: ``postgresql://…``; None means the embedded server under the store.
        objects: ``s3://bucket/prefix`` or ``file:///…``; None means ``STORE/objects``.
        workers: processes that parse, load and publish files of one division.
        download_files: files fetched at a time, over all processes of this machine.
        requests_per_second: ceiling on requests to the source, over all processes of this machine.
        source_pauses: answers of "slow down" (503, 429) in a row after which the source is left alone.
        source_pause_seconds: longest pause after one such answer; a source that asks for more is left alone till then.
        divisions: partitions the release sensors ask for, such as ``genbank/phg, refseq/viral``; empty means all.
        poll_seconds: least time between two looks of a release sensor.
        keep_releases: releases of a division whose files stay in the store; the newest complete one always does.
        dagster_url: where people reach Dagster's UI; links to runs begin with it.
        postgres_pool_size: connections a process may hold.
        upload_concurrency: object requests in flight.
        object_layout: ``record`` (an object per distinct sequence), ``pack`` (short sequences together in objects of
            about 64 MiB) or ``auto`` (packs for divisions of many short sequences). Holds for what is sent from now on.
        refget: whether GA4GH refget digests are computed beside SHA-256.
        max_absent_fraction: share of a division's loaded records that may be gone before a load stops.
        max_quarantined_fraction: share of quarantined blocks above which a check warns.
    """

    source: str = DEFAULT_SOURCE
    store: Path = Path("data")
    postgres_url: str | None = dataclasses.field(default=None, repr=False)
    objects: str | None = None
    workers: int = 2
    download_files: int = 4
    requests_per_second: float = 10.0
    source_pauses: int = 4
    source_pause_seconds: float = 300.0
    divisions: str = ""
    poll_seconds: int = 3600
    keep_releases: int = 2
    dagster_url: str = "http://127.0.0.1:3000"
    postgres_pool_size: int = 4
    upload_concurrency: int = 10
    object_layout: str = "auto"
    refget: bool = False
    max_absent_fraction: float = 0.02
    max_quarantined_fraction: float = 0.001

    def __post_init__(self) -> None:
        if self.source.split("://", 1)[0] not in {"https", "http", "ftp", "file"}:
            raise SettingsError(f"source must start with https://, ftp:// or file://, not {self.source!r}")
        for name in (
            "workers",
            "download_files",
            "source_pauses",
            "poll_seconds",
            "keep_releases",
            "postgres_pool_size",
            "upload_concurrency",
        ):
            if getattr(self, name) < 1:
                raise SettingsError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("requests_per_second", "source_pause_seconds"):
            if not 0 < getattr(self, name) < float("inf"):
                raise SettingsError(f"{name} must be more than 0, not {getattr(self, name)}")
        if self.object_layout not in {"auto", "record", "pack"}:
            raise SettingsError(f"object_layout must be auto, record or pack, not {self.object_layout!r}")
        if not 0 <= self.max_absent_fraction <= 1:
            raise SettingsError(f"max_absent_fraction must lie between 0 and 1, not {self.max_absent_fraction}")

    def run_url(self, run_id: str) -> str:
        """Where Dagster's UI shows a run; "" for one that Dagster did not start."""
        is_dagsters = re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", run_id)
        return f"{self.dagster_url.rstrip('/')}/runs/{run_id}" if is_dagsters else ""

    @property
    def objects_url(self) -> str:
        """Where the object set goes."""
        return self.objects or (self.store.resolve() / "objects").as_uri()


def settings_from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings from ``GENBANK_ASSETS_<FIELD>`` variables; unset or empty ones keep their defaults.

    Raises:
        SettingsError: a value cannot be read as its field's type, or is out of range.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, object] = {}
    for field in dataclasses.fields(Settings):
        variable = f"GENBANK_ASSETS_{field.name.upper()}"
        text = environment.get(variable, "").strip()
        if not text:
            continue
        try:
            values[field.name] = _converted(text, field.name)
        except ValueError:
            raise SettingsError(f"{variable} has a value that cannot be used: {text!r}") from None
    if "store" in values:
        values["store"] = Path(str(values["store"])).expanduser()
    return Settings(**values)  # type: ignore[arg-type]


def _converted(text: str, name: str) -> object:
    default = getattr(Settings, name, None)
    if isinstance(default, bool):
        if text.lower() not in {"1", "true", "yes", "on", "0", "false", "no", "off"}:
            raise ValueError(text)
        return text.lower() in {"1", "true", "yes", "on"}
    if isinstance(default, int):
        return int(text)
    if isinstance(default, float):
        return float(text)
    return text
