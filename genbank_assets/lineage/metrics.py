"""Exports the store's figures to Prometheus: one sample per division, stage and figure, from the manifests.

Names and labels belong here; the text format to ``prometheus_client``, the meaning of figures to ``reports``. For
collection by node_exporter see docs/operating.md.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, Info, generate_latest

from genbank_assets import __version__
from genbank_assets.errors import SettingsError
from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.reports import FIGURES, LoadReport
from genbank_assets.settings import Settings
from genbank_assets.store import STAGES, Manifest, PartitionKey, current_release, write_atomically

PREFIX = "genbank_assets"
LABELS = ("collection", "division", "stage")
# By convention, names of Prometheus metrics end with the unit.
_NAMES = {
    "seconds": "duration_seconds", "bytes_in": "input_bytes", "bytes_out": "output_bytes", "bytes_now": "written_bytes",
}  # fmt: skip
PUBLISHED = f"{PREFIX}_published_timestamp_seconds"
STATEMENTS_PER_SECOND = f"{PREFIX}_sql_statements_per_second"


def metric_name(figure: str) -> str:
    """Return the metric name of a figure, such as ``genbank_assets_records``, with its unit at the end."""
    return f"{PREFIX}_{_NAMES.get(figure, figure)}"


def metrics(settings: Settings) -> str:
    """Return the figures of every stage of every division's newest release, in Prometheus' text exposition format.

    Counts are totals of the published state. Times, memory and statements are those of the run that published it; later
    runs that find everything in place do not change them.
    """
    registry = CollectorRegistry()
    gauges = {
        figure.name: Gauge(metric_name(figure.name), f"{figure.meaning} ({figure.unit})", LABELS, registry=registry)
        for figure in FIGURES
    }
    rate = Gauge(STATEMENTS_PER_SECOND, "SQL statements over the wall seconds of the run", LABELS, registry=registry)
    published = Gauge(PUBLISHED, "When the stage's manifest was written, Unix time", LABELS, registry=registry)
    stage_info = Info(f"{PREFIX}_stage", "Release and versions a published stage is of", LABELS, registry=registry)
    Info(f"{PREFIX}_build", "The software that wrote these lines", registry=registry).info({"version": __version__})
    for manifest in _manifests(settings):
        labels = (manifest.collection, manifest.division, manifest.stage)
        for name, value in manifest.report.as_dict().items():
            gauges[name].labels(*labels).set(value)
        report = manifest.report
        if isinstance(report, LoadReport) and report.sql_statements_per_second is not None:
            rate.labels(*labels).set(report.sql_statements_per_second)
        if manifest.published_at:
            published.labels(*labels).set(dt.datetime.fromisoformat(manifest.published_at).timestamp())
        versions = {"code_version": manifest.code_version, "software_version": manifest.software_version}
        stage_info.labels(*labels).info({"release": manifest.release, **versions})
    return generate_latest(registry).decode()


def write_metrics(settings: Settings, path: Path) -> None:
    """Write :func:`metrics` to a file atomically.

    Raises:
        SettingsError: the file cannot be written.
    """
    if not path.parent.is_dir():
        raise SettingsError(f"the metrics cannot be written to {path}: there is no folder {path.parent}")
    text = metrics(settings)
    try:
        write_atomically(path, text.encode())
    except OSError as error:
        raise SettingsError(f"the metrics cannot be written to {path}: {error.strerror}") from error


def _manifests(settings: Settings) -> list[Manifest]:
    found = []
    for collection in COLLECTIONS.values():
        for division in collection.divisions:
            for stage in STAGES:
                key = PartitionKey(collection.name, division)
                partition = current_release(settings.store, key=key, stage=stage)
                manifest = partition.manifest(stage) if partition is not None else None
                if manifest is not None:
                    found.append(manifest)
    return found
