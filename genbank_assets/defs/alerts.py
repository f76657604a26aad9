"""Sensors that send alerts about failed runs and failed checks; without alert settings they send nothing.

A failed run is reported with its errors and failed checks, a successful run only if one of its checks failed. The
sensors cover all runs of this graph, whether launched by Dagster or by the command line. Destinations and delivery
belong to ``genbank_assets.alerts``.
See https://docs.dagster.io/guides/automate/sensors/run-status-sensors
"""

from __future__ import annotations

import dagster as dg

from genbank_assets.alerts import Alert, alert_settings_from_environment, deliver
from genbank_assets.defs.daily import daily_asset_name, daily_job_name
from genbank_assets.defs.jobs import mirror_job_name
from genbank_assets.errors import SettingsError
from genbank_assets.ncbi.catalog import COLLECTIONS
from genbank_assets.settings import settings_from_environment

NOTHING_SET = "No alerts are sent: neither GENBANK_ASSETS_ALERT_WEBHOOK_URL nor GENBANK_ASSETS_ALERT_EMAIL is set."
_JOBS = {job_name(name) for name in COLLECTIONS for job_name in (mirror_job_name, daily_job_name)}
_FIRST_PARTS = {*COLLECTIONS, *(daily_asset_name(name) for name in COLLECTIONS)}  # of the asset keys


def build_alert_sensors() -> list[dg.SensorDefinition]:
    """Return ``run_failure_alert_sensor`` and ``failed_check_alert_sensor``."""
    return [_run_failure(), _failed_check()]


def _run_failure() -> dg.SensorDefinition:
    @dg.run_failure_sensor(
        name="run_failure_alert_sensor",
        monitor_all_code_locations=True,  # runs of the command line have no code location
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends an alert when a run fails, with the error of each failed step and all failed checks.",
    )
    def run_failure_alert_sensor(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
        run = context.dagster_run
        if not is_of_this_graph(run) or run.status == dg.DagsterRunStatus.CANCELED:  # interrupted on the command line
            return None
        lines = [*_reasons(context), *failed_checks(context.instance, run.run_id)]
        if run.tags.get("dagster/will_retry") == "true":
            lines.append("Dagster will retry it.")
        return _deliver(context, Alert(f"genbank-assets: {_name(run)} failed", (*lines, _link(run.run_id))))

    return run_failure_alert_sensor


def _failed_check() -> dg.SensorDefinition:
    @dg.run_status_sensor(
        run_status=dg.DagsterRunStatus.SUCCESS,  # the other sensor reports failed runs, with their checks
        name="failed_check_alert_sensor",
        monitor_all_code_locations=True,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends an alert when checks fail in a successful run.",
    )
    def failed_check_alert_sensor(context: dg.RunStatusSensorContext) -> dg.SkipReason | None:
        run = context.dagster_run
        lines = failed_checks(context.instance, run.run_id) if is_of_this_graph(run) else []
        if not lines:
            return None
        number = f"{len(lines)} check{'s' if len(lines) > 1 else ''}"
        return _deliver(context, Alert(f"genbank-assets: {number} failed in {_name(run)}", (*lines, _link(run.run_id))))

    return failed_check_alert_sensor


def is_of_this_graph(run: dg.DagsterRun) -> bool:
    """Return whether a run is of this graph's assets; other code locations may share the instance."""
    keys = {*(run.asset_selection or ()), *(check.asset_key for check in run.asset_check_selection or ())}
    return run.job_name in _JOBS or any(key.path[0] in _FIRST_PARTS for key in keys)


def failed_checks(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Return one line for each failed check of a run."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records
    lines = []
    for record in records:
        assert record.event_log_entry.dagster_event is not None
        found = record.event_log_entry.dagster_event.asset_check_evaluation_data
        if not found.passed:
            where = f"{found.asset_key.to_user_string()}{f' of {found.partition}' if found.partition else ''}"
            lines.append(f"{found.severity.value}: check {found.check_name} of {where}: {found.description}")
    return lines


def _reasons(context: dg.RunFailureSensorContext) -> list[str]:
    """Return the errors of a run's failed steps, or Dagster's message if no step failed."""
    lines = []
    for event in context.get_step_failure_events():
        data = event.step_failure_data
        if data.user_failure_data is not None and data.user_failure_data.description:
            lines.append(f"{event.step_key}: {data.user_failure_data.description}")
        elif data.error is not None:
            lines.append(f"{event.step_key}: {(data.error.cause or data.error).message.strip().splitlines()[0]}")
    return lines or [context.failure_event.message or "The run failed, but none of its steps did."]


def _link(run_id: str) -> str:
    """Return the run's URL, or only its id if the settings are invalid, so that the alert is sent anyway."""
    try:
        return f"Dagster run {settings_from_environment().run_url(run_id) or run_id}"
    except SettingsError:
        return f"Dagster run {run_id}"


def _name(run: dg.DagsterRun) -> str:
    partition = run.tags.get("dagster/partition")
    return f"{run.job_name} of {partition}" if partition else run.job_name


def _deliver(context: dg.RunStatusSensorContext, alert: Alert) -> dg.SkipReason | None:
    """Send the alert; a failed delivery is reported in the tick and does not stop the sensor."""
    try:
        settings = alert_settings_from_environment()
    except SettingsError as error:
        return dg.SkipReason(f"No alert was sent for run {context.dagster_run.run_id}: {error}")
    if not (settings.webhook_url or settings.recipients):
        return dg.SkipReason(NOTHING_SET)
    delivery = deliver(alert, settings)
    if delivery.failed:
        sentence = f"An alert for run {context.dagster_run.run_id} was not sent. {'; '.join(delivery.failed)}"
        if delivery.sent:
            sentence += f" (it was sent by {' and '.join(delivery.sent)})"
        context.log.error(sentence)
        return dg.SkipReason(sentence)
    context.log.info(f"sent by {' and '.join(delivery.sent)}: {alert.title}")
    return None
