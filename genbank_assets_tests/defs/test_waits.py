"""A run of a command that waits for a place in a pool says so within seconds, and who has it."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path

import dagster as dg

from genbank_assets.defs.waits import report_pool_waits

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dg.asset(pool="ncbi", key_prefix="genbank")
def raw_files() -> None:
    """Stands for a stage that fetches."""


def test_waiting_for_a_pool_is_reported(tmp_path: Path) -> None:
    job = dg.Definitions(assets=[raw_files], jobs=[dg.define_asset_job("fetch")]).resolve_job_def("fetch")
    run_id, lines, told = str(uuid.uuid4()), [], threading.Event()

    def progress(line: str) -> None:
        lines.append(line)
        told.set()

    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        storage = instance.event_log_storage
        storage.set_concurrency_slots("ncbi", 1)
        storage.claim_concurrency_slot("ncbi", "another-run", "genbank__raw_files")
        report_pool_waits(instance, run_id=run_id, progress=progress)

        def free_the_place() -> None:
            told.wait(20)
            storage.free_concurrency_slots_for_run("another-run")

        freeing = threading.Thread(target=free_the_place)
        freeing.start()
        assert job.execute_in_process(instance=instance, run_id=run_id, run_config=QUIET).success
        freeing.join()
    assert lines[0] == (
        "genbank/raw_files: waiting for a slot in the pool ncbi of 1; in use by run another-run; change the limit in "
        "the UI under Deployment, Concurrency"
    )


def test_who_does_not_wait_says_nothing(tmp_path: Path) -> None:
    job = dg.Definitions(assets=[raw_files], jobs=[dg.define_asset_job("fetch")]).resolve_job_def("fetch")
    run_id, lines = str(uuid.uuid4()), []
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.event_log_storage.set_concurrency_slots("ncbi", 1)
        report_pool_waits(instance, run_id=run_id, progress=lines.append)
        assert job.execute_in_process(instance=instance, run_id=run_id, run_config=QUIET).success
    assert lines == []
