"""Release sensors, one per collection, which request a new NCBI release once it is complete and stable.

A sensor ticks often but polls the source only every ``poll_seconds``. When two consecutive polls return the same
complete release, it requests one run per division that is not up to date. Both sensors are off by default. Polling
belongs to ``ncbi.poll``, deciding which divisions to request to ``requests``.
See https://docs.dagster.io/guides/automate/sensors
"""

import contextlib
import datetime as dt
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import dagster as dg

from genbank_assets.defs.jobs import mirror_job_name
from genbank_assets.defs.requests import Decision, decide
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.defs.upstream import observed_release
from genbank_assets.errors import GenbankAssetsError, NotFoundError, SettingsError
from genbank_assets.ncbi.catalog import COLLECTIONS, Collection, parse_partition
from genbank_assets.ncbi.poll import ReleaseState, poll_release
from genbank_assets.ncbi.unknown import note_unknown, unknown_sentence
from genbank_assets.settings import Settings

TICK_SECONDS = 30


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


clock: Callable[[], dt.datetime] = _utc_now


def build_sensors(collections: Iterable[Collection] = COLLECTIONS.values()) -> list[dg.SensorDefinition]:
    """Return ``genbank_release_sensor`` and ``refseq_release_sensor``."""
    return [_build(collection) for collection in collections]


def _build(collection: Collection) -> dg.SensorDefinition:
    @dg.sensor(
        name=f"{collection.name}_release_sensor",
        job_name=mirror_job_name(collection.name),
        minimum_interval_seconds=TICK_SECONDS,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=(
            f"Polls NCBI for a new release of {collection.title} once an hour (GENBANK_ASSETS_POLL_SECONDS). When a "
            "release is complete and unchanged between two polls, it requests a run for each division that is not up "
            "to date. Failed runs are requested again, up to five times in total, with increasing pauses."
        ),
    )
    def release_sensor(context: dg.SensorEvaluationContext, mirror: MirrorResource) -> dg.SensorResult | dg.SkipReason:
        try:
            settings = mirror.settings()
            wanted = wanted_divisions(collection, settings=settings)
        except SettingsError as error:
            return dg.SkipReason(str(error))
        if not wanted:
            return dg.SkipReason(f"GENBANK_ASSETS_DIVISIONS contains no division of {collection.title}.")
        cursor, now = _read(context.cursor), clock()
        due = dt.datetime.fromtimestamp(float(cursor.get("looked", 0)), dt.UTC) + dt.timedelta(
            seconds=settings.poll_seconds
        )
        if now < due:
            return dg.SkipReason(
                f"The next poll for {collection.title} is due at {due:%Y-%m-%d %H:%M:%S} UTC "
                f"(GENBANK_ASSETS_POLL_SECONDS is {settings.poll_seconds})."
            )
        poll = _Poll(context, collection, settings=settings, cursor=cursor | {"looked": int(now.timestamp())}, now=now)
        return poll.result(wanted)

    return release_sensor


class _Poll:
    """One poll of the source, and the resulting requests."""

    def __init__(
        self,
        context: dg.SensorEvaluationContext,
        collection: Collection,
        *,
        settings: Settings,
        cursor: dict[str, Any],
        now: dt.datetime,
    ) -> None:
        self._context = context
        self._collection = collection
        self._settings = settings
        self._cursor = cursor
        self._now = now
        self._events: list[Any] = []
        self._warning = ""

    def result(self, wanted: frozenset[str]) -> dg.SensorResult:
        """Return the run requests, or a skip reason if there are none."""
        try:
            state = poll_release(self._collection, settings=self._settings)
        except (GenbankAssetsError, OSError) as error:
            return self._skip(f"The source cannot be read: {error}")
        if not state.complete:
            self._cursor.pop("seen", None)
            return self._skip(f"Release {state.number or 'unknown'} is not complete: {state.reason}")
        self._note(state)
        decisions = [
            decide(
                division, state, collection=self._collection, settings=self._settings,
                instance=self._context.instance, now=self._now,
            )
            for division in state.fingerprints
            if division in wanted
        ]  # fmt: skip
        requests = [decision.request for decision in decisions if decision.request is not None]
        is_stable = self._cursor.get("seen") == state.fingerprint
        self._cursor["seen"] = state.fingerprint
        if not requests:
            return self._skip(f"Release {state.number}: {_by_reason(decisions)}.")
        if not is_stable:
            return self._skip(
                f"Release {state.number} appears complete; waiting for a second poll to confirm, before requesting "
                f"{len(requests)} of its divisions."
            )
        return dg.SensorResult(run_requests=requests, asset_events=self._events, cursor=json.dumps(self._cursor))

    def _note(self, state: ReleaseState) -> None:
        """Report the release if it differs from the last one reported."""
        self._warning = unknown_sentence(state.unknown, collection=self._collection)
        with contextlib.suppress(OSError):  # the tick reports it anyway
            note_unknown(self._settings.store, state.unknown, collection=self._collection)
        if self._cursor.get("reported") != state.fingerprint:
            self._events.append(observed_release(state, collection=self._collection))
            self._cursor["reported"] = state.fingerprint

    def _skip(self, sentence: str) -> dg.SensorResult:
        if self._warning:
            self._context.log.warning(self._warning)
            sentence = f"{sentence} Warning: {self._warning}"
        return dg.SensorResult(skip_reason=sentence, asset_events=self._events, cursor=json.dumps(self._cursor))


def _by_reason(decisions: Sequence[Decision]) -> str:
    """Return the divisions that are not requested, grouped by reason."""
    reasons: dict[str, list[str]] = {}
    for decision in decisions:
        reasons.setdefault(decision.reason, []).append(decision.division)
    return "; ".join(
        f"{', '.join(divisions) if len(divisions) < 4 else f'{len(divisions)} divisions'}: {reason}"
        for reason, divisions in reasons.items()
    )


def _read(cursor: str | None) -> dict[str, Any]:
    """Return the cursor of the previous tick; an invalid one counts as empty."""
    with contextlib.suppress(ValueError, TypeError):
        found = json.loads(cursor or "{}")
        if isinstance(found, dict) and float(found.get("looked", 0)) >= 0:
            return {name: found[name] for name in ("looked", "seen", "reported") if name in found}
    return {}


def wanted_divisions(collection: Collection, *, settings: Settings) -> frozenset[str]:
    """Return the divisions of a collection in the setting ``divisions``; all if it is empty.

    Raises:
        SettingsError: the setting contains an unknown division.
    """
    names = [name for name in re.split(r"[\s,]+", settings.divisions) if name]
    try:
        keys = [parse_partition(name) for name in names]
    except NotFoundError as error:
        raise SettingsError(f"GENBANK_ASSETS_DIVISIONS: {error}") from error
    if not names:
        return frozenset(collection.divisions)
    return frozenset(key.division for key in keys if key.collection == collection.name)
