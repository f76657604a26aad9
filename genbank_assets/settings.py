"""Settings of the core, read from ``GENBANK_ASSETS_*`` environment variables into one frozen dataclass.

Secrets come from the environment only: the PostgreSQL URL and the source may contain a password, and AWS credentials
stay in AWS's own variables. ``repr`` shows none of them. Dagster resources build the same object (``defs.resources``).

To add a setting, add a field with its default, a line under *Attributes*, its bounds in ``_BOUNDS`` if it is a number,
and a row in ``docs/operating.md``. Variables that are not fields of :class:`Settings` go into ``OTHER_VARIABLES``.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from genbank_assets.errors import SettingsError
from genbank_assets.postgres_url import normalised_postgres_url
from genbank_assets.redaction import passwords_in, redacted, remember
from genbank_assets.setting_values import KINDS, converted, expanded, is_place, shortened

PREFIX = "GENBANK_ASSETS_"
DEFAULT_SOURCE = "https://ftp.ncbi.nlm.nih.gov"
SOURCE_SCHEMES = ("https", "http", "ftp", "s3", "file")
OBJECT_LAYOUTS = ("auto", "record", "pack")
OBJECT_CHECKSUMS = ("sha256", "none")
# Variables read by other modules.
OTHER_VARIABLES = (
    "DAGSTER_POSTGRES_URL", "DEBUG", "ALERT_WEBHOOK_URL", "ALERT_EMAIL", "ALERT_SMTP_HOST", "ALERT_SMTP_PORT",
    "ALERT_SMTP_USER", "ALERT_SMTP_PASSWORD", "ALERT_SMTP_FROM",
)  # fmt: skip
# Field -> minimum and maximum.
_BOUNDS: dict[str, tuple[float, float]] = {
    "workers": (1, 10_000),
    "max_remote_tasks": (1, 10_000),
    "download_files": (1, 1_000),
    "source_pauses": (1, 1_000_000),
    "poll_seconds": (1, 31_536_000),
    "keep_releases": (1, 1_000_000),
    "keep_replaced_seconds": (0, 31_536_000),
    "postgres_pool_size": (1, 10_000),
    "upload_concurrency": (1, 10_000),
    "max_absent_fraction": (0, 1),
    "max_quarantined_fraction": (0, 1),
}
_POSITIVE = ("requests_per_second", "source_pause_seconds")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """Settings of the core; every default is suitable for a single machine.

    Attributes:
        source: ``https://…``, ``ftp://…``, ``s3://…`` or ``file:///…``: the parent of ``genbank/`` and ``refseq/``;
            several, separated by blanks, are tried in order when one fails.
        store: folder for all files.
        postgres_url: a PostgreSQL address in any form accepted by :mod:`genbank_assets.postgres_url`, kept as
            ``postgresql://…``; None means the embedded server in the store.
        objects: ``s3://bucket/prefix`` or ``file:///…``; None means ``STORE/objects``.
        tables: ``s3://bucket/prefix`` or ``file:///…`` to publish tables to; None means they are not published.
        publish_raw_files: whether to publish NCBI's files with the tables, so that readers can get original text.
        workers: number of processes that parse, load and publish the files of a division.
        executor: where file tasks run: ``local`` (processes on this machine), ``dask://SCHEDULER:PORT``, or
            ``NAME://…`` for an executor provided by another package.
        max_remote_tasks: maximum number of files that remote workers load into PostgreSQL concurrently, and of files
            or tables that they send to an object store; per scheduler, unless the workers set their own limit.
        download_files: number of concurrent downloads, over all processes on this machine.
        requests_per_second: maximum rate of requests to the source, over all processes on this machine.
        source_pauses: consecutive "slow down" responses (503, 429) after which the source is no longer contacted.
        source_pause_seconds: maximum pause after such a response; if the source asks for more, the run fails.
        divisions: partitions the release sensors request, such as ``genbank/phg, refseq/viral``; empty means all.
        poll_seconds: minimum interval between two polls of a release sensor.
        keep_releases: releases of a division to keep in the store; the newest complete one is always kept.
        keep_replaced_seconds: how long replaced files are kept for readers that still use them.
        dagster_url: address of Dagster's UI, used for links to runs.
        postgres_pool_size: maximum number of connections per process.
        upload_concurrency: object requests in flight; per file when remote workers send the files.
        object_layout: ``record`` (one object per distinct sequence), ``pack`` (short sequences combined in objects of
            about 64 MiB) or ``auto`` (packs for divisions of many short sequences). Applies to future uploads.
        object_checksum: ``sha256``, or ``none`` for stores that reject requests with ``x-amz-checksum-*``.
        refget: whether to compute GA4GH refget digests in addition to SHA-256.
        max_absent_fraction: fraction of a division's loaded records that may be missing before a load is refused.
        max_quarantined_fraction: fraction of quarantined blocks above which a check warns.
    """

    source: str = DEFAULT_SOURCE
    store: Path = Path("data")
    postgres_url: str | None = dataclasses.field(default=None, repr=False)
    objects: str | None = None
    tables: str | None = None
    publish_raw_files: bool = False
    workers: int = 2
    executor: str = "local"
    max_remote_tasks: int = 8
    download_files: int = 4
    requests_per_second: float = 10.0
    source_pauses: int = 4
    source_pause_seconds: float = 300.0
    divisions: str = ""
    poll_seconds: int = 3600
    keep_releases: int = 2
    keep_replaced_seconds: int = 3600
    dagster_url: str = "http://127.0.0.1:3000"
    postgres_pool_size: int = 4
    upload_concurrency: int = 10
    object_layout: str = "auto"
    object_checksum: str = "sha256"
    refget: bool = False
    max_absent_fraction: float = 0.02
    max_quarantined_fraction: float = 0.001

    def __post_init__(self) -> None:
        self._check_characters()
        self._check_source()
        self._check_objects()
        for name, (least, greatest) in _BOUNDS.items():
            value = getattr(self, name)
            if math.isnan(value) or not least <= value <= greatest:
                kind = "at least 1" if value < least == 1 else f"between {least:,} and {greatest:,}"
                raise SettingsError(f"{_variable(name)} must be {kind}, not {shortened(str(value))}")
        for name in _POSITIVE:
            if not 0 < getattr(self, name) < float("inf"):
                raise SettingsError(f"{_variable(name)} must be more than 0, not {getattr(self, name)}")
        if self.executor != "local" and not re.fullmatch(r"[a-z][a-z0-9_-]*://\S*", self.executor):
            raise SettingsError(
                f"{_variable('executor')} must be local, or an address such as dask://scheduler:8786, not "
                f"{self.executor!r}"
            )
        if self.object_layout not in OBJECT_LAYOUTS:
            raise SettingsError(
                f"{_variable('object_layout')} must be auto, record or pack, not {self.object_layout!r}"
            )
        if self.object_checksum not in OBJECT_CHECKSUMS:
            raise SettingsError(f"{_variable('object_checksum')} must be sha256 or none, not {self.object_checksum!r}")
        if self.postgres_url is not None:
            url = normalised_postgres_url(self.postgres_url, variable=_variable("postgres_url"))
            object.__setattr__(self, "postgres_url", url)
        if not re.fullmatch(r"https?://[^\s/?#]\S*", self.dagster_url, re.IGNORECASE):
            raise SettingsError(
                f"{_variable('dagster_url')} must be an address such as http://127.0.0.1:3000, not {self.dagster_url!r}"
            )

    def __repr__(self) -> str:
        shown = (f"{field.name}={getattr(self, field.name)!r}" for field in dataclasses.fields(self) if field.repr)
        return redacted(f"Settings({', '.join(shown)})")

    def _check_characters(self) -> None:
        """Reject surrogates: undecodable bytes of the environment, which no other program accepts."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, str | Path) and re.search(r"[\ud800-\udfff\x00]", str(value)):
                raise SettingsError(
                    f"{_variable(field.name)} contains bytes that are invalid in this environment's encoding: set "
                    "LC_ALL=C.UTF-8, or choose another"
                )

    def _check_source(self) -> None:
        """Check scheme and address of each source, and register passwords in them for redaction."""
        for one in self.source.split() or [""]:
            for password in passwords_in(one):
                remember(password)
            scheme, separator, _ = one.partition("://")
            if not separator or scheme.lower() not in SOURCE_SCHEMES:
                raise SettingsError(
                    f"{_variable('source')} must start with https://, ftp://, s3:// or file://, not {one!r}"
                )
            try:
                parts = urlsplit(one)
                port = parts.port
            except ValueError:
                parts, port = None, None
            if parts is None or (scheme.lower() != "file" and (not parts.hostname or port == 0)):
                several = "; several stand with blanks between them" if "," in one else ""
                raise SettingsError(f"{_variable('source')} is not a valid URL: {one!r}{several}")
            if scheme.lower() != "s3" and (parts.query or parts.fragment):
                raise SettingsError(
                    f"{_variable('source')} holds ? or #, which no folder of a server has: leave out what is behind "
                    "it, or write %3F and %23 where they are part of a password"
                )

    def _check_objects(self) -> None:
        for name in ("objects", "tables"):
            url = getattr(self, name)
            if url and "@" in urlsplit(url).netloc:
                for password in passwords_in(url):
                    remember(password)
                raise SettingsError(
                    f"{_variable(name)} holds credentials: leave them out and set AWS_ACCESS_KEY_ID and "
                    "AWS_SECRET_ACCESS_KEY"
                )
            if url and not is_place(url):
                raise SettingsError(
                    f"{_variable(name)} must be s3://bucket/prefix (without ? or #) or file:///folder, not "
                    f"{shortened(url)!r}"
                )
        if self.tables and self.tables.rstrip("/") == self.objects_url.rstrip("/"):
            raise SettingsError(f"{_variable('tables')} and {_variable('objects')} must be different locations")

    def run_url(self, run_id: str) -> str:
        """Return the URL of a run in Dagster's UI; "" for runs not started by Dagster."""
        is_dagsters = re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", run_id)
        return f"{self.dagster_url.rstrip('/')}/runs/{run_id}" if is_dagsters else ""

    @property
    def objects_url(self) -> str:
        """URL of the object set."""
        return self.objects or (self.store.resolve() / "objects").as_uri()

    def has_objects_of(self, url: str) -> bool:
        """Return whether an object set published at ``url`` is the object set of these settings.

        The URL of a set inside the store changes when the store is moved or mounted elsewhere.
        """
        ours, theirs = self.objects_url.rstrip("/"), url.rstrip("/")
        within = (self.store.resolve() / "objects").as_uri()
        return ours == theirs or (ours == within and theirs.startswith("file://") and theirs.endswith("/objects"))


