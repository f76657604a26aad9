"""The alert sensors over real runs of the graph: what they tell, when they are quiet, and that nothing stops them."""

from __future__ import annotations

import logging

import dagster as dg
import pytest

from genbank_assets.definitions import build_defs
from genbank_assets.defs.alerts import NOTHING_SET, build_alert_sensors
from genbank_assets.defs.resources import MirrorResource
from genbank_assets_tests.defs.test_runs import QUIET
from genbank_assets_tests.fix_alerts import SECRET_PATH, StartMail, Webhook
from genbank_assets_tests.fix_postgres import Divisions
from genbank_assets_tests.integration.test_postgres_changes import many
from genbank_assets_tests.paths import SAMPLE
from genbank_assets_tests.processes import free_port

FILE = "gbbct1.seq.gz"


class Graph:
    """A store with one division on an instance of its own, and the alert sensors with their cursors."""

    def __init__(self, divisions: Divisions, instance: dg.DagsterInstance) -> None:
        self.divisions = divisions
        self.instance = instance
        self.sensors = {sensor.name: sensor for sensor in build_alert_sensors()}
        self.cursors: dict[str, str | None] = {}
        for name in self.sensors:
            self.tick(name)

    def tick(self, name: str) -> str | None:
        """Let a sensor look once, as the daemon does; returns why it skipped."""
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursors.get(name))
        data = self.sensors[name].evaluate_tick(context)
        self.cursors[name] = data.cursor
        assert not any(reaction.error for reaction in data.dagster_run_reactions)
        return data.skip_message

    def run(self, *assets: str) -> dg.ExecuteInProcessResult:
        mirror = MirrorResource(store=str(self.divisions.settings.store), workers=1)
        job = build_defs(resources={"mirror": mirror}).resolve_job_def("mirror_genbank")
        return job.execute_in_process(
            partition_key="bct", instance=self.instance, raise_on_error=False, run_config=QUIET,
            asset_selection=[dg.AssetKey(["genbank", asset]) for asset in assets],
        )  # fmt: skip


