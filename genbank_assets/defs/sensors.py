"""Sensors: one per collection that loads a new release of NCBI once it is whole and stands still.

A release is requested when two polls in a row saw it complete and unchanged; one run per division whose files changed
since the last request, with the release in run key and tags. Both sensors are stopped until somebody turns them on.
What "complete" means belongs to ``ncbi.poll``.
See https://docs.dagster.io/guides/automate/sensors
"""

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any

import dagster as dg

from genbank_assets.defs.jobs import mirror_job_name
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.defs.upstream import release_key
from genbank_assets.errors import GenbankAssetsError, NotFoundError, SettingsError
from genbank_assets.ncbi.catalog import COLLECTIONS, Collection, parse_partition
from genbank_assets.ncbi.poll import ReleaseState, poll_release
from genbank_assets.ncbi.releases import date_of
from genbank_assets.settings import Settings, settings_from_environment


def build_sensors() -> list[dg.SensorDefinition]:
    """``genbank_release_sensor`` and ``refseq_release_sensor``."""
    return [_build(collection) for collection in COLLECTIONS.values()]


def _build(collection: Collection) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"{collection.name}_release_sensor",
        job_name=mirror_job_name(collection.name),
        minimum_interval_seconds=settings_from_environment().poll_seconds,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=(
            f"Looks for a new release of {collection.title}. When one is whole and stands still between two looks, it "
            "asks for a run per division that changed."
        ),
    )
    def release_sensor(context: dg.SensorEvaluationContext, mirror: MirrorResource) -> dg.SensorResult | dg.SkipReason:
        cursor = _read(context.cursor)
        try:
            settings = mirror.settings()
            wanted = wanted_divisions(collection, settings=settings)
            if not wanted:
                return dg.SkipReason(f"GENBANK_ASSETS_DIVISIONS names no division of {collection.title}.")
            state = poll_release(collection, settings=settings)
        except SettingsError as error:
            return dg.SkipReason(str(error))
        except GenbankAssetsError as error:
            return dg.SkipReason(f"The source cannot be read: {error}")
        if not state.complete:
            context.update_cursor(json.dumps({k: v for k, v in cursor.items() if k != "seen"}))
            return dg.SkipReason(f"Release {state.number or 'unknown'} is not whole: {state.reason}")
        changed = [division for division in _changed(state, cursor) if division in wanted]
        if not changed:
            return dg.SkipReason(f"Release {state.number} is requested already and has not changed.")
        if cursor.get("seen") != _seen(state):
            waiting = json.dumps(cursor | {"seen": _seen(state)})
            sentence = f"Release {state.number} looks whole; waiting for a second look that sees the same."
            return dg.SensorResult(skip_reason=sentence, cursor=waiting)
        return dg.SensorResult(
            run_requests=list(_requests(collection, state, changed)),
            asset_events=[_observed(collection, state)],
            cursor=json.dumps({"seen": _seen(state), "requested": state.number, "divisions": _asked(state, wanted)}),
        )

    return release_sensor


def _read(cursor: str | None) -> dict[str, Any]:
    """What the tick before left; a cursor that somebody wrote by hand counts as none, and run keys hold back runs."""
    with contextlib.suppress(ValueError):
        found = json.loads(cursor or "{}")
        if isinstance(found, dict):
            return found
    return {}


def wanted_divisions(collection: Collection, *, settings: Settings) -> frozenset[str]:
    """The divisions of a collection that the settings name; all where they name none at all.

    Raises:
        SettingsError: the setting names something that is no division.
    """
    names = [name for name in re.split(r"[\s,]+", settings.divisions) if name]
    try:
        keys = [parse_partition(name) for name in names]
    except NotFoundError as error:
        raise SettingsError(f"GENBANK_ASSETS_DIVISIONS: {error}") from error
    if not names:
        return frozenset(collection.divisions)
    return frozenset(key.division for key in keys if key.collection == collection.name)


def _asked(state: ReleaseState, wanted: frozenset[str]) -> dict[str, str]:
    """Fingerprints of what was asked for: a division that is wanted later on is asked for then."""
    return {division: mark for division, mark in state.fingerprints.items() if division in wanted}


def _seen(state: ReleaseState) -> dict[str, Any]:
    return {"number": state.number, "divisions": state.fingerprints}


def _changed(state: ReleaseState, cursor: dict[str, Any]) -> list[str]:
    """Divisions whose files are not those of the last request; one that lost all its files counts too."""
    before = cursor.get("divisions", {})
    newer = cursor.get("requested") != state.number
    return [
        division
        for division, fingerprint in state.fingerprints.items()
        if fingerprint != before.get(division, "") or (newer and fingerprint)
    ]


def _requests(collection: Collection, state: ReleaseState, divisions: list[str]) -> Iterator[dg.RunRequest]:
    for division in divisions:
        fingerprint = state.fingerprints[division] or "empty"
        yield dg.RunRequest(
            run_key=f"{collection.name}-{state.number}-{division}-{fingerprint}",
            partition_key=division,
            tags={
                "ncbi/collection": collection.name,
                "ncbi/release": state.number,
                "ncbi/division": f"{collection.name}-{division}",
            },
        )


def _observed(collection: Collection, state: ReleaseState) -> dg.AssetMaterialization:
    metadata: dict[str, Any] = {"release": state.number, "files": state.files}
    date = date_of(state.date)
    metadata |= {"release_date": date.isoformat()} if date else {}
    metadata |= {"bytes": state.bytes} if state.bytes is not None else {}
    return dg.AssetMaterialization(
        asset_key=release_key(collection),
        metadata=metadata,
        tags={"dagster/data_version": state.number},
    )
