"""Decides which divisions a release sensor requests, from the source, the store and earlier runs.

No state is kept here: the store's manifests say what is loaded, and Dagster's runs what was requested. After a cursor
reset, a deleted store or a reissued release, exactly the missing divisions are requested. Polling the source belongs to
``sensors``.
"""

from __future__ import annotations

import dataclasses
import datetime as dt

import dagster as dg

from genbank_assets.defs.jobs import mirror_job_name
from genbank_assets.defs.upstream import RELEASE_TAG
from genbank_assets.errors import IntegrityError
from genbank_assets.lineage.status import is_whole
from genbank_assets.ncbi.catalog import Collection
from genbank_assets.ncbi.poll import ReleaseState, is_fetched
from genbank_assets.release_facts import release_sort_key, same_number
from genbank_assets.settings import Settings
from genbank_assets.store import Manifest, PartitionKey, PartitionRelease, current_release

STATE_TAG = "ncbi/state"  # digest of the division's file list as polled
MAX_REQUESTS = 5  # for one state of a division, as long as none succeeds
MAX_WAIT_SECONDS = 24 * 3600.0
_MAX_RUNS = 50
# Dagster retries a failed run within this time or not at all.
_RETRY_IS_DUE = dt.timedelta(minutes=10)


@dataclasses.dataclass(frozen=True)
class Decision:
    """The decision for one division.

    Attributes:
        division: the division.
        request: the run request; None if nothing is requested.
        reason: why nothing is requested, as a predicate of the division; "" if something is.
    """

    division: str
    request: dg.RunRequest | None = None
    reason: str = ""


def decide(
    division: str,
    state: ReleaseState,
    *,
    collection: Collection,
    settings: Settings,
    instance: dg.DagsterInstance,
    now: dt.datetime,
) -> Decision:
    """Decide whether to request a run for a division.

    Args:
        division: the division.
        state: a complete release as polled from the source.
        collection: the collection of the division.
        settings: the store, and ``poll_seconds``, the pause after a failure, which doubles with each further one.
        instance: the Dagster instance with earlier runs.
        now: current time in UTC.
    """
    stored = current_release(settings.store, key=PartitionKey(collection.name, division), stage="raw_files")
    fingerprint = state.fingerprints.get(division, "")
    if stored is None and not fingerprint:
        return Decision(division, reason="has no files")
    if stored is not None and release_sort_key(stored.release) > release_sort_key(state.number):
        return Decision(division, reason=f"is already at {stored.release}")
    runs = _requested(instance, division=division, collection=collection)
    last = runs[0] if runs else None
    if last is not None and _is_under_way(last, now=now):
        return Decision(division, reason="is being loaded")
    try:
        if (
            stored is not None
            and same_number(stored.release, state.number)
            and _is_up_to_date(stored, state, fingerprint, last)
        ):
            return Decision(division, reason="is up to date")
    except IntegrityError as error:
        return Decision(division, reason=f"has a damaged manifest ({error}): remove it, or its stage's folder")
    unsuccessful = [run for run in _same_request(runs, state, fingerprint) if run.dagster_run.parent_run_id is None]
    failed = f"was requested {len(unsuccessful)} times without success"
    if len(unsuccessful) >= MAX_REQUESTS:
        return Decision(division, reason=f"{failed}: inspect its runs, then start one manually")
    if unsuccessful and last is not None:
        wait = min(settings.poll_seconds * 2.0 ** (len(unsuccessful) - 1), MAX_WAIT_SECONDS)
        next_try = _ended(last, now=now) + dt.timedelta(seconds=wait)
        if next_try > now:
            return Decision(division, reason=f"{failed}: next attempt after {next_try:%Y-%m-%d %H:%M} UTC")
    after = f"after-{last.dagster_run.run_id[:8]}" if last is not None else "first"
    return Decision(
        division,
        dg.RunRequest(
            run_key=f"{collection.name}-{state.number}-{division}-{fingerprint or 'empty'}-{after}",
            partition_key=division,
            tags={RELEASE_TAG: state.number, STATE_TAG: fingerprint or "empty"},
        ),
    )


def _is_up_to_date(stored: PartitionRelease, state: ReleaseState, fingerprint: str, last: dg.RunRecord | None) -> bool:
    """Return whether the release in the store is completely loaded from the files that the source offers.

    A listing with rounded sizes cannot distinguish all states. If the last requested run fetched a different state of
    this release, and no later run fetched the files, an ambiguous listing therefore counts as a change. If it fetched
    the offered state, that only counts as long as no later run has fetched the files again.
    """
    raw = stored.manifest("raw_files")
    if raw is None or not is_whole(stored):
        return False
    if last is not None and same_number(last.dagster_run.tags.get(RELEASE_TAG, "0"), state.number):
        if last.dagster_run.tags[STATE_TAG] == (fingerprint or "empty"):
            succeeded = last.dagster_run.status == dg.DagsterRunStatus.SUCCESS and not _is_after(raw, last)
            return succeeded or _shows(raw, state, stored.key.division)
        if raw.run_id == last.dagster_run.run_id:
            return False
    return _shows(raw, state, stored.key.division)


def _is_after(raw: Manifest, last: dg.RunRecord) -> bool:
    """Return whether the files were published after the run ended."""
    if not raw.published_at or not last.end_time:
        return False
    return dt.datetime.fromisoformat(raw.published_at).timestamp() > last.end_time


def _shows(raw: Manifest, state: ReleaseState, division: str) -> bool:
    return is_fetched(raw, state.listed.get(division, []), checksums=state.checksums)


def _requested(instance: dg.DagsterInstance, *, division: str, collection: Collection) -> list[dg.RunRecord]:
    """Return the runs of a division that a release sensor requested, newest first."""
    records = instance.get_run_records(
        dg.RunsFilter(job_name=mirror_job_name(collection.name), tags={"dagster/partition": division}),
        limit=_MAX_RUNS,
    )
    return [record for record in records if STATE_TAG in record.dagster_run.tags]


def _same_request(runs: list[dg.RunRecord], state: ReleaseState, fingerprint: str) -> list[dg.RunRecord]:
    """Return the most recent consecutive runs requested for this state."""
    found = []
    for record in runs:
        tags = record.dagster_run.tags
        if (tags.get(RELEASE_TAG), tags[STATE_TAG]) != (state.number, fingerprint or "empty"):
            break
        found.append(record)
    return found


def _is_under_way(record: dg.RunRecord, *, now: dt.datetime) -> bool:
    run = record.dagster_run
    if not run.is_finished:
        return True
    will_retry = run.tags.get("dagster/will_retry") == "true" and "dagster/auto_retry_run_id" not in run.tags
    return run.is_failure and will_retry and now - _ended(record, now=now) < _RETRY_IS_DUE


def _ended(record: dg.RunRecord, *, now: dt.datetime) -> dt.datetime:
    return dt.datetime.fromtimestamp(record.end_time, dt.UTC) if record.end_time else now