def settings_from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """Read settings from ``GENBANK_ASSETS_<FIELD>`` variables; unset or empty ones keep their defaults.

    Raises:
        SettingsError: a value does not have the type of its field, or is out of range.
    """
    environment = os.environ if environment is None else environment
    values: dict[str, object] = {}
    for field in dataclasses.fields(Settings):
        variable = _variable(field.name)
        text = environment.get(variable, "").strip()
        if not text:
            continue
        try:
            values[field.name] = converted(text, default=field.default)
        except ValueError:
            kind = KINDS[type(field.default)]
            raise SettingsError(f"{variable} must be {kind}, not {shortened(text)!r}") from None
    if "://" in str(values.get("store", "")):
        raise SettingsError(
            f"{_variable('store')} must be a folder, not {values['store']!r}: published tables are read with "
            f"{_variable('tables')} or --store"
        )
    if "store" in values:
        values["store"] = expanded(str(values["store"]), variable=_variable("store"))
    return Settings(**values)  # type: ignore[arg-type]


def unknown_variables(environment: Mapping[str, str] | None = None) -> list[str]:
    """Return a sentence for each unknown ``GENBANK_ASSETS_*`` variable, with the closest known name.

    Variables starting with ``GENBANK_ASSETS_TEST_`` are reserved for tests.
    """
    environment = os.environ if environment is None else environment
    known = {*(_variable(field.name) for field in dataclasses.fields(Settings)), *map(_variable, OTHER_VARIABLES)}
    sentences = []
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known and not name.startswith(f"{PREFIX}TEST_"):
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
            sentences.append(
                f"{name} is not a known setting and is ignored{f': did you mean {near[0]}?' if near else ''}"
            )
    return sentences


def _variable(field: str) -> str:
    return f"{PREFIX}{field.upper()}"
