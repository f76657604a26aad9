"""docs/dagster.production.yaml is what Dagster takes: an instance is made from it, launcher and log store too."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest
import yaml

from genbank_assets.postgres_server.server import EmbeddedServer
from genbank_assets_tests.paths import ROOT

KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: test
clusters: [{name: test, cluster: {server: "http://127.0.0.1:9"}}]
contexts: [{name: test, context: {cluster: test, user: test}}]
users: [{name: test, user: {}}]
"""


def test_the_production_example_makes_an_instance(
    tmp_path: Path, server: EmbeddedServer, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = postgres_url.split("postgres@/")[1].split("?")[0]
    monkeypatch.setenv("GENBANK_ASSETS_DAGSTER_POSTGRES_URL", server.sqlalchemy_url(database))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "eu-central-1")
    config = yaml.safe_load((ROOT / "docs" / "dagster.production.yaml").read_text(encoding="utf-8"))
    # Outside of a cluster the launcher needs a kubeconfig; everything else stays as it is written.
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG)
    config["run_launcher"]["config"] |= {"load_incluster_config": False, "kubeconfig_file": str(kubeconfig)}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(config))
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert type(instance.run_launcher).__name__ == "K8sRunLauncher"
        assert type(instance.compute_log_manager).__name__ == "S3ComputeLogManager"
        assert instance.get_runs_count() == 0
        # The development file's limits are the example's too: one run per division at a time.
        ours = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
        limits = config["concurrency"]["runs"]["tag_concurrency_limits"]
        assert limits == ours["concurrency"]["runs"]["tag_concurrency_limits"]
