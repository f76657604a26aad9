"""Which divisions a release sensor asks for: what the source shows, beside what the store has and what became of runs.

Nothing is remembered here: the store's manifests say what is loaded, Dagster's runs what was asked for. So a cursor
that is reset, a store that is wiped or a release that comes back asks for what is missing, and for nothing else.
Looking at the source belongs to ``sensors``.
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

STATE_TAG = "ncbi/state"  # the digest of the division's files as the sensor saw them
MAX_REQUESTS = 5  # of one state of a division that does not come to be loaded
MAX_WAIT_SECONDS = 24 * 3600.0
_RUNS_LOOKED_AT = 50
# Dagster starts a run again by itself soon after it failed, or not at all.
_RETRY_IS_DUE = dt.timedelta(minutes=10)


@dataclasses.dataclass(frozen=True)
class Decision:
    """What is to be done about one division.

    Attributes:
        division: the division.
        request: what is asked of Dagster; None for nothing.
        reason: why not, in a phrase that follows the division's name; "" where something is asked for.
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
    """Return whether a division is to be loaded now.

    Args:
        division: the division.
        state: a whole release as the source shows it.
        collection: the division's.
        settings: the store, and ``poll_seconds``: the first wait after a failure, doubled with each further one.
        instance: Dagster's, with the runs.
        now: in UTC.
    """
    here = current_release(settings.store, key=PartitionKey(collection.name, division), stage="raw_files")
    mark = state.fingerprints.get(division, "")
    if here is None and not mark:
        return Decision(division, reason="has no files")
    if here is not None and release_sort_key(here.release) > release_sort_key(state.number):
        return Decision(division, reason=f"is at {here.release} already")
    runs = _requested(instance, division=division, collection=collection)
    last = runs[0] if runs else None
    if last is not None and _is_under_way(last, now=now):
        return Decision(division, reason="is under way")
    try:
        if here is not None and same_number(here.release, state.number) and _is_in_place(here, state, mark, last):
            return Decision(division, reason="is in place")
    except IntegrityError as error:
        return Decision(division, reason=f"has a manifest that is damaged ({error}): remove it, or its stage's folder")
    vain = [run for run in _same_request(runs, state, mark) if run.dagster_run.parent_run_id is None]
    if len(vain) >= MAX_REQUESTS:
        return Decision(
            division,
            reason=f"was requested {len(vain)} times without success: look at its runs, then start one by hand",
        )
    if vain and last is not None:
        wait = min(settings.poll_seconds * 2.0 ** (len(vain) - 1), MAX_WAIT_SECONDS)
        next_try = _ended(last, now=now) + dt.timedelta(seconds=wait)
        if next_try > now:
            return Decision(
                division,
                reason=f"was requested {len(vain)} times without success: next attempt after {next_try:%Y-%m-%d %H:%M} "
                "UTC",
            )
    after = f"after-{last.dagster_run.run_id[:8]}" if last is not None else "first"
    return Decision(
        division,
        dg.RunRequest(
            run_key=f"{collection.name}-{state.number}-{division}-{mark or 'empty'}-{after}",
            partition_key=division,
            tags={RELEASE_TAG: state.number, STATE_TAG: mark or "empty"},
        ),
    )


def _is_in_place(here: PartitionRelease, state: ReleaseState, mark: str, last: dg.RunRecord | None) -> bool:
    """Return whether the release in the store is loaded throughout and made of the files that the source shows.

    A listing that rounds cannot tell every state from another. So where the last run that was asked for brought another
    state of this release, and no run after it fetched the files, what the listing leaves open is taken for a change.
    That this run brought the state which the source shows says nothing once somebody else has fetched another since.
    """
    raw = here.manifest("raw_files")
    if raw is None or not is_whole(here):
        return False
    if last is not None and same_number(last.dagster_run.tags.get(RELEASE_TAG, "0"), state.number):
        if last.dagster_run.tags[STATE_TAG] == (mark or "empty"):
            brought = last.dagster_run.status == dg.DagsterRunStatus.SUCCESS and not _is_after(raw, last)
            return brought or _shows(raw, state, here.key.division)
        if raw.run_id == last.dagster_run.run_id:
            return False
    return _shows(raw, state, here.key.division)


def _is_after(raw: Manifest, last: dg.RunRecord) -> bool:
    """Return whether files were published after that run had ended."""
    if not raw.published_at or not last.end_time:
        return False
    return dt.datetime.fromisoformat(raw.published_at).timestamp() > last.end_time


def _shows(raw: Manifest, state: ReleaseState, division: str) -> bool:
    return is_fetched(raw, state.listed.get(division, []), checksums=state.checksums)


def _requested(instance: dg.DagsterInstance, *, division: str, collection: Collection) -> list[dg.RunRecord]:
    """Return the runs of a division that a release sensor asked for, newest first."""
    records = instance.get_run_records(
        dg.RunsFilter(job_name=mirror_job_name(collection.name), tags={"dagster/partition": division}),
        limit=_RUNS_LOOKED_AT,
    )
    return [record for record in records if STATE_TAG in record.dagster_run.tags]


def _same_request(runs: list[dg.RunRecord], state: ReleaseState, mark: str) -> list[dg.RunRecord]:
    """Return the newest runs in a row that were asked to bring just this state."""
    found = []
    for record in runs:
        tags = record.dagster_run.tags
        if (tags.get(RELEASE_TAG), tags[STATE_TAG]) != (state.number, mark or "empty"):
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
