"""The UI as a person uses it: Chromium opens the graph, materializes a partition, sees checks and figures, traces."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from genbank_assets.postgres_server.server import stop_server
from genbank_assets_tests.paths import SAMPLE

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
LONG_MS = 120_000

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: scripts/install-test-packages installs it"),
]


@pytest.fixture(scope="module")
def store_of_ui(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store behind the UI."""
    return tmp_path_factory.mktemp("ui")


@pytest.fixture(scope="module")
def ui(store_of_ui: Path) -> Iterator[str]:
    """`genbank-assets dev` over the sample, on a port of its own."""
    store = store_of_ui
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GENBANK_ASSETS_", "DAGSTER_"))}
    environment |= {"GENBANK_ASSETS_SOURCE": SAMPLE.as_uri(), "GENBANK_ASSETS_STORE": str(store)}
    command = [str(Path(sys.executable).parent / "genbank-assets"), "dev", "--port", str(port)]
    log = (store / "dev.log").open("wb")
    process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                urllib.request.urlopen(f"{address}/server_info", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, (store / "dev.log").read_text()[-2000:]
                assert time.monotonic() < deadline, (store / "dev.log").read_text()[-2000:]
                time.sleep(0.5)
        yield address
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
        log.close()
        stop_server(store, force=True)


@pytest.fixture
def page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        opened = browser.new_page(viewport={"width": 1500, "height": 900})
        opened.set_default_timeout(LONG_MS)
        yield opened
        browser.close()


def test_a_partition_is_materialized_and_a_record_traced(ui: str, page: Page) -> None:
    page.goto(f"{ui}/locations/genbank/jobs/mirror_genbank")
    for stage in ("raw_files", "records"):  # the graph draws what fits its window
        expect(page.get_by_text(stage, exact=True).first).to_be_visible(timeout=LONG_MS)
    page.get_by_role("button", name="Materialize all").first.click()
    page.get_by_text("Select a partition or create one").click()
    page.keyboard.type("phg")
    page.get_by_text("Select all (1)").click()
    page.keyboard.press("Escape")
    # The page may only be left when the request has been answered.
    with page.expect_response(lambda answer: '"operationName":"Launch' in (answer.request.post_data or "")):
        page.get_by_role("button", name="Launch").last.click()

    page.goto(f"{ui}/runs")
    expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=LONG_MS)

    page.goto(f"{ui}/assets/genbank/records?view=partitions&partition=phg")
    expect(page.get_by_text("records_per_second", exact=True).first).to_be_visible(timeout=LONG_MS)
    expect(page.get_by_text("peak_memory_bytes", exact=True).first).to_be_visible()
    expect(page.get_by_text("Independent counts of records and residues per file:").first).to_be_visible()
    expect(page.get_by_text("gbphg1.seq.gz", exact=True).first).to_be_visible()  # in a table, not as its source
    expect(page.get_by_text("| file |")).to_have_count(0)

    page.goto(f"{ui}/assets/genbank/records?view=checks")
    for check in ("control_totals", "memory", "quarantine_share", "records_per_second"):
        page.get_by_text(check, exact=True).first.click()
        expect(page.get_by_text("Passed", exact=True).first).to_be_visible(timeout=LONG_MS)
    expect(page.get_by_text("No record was lost in parsing.")).to_have_count(0)
    page.get_by_text("control_totals", exact=True).first.click()
    expect(page.get_by_text("No record was lost in parsing.").first).to_be_visible(timeout=LONG_MS)

    page.goto(f"{ui}/assets/genbank/postgres_table")
    page.get_by_role("button", name="Plots").first.click()
    expect(page.locator("canvas").first).to_be_visible(timeout=LONG_MS)

    page.goto(f"{ui}/locations/genbank/jobs/trace_record/playground")
    page.locator(".CodeMirror").first.wait_for()
    config = "ops: {trace_one_record: {config: {accession: J02482}}}"
    page.evaluate("text => document.querySelector('.CodeMirror').CodeMirror.setValue(text)", config)
    page.get_by_role("button", name="Launch Run").click()
    page.wait_for_url("**/runs/**", timeout=LONG_MS)
    expect(page.get_by_text("genbank/phg, release 1.0: all stages are intact").first).to_be_visible(timeout=LONG_MS)
    page.get_by_text("[Show Markdown]").first.click()
    answer = page.get_by_role("dialog").or_(page.locator("[class*=Dialog]")).first
    for hop in ("raw file", "record text", "table row", "sequence", "database row", "object"):
        expect(answer.locator("strong", has_text=hop).first).to_be_visible()
    expect(answer.get_by_text("begins at", exact=True).first).to_be_visible()  # a cell of its own
    answer.locator("a[href*='/runs/']").first.click()  # the run that fetched the file
    expect(page.get_by_text("mirror_genbank").first).to_be_visible(timeout=LONG_MS)


def test_a_run_of_the_command_is_where_people_look(ui: str, page: Page, store_of_ui: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("GENBANK_ASSETS_", "DAGSTER_"))}
    environment |= {"GENBANK_ASSETS_SOURCE": SAMPLE.as_uri(), "GENBANK_ASSETS_STORE": str(store_of_ui)}
    command = [str(Path(sys.executable).parent / "genbank-assets"), "materialize", "genbank/sts"]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    query = (
        "{ runsOrError(limit: 1) { ... on Runs { results { runId repositoryOrigin { repositoryLocationName } } } } }"
    )
    request = urllib.request.Request(
        f"{ui}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        (run,) = json.load(answer)["data"]["runsOrError"]["results"]
    assert run["repositoryOrigin"] == {"repositoryLocationName": "genbank"}
    page.goto(f"{ui}/locations/genbank/jobs/mirror_genbank/runs")
    expect(page.get_by_text(run["runId"][:8]).first).to_be_visible(timeout=LONG_MS)
    page.goto(f"{ui}/overview/activity/timeline")
    expect(page.get_by_text("mirror_genbank").first).to_be_visible(timeout=LONG_MS)
