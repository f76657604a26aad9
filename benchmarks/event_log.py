"""Tests whether runs, ticks and queries become slower after a year of runs in Dagster's storage.

One division is mirrored. Its run and events are then stored repeatedly through Dagster's storage, with other run ids,
divisions and days: a year has six releases of 33 divisions and 250 days of two collections. At 1 %, 10 % and 100 % it
measures a run that finds everything in place, a tick of the release sensor, and ``status`` and ``metrics``, which read
only the store. Medians of five.

    python benchmarks/event_log.py [--years 1]
"""

from __future__ import annotations

import argparse
import datetime as dt
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import psycopg
from dagster import DagsterRun
from dagster._core.events.log import EventLogEntry
from dagster._serdes import deserialize_value, serialize_value

from genbank_assets import __version__
from genbank_assets.defs.instance import open_instance
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.defs.run import Runs
from genbank_assets.defs.sensors import build_sensors
from genbank_assets.lineage.metrics import metrics
from genbank_assets.lineage.status import status
from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.postgres_server.server import ensure_server, remove_server
from genbank_assets.settings import Settings
from genbank_assets.stopping import StopSignals
from genbank_assets.store import PartitionKey

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "genbank_assets" / "sample"
KEY = PartitionKey("genbank", "pln")
SHARES = (0.01, 0.1, 1.0)
REPEATS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--years", type=float, default=1.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="genbank-assets-events-") as folder:
        Path(folder).chmod(0o755)
        try:
            found = measured(Settings(store=Path(folder), source=SAMPLE.as_uri()), years=options.years)
        finally:
            remove_server(Path(folder))
    page = show(found)
    print(page)
    (ROOT / "benchmarks" / "results" / f"event-log-{__version__}.md").write_text(page, encoding="utf-8")


def year(years: float) -> list[tuple[str, str]]:
    """Collection (or its daily assets) and partition of every run of a year, releases first."""
    releases = [
        (c.name, division) for _ in range(round(6 * years)) for c in COLLECTIONS.values() for division in c.divisions
    ]
    first = dt.date(2026, 9, 1)
    days = [(f"{c}_daily", str(first + dt.timedelta(n))) for n in range(round(250 * years)) for c in COLLECTIONS]
    return releases + days


def measured(settings: Settings, *, years: float) -> list[dict[str, float]]:
    """The figures after each share of the year."""
    with Runs(settings, stop=StopSignals(announce=lambda line: None)) as runs:
        first = runs.materialize(KEY)
        assert first.ok, first.reason
    with open_instance(settings, captures_output=False) as instance:
        run = instance.get_run_by_id(first.run_id)
        assert run is not None
        entries = instance.all_logs(first.run_id)
    found, stored, wanted = [], 0, year(years)
    for share in SHARES:
        with open_instance(settings, captures_output=False) as instance:
            for collection, partition in wanted[stored : round(share * len(wanted))]:
                store_again(instance, run, entries, collection=collection, partition=partition)
            stored = round(share * len(wanted))
        found.append({"runs": stored, "events": stored * len(entries)} | figures(settings))
    return found


def store_again(
    instance: dg.DagsterInstance, run: DagsterRun, entries: list[EventLogEntry], *, collection: str, partition: str
) -> None:
    """The run and its events under another id, of another partition."""
    new = str(uuid.uuid4())

    def renamed(text: str) -> str:
        text = text.replace(run.run_id, new).replace(f'"{KEY.division}"', f'"{partition}"')
        return text.replace(f'"{KEY.collection}"', f'"{collection}"')

    instance.run_storage.add_run(deserialize_value(renamed(serialize_value(run)), DagsterRun))
    for entry in entries:
        instance.event_log_storage.store_event(deserialize_value(renamed(serialize_value(entry)), EventLogEntry))


def figures(settings: Settings) -> dict[str, float]:
    """Median seconds of each question, and the size of Dagster's database."""
    with psycopg.connect(ensure_server(settings.store).url("dagster"), autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
        size = (connection.execute("SELECT pg_database_size('dagster')").fetchone() or (0,))[0]
    with Runs(settings, stop=StopSignals(announce=lambda line: None)) as runs:
        run_seconds = median(lambda: runs.materialize(KEY))
    sensor = build_sensors()[0]
    with open_instance(settings, captures_output=False) as instance:

        def tick() -> object:
            resources = {"mirror": MirrorResource.of(settings)}
            return sensor(dg.build_sensor_context(instance=instance, resources=resources))

        tick_seconds = median(tick)
    return {
        "a run that finds everything in place": run_seconds,
        "a tick of the release sensor": tick_seconds,
        "status": median(lambda: status(settings)),
        "metrics": median(lambda: metrics(settings)),
        "database, MB": size / 1e6,
    }


def median(work: Callable[[], object]) -> float:
    def seconds() -> Iterator[float]:
        for _ in range(REPEATS):
            begun = time.perf_counter()
            work()
            yield time.perf_counter() - begun

    return statistics.median(seconds())


def show(found: list[dict[str, float]]) -> str:
    """The page of results."""
    lines = [f"# Dagster's storage {__version__}, {dt.date.today()}", "", f"Seconds, medians of {REPEATS}.", ""]
    lines += ["| | " + " | ".join(f"{f['runs']:,.0f} runs" for f in found) + " |", "|---|" + "--:|" * len(found)]
    for name in list(found[0])[1:]:
        whole = name in {"events", "database, MB"}
        cells = [f"{f[name]:,.0f}" if whole else f"{f[name]:.3f}" for f in found]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
