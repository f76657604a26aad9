"""Shows runs of the command line in UI pages that group runs by code location (Overview, Timeline, job pages).

Dagster records the code location only for runs it launched itself; those pages omit runs without one. Executing runs
belongs to ``run``.
"""

from __future__ import annotations

import json
from typing import Any

import dagster as dg

LOCATION = "genbank"  # as in workspace.yaml
_REPOSITORY = "__repository__"  # Dagster's name for the only repository of a module


def run_as_of_the_code_location(instance: dg.DagsterInstance) -> None:
    """Make an instance record the project's code location for every run that this process creates."""
    create = instance.create_run_for_job

    def create_run_for_job(job_def: dg.JobDefinition, *args: Any, **options: Any) -> dg.DagsterRun:
        return create(job_def, *args, **{**options, "remote_job_origin": _origin(job_def.name)})

    instance.create_run_for_job = create_run_for_job  # type: ignore[method-assign]


def _origin(job: str) -> Any:
    """Return a job's origin, deserialized from Dagster's stored form because its classes are not public."""
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
