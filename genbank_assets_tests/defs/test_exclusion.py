"""What writes has it to itself: each asset and op beside the stages of divisions begins with a lock."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import dagster as dg
import pytest

from genbank_assets.definitions import build_defs
from genbank_assets.defs import blast, canary, catalog, daily, division_assets, taxonomy
from genbank_assets.defs.resources import MirrorResource
from genbank_assets.errors import IntegrityError
from genbank_assets.settings import Settings
from genbank_assets_tests.defs.test_runs import QUIET


@pytest.mark.parametrize(
    ("module", "job", "partition", "name"),
    [
        (division_assets, "derive_genbank", "phg", "genbank/phg"),
        (division_assets, "blast_genbank", "phg", "genbank/phg"),
        (daily, "update_genbank", "2026-09-02", "genbank/daily"),
        (taxonomy, "update_taxonomy", None, "taxonomy/taxonomy"),
        (catalog, "update_catalog", None, "catalog/catalog"),
        (canary, "canary", None, "canary/una"),
    ],
)
def test_nothing_is_written_before_the_lock_is_taken(
    plain_settings: Settings, monkeypatch: pytest.MonkeyPatch, module: ModuleType, job: str, partition: str | None,
    name: str,
) -> None:  # fmt: skip
    def refused(settings: Settings, what: str, **_: Any) -> None:
        raise IntegrityError(f"{what} is another's")

    monkeypatch.setattr(module, "exclusive", refused)
    monkeypatch.setattr(blast, "require_programs", lambda *_: None)
    found = build_defs(resources={"mirror": MirrorResource.of(plain_settings)}).resolve_job_def(job)
    with dg.DagsterInstance.ephemeral() as instance:
        result = found.execute_in_process(
            partition_key=partition, instance=instance, raise_on_error=False, run_config=QUIET
        )
    said = {
        e.step_failure_data.user_failure_data.description
        for e in result.all_events if e.is_step_failure and e.step_failure_data.user_failure_data
    }  # fmt: skip
    assert said == {f"IntegrityError: {name} is another's"}
    assert not [path for path in plain_settings.store.rglob("*") if path.is_file()]