@pytest.fixture
def graph(divisions: Divisions, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GENBANK_ASSETS_POSTGRES_URL", divisions.settings.postgres_url or "")
    with dg.DagsterInstance.ephemeral() as instance:
        yield Graph(divisions, instance)


def shrinking(graph: Graph) -> None:
    """The next load meets the shrink guard."""
    graph.divisions.load(graph.divisions.make("genbank/bct", "1.0", {FILE: many(40)}))
    graph.divisions.make("genbank/bct", "2.0", {FILE: many(10)})


def unreadable(graph: Graph) -> None:
    """The next parse quarantines a block: a check warns, the run goes through."""
    graph.divisions.make("genbank/bct", "1.0", {FILE: [*many(3), "LOCUS       broken\n//\n"]})


def test_a_failed_run_sends_one_alert_with_its_reason(
    graph: Graph, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENBANK_ASSETS_ALERT_WEBHOOK_URL", webhook.url)
    shrinking(graph)
    run = graph.run("postgres_table")
    assert not run.success
    for _ in range(2):
        graph.tick("run_failure_alert_sensor")
        graph.tick("failed_check_alert_sensor")
    (text,) = webhook.texts
    assert text.startswith("*genbank-assets: mirror_genbank of bct failed*\n")
    assert "genbank__postgres_table: ShrinkGuardError: genbank/bct 2.0 lacks 30 of 40 loaded records" in text
    assert text.endswith(f"Dagster run http://127.0.0.1:3000/runs/{run.run_id}")


def test_a_failed_daily_update_sends_an_alert(graph: Graph, webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENBANK_ASSETS_ALERT_WEBHOOK_URL", webhook.url)
    mirror = MirrorResource(store=str(graph.divisions.settings.store), source=SAMPLE.as_uri(), workers=1)
    job = build_defs(resources={"mirror": mirror}).resolve_job_def("update_genbank")  # the sample has no daily files
    run = job.execute_in_process(
        partition_key="2026-09-02", instance=graph.instance, raise_on_error=False, run_config=QUIET
    )
    assert not run.success
    graph.tick("run_failure_alert_sensor")
    (text,) = webhook.texts
    assert text.startswith("*genbank-assets: update_genbank of 2026-09-02 failed*\n")


def test_a_failed_check_of_a_successful_run_sends_an_alert(
    graph: Graph, webhook: Webhook, mail_server: StartMail, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = mail_server()
    for name, value in (
        ("WEBHOOK_URL", webhook.url), ("EMAIL", "ops@example.org"), ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", str(mailbox.port)), ("SMTP_FROM", "mirror@example.org"),
    ):  # fmt: skip
        monkeypatch.setenv(f"GENBANK_ASSETS_ALERT_{name}", value)
    unreadable(graph)
    assert graph.run("records").success
    graph.tick("run_failure_alert_sensor")
    assert webhook.texts == []
    graph.tick("failed_check_alert_sensor")
    (text,) = webhook.texts
    assert text.startswith("*genbank-assets: 1 check failed in mirror_genbank of bct*\n")
    assert "WARN: check quarantine_share of genbank/records of bct: 1 of 4 blocks are quarantined" in text
    (message,) = mailbox.messages
    assert message["To"] == "ops@example.org"
    assert "quarantine_share" in message.get_content()


def test_a_run_stopped_by_a_check_sends_one_alert_with_the_check(
    graph: Graph, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENBANK_ASSETS_ALERT_WEBHOOK_URL", webhook.url)
    graph.divisions.load(graph.divisions.make("genbank/phg", "1.0", {"gbphg1.seq.gz": many(1, prefix="CD")}))
    graph.divisions.make("genbank/bct", "1.0", {FILE: many(3)})
    # Something else writes to the schema once a load has finished: the load counts right, the check does not.
    graph.divisions.query(
        "CREATE FUNCTION public.meddle() RETURNS trigger LANGUAGE plpgsql AS "
        "'BEGIN UPDATE genbank.record SET is_current = false WHERE accession = ''AB000001''; RETURN NULL; END'"
    )
    graph.divisions.query(
        "CREATE TRIGGER meddle AFTER INSERT ON genbank.division_release "
        "FOR EACH STATEMENT EXECUTE FUNCTION public.meddle()"
    )
    assert not graph.run("postgres_table").success
    graph.tick("run_failure_alert_sensor")
    graph.tick("failed_check_alert_sensor")
    (text,) = webhook.texts
    assert "ERROR: check database_totals of genbank/postgres_table of bct: 3 accessions in the tables, 2 in" in text


def test_a_successful_run_sends_no_alert(graph: Graph, webhook: Webhook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENBANK_ASSETS_ALERT_WEBHOOK_URL", webhook.url)
    graph.divisions.make("genbank/bct", "1.0", {FILE: many(3)})
    assert graph.run("records").success
    graph.tick("run_failure_alert_sensor")
    graph.tick("failed_check_alert_sensor")
    assert webhook.requests == 0


def test_nothing_set_skips_with_a_sentence(graph: Graph) -> None:
    unreadable(graph)
    graph.run("records")
    assert graph.tick("failed_check_alert_sensor") == NOTHING_SET


def test_a_webhook_that_is_down_stops_nothing_and_leaks_nothing(
    graph: Graph, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GENBANK_ASSETS_ALERT_WEBHOOK_URL", f"http://127.0.0.1:{free_port()}{SECRET_PATH}")
    monkeypatch.setattr("genbank_assets.alerts.time.sleep", lambda seconds: None)
    shrinking(graph)
    graph.run("postgres_table")
    with caplog.at_level(logging.DEBUG):
        said = graph.tick("run_failure_alert_sensor")
    assert "was not sent. webhook: it cannot be reached (ConnectionRefusedError)" in (said or "")
    assert "SECRET" not in f"{said}{caplog.text}{''.join(capfd.readouterr())}"
    assert graph.tick("run_failure_alert_sensor") != said, "the run is behind the cursor"
    graph.run("postgres_table")
    assert "was not sent" in (graph.tick("run_failure_alert_sensor") or ""), "and the sensor goes on"


def test_a_wrong_port_is_reported_in_the_tick(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GENBANK_ASSETS_ALERT_EMAIL", "ops@example.org")
    monkeypatch.setenv("GENBANK_ASSETS_ALERT_SMTP_PORT", "many")
    unreadable(graph)
    graph.run("records")
    assert "SMTP_PORT is not a port: 'many'" in (graph.tick("failed_check_alert_sensor") or "")


def test_runs_of_other_code_locations_send_no_alert(
    graph: Graph, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GENBANK_ASSETS_ALERT_WEBHOOK_URL", webhook.url)

    @dg.asset
    def theirs() -> None:
        raise RuntimeError

    job = dg.Definitions(assets=[theirs], jobs=[dg.define_asset_job("their_job")]).resolve_job_def("their_job")
    job.execute_in_process(instance=graph.instance, raise_on_error=False, run_config=QUIET)
    graph.tick("run_failure_alert_sensor")
    assert webhook.requests == 0
