"""Lets runs of a command show up where the UI groups runs by code location: Overview, Timeline, a job's own page.

Dagster knows the code location of a run that it launched; a run in a command's own process has none, and those pages
leave it out. What the runs do belongs to ``run``.
"""

from __future__ import annotations

import json
from typing import Any

import dagster as dg

LOCATION = "genbank"  # as workspace.yaml names it
_REPOSITORY = "__repository__"  # as Dagster names a module's only one


def run_as_of_the_code_location(instance: dg.DagsterInstance) -> None:
    """Make an instance note the project's code location with every run that this process creates in it."""
    create = instance.create_run_for_job

    def create_run_for_job(job_def: dg.JobDefinition, *args: Any, **options: Any) -> dg.DagsterRun:
        return create(job_def, *args, **{**options, "remote_job_origin": _origin(job_def.name)})

    instance.create_run_for_job = create_run_for_job  # type: ignore[method-assign]


def _origin(job: str) -> Any:
    """A job's origin, made from the form in which Dagster stores it: its classes are not public, the form is kept."""
    location = {
        "__class__": "ManagedGrpcPythonEnvRepositoryLocationOrigin",
        "loadable_target_origin": {
            "__class__": "LoadableTargetOrigin",
            "module_name": "genbank_assets.definitions",
            **dict.fromkeys(("attribute", "executable_path", "package_name", "python_file", "working_directory")),
        },
        "location_name": LOCATION,
    }
    repository = {
        "__class__": "ExternalRepositoryOrigin",
        "repository_location_origin": location,
        "repository_name": _REPOSITORY,
    }
    return dg.deserialize_value(
        json.dumps(
            {"__class__": "ExternalPipelineOrigin", "external_repository_origin": repository, "pipeline_name": job}
        )
    )
