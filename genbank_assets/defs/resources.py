"""Dagster resources: they build the core's plain settings and clients, and hold no logic of their own.

``MirrorResource`` gives :class:`~genbank_assets.settings.Settings`; a field left empty comes from its
``GENBANK_ASSETS_*`` variable at run time. ``S3Resource`` of dagster-aws feeds the object store.
See https://docs.dagster.io/guides/build/external-resources
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_aws.s3 import S3Resource
from obstore.store import ObjectStore

from genbank_assets.objects.store import open_objects
from genbank_assets.settings import Settings, settings_from_environment


class MirrorResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Where releases come from and where they go; empty fields follow the environment."""

    source: str | None = None
    store: str | None = None
    objects: str | None = None
    workers: int | None = None
    max_absent_fraction: float | None = None

    def settings(self, **overrides: Any) -> Settings:
        """The settings of this run."""
        chosen: dict[str, Any] = {
            name: value
            for name, value in (
                ("source", self.source),
                ("store", Path(self.store) if self.store else None),
                ("objects", self.objects),
                ("workers", self.workers),
                ("max_absent_fraction", self.max_absent_fraction),
                *overrides.items(),
            )
            if value is not None
        }
        return dataclasses.replace(settings_from_environment(), **chosen)


def object_store(s3: S3Resource, settings: Settings, *, retries: int) -> ObjectStore:
    """The object store of the settings, with endpoint, region and credentials as dagster-aws has them.

    Credentials are asked of boto3 again while the run lasts, so that those of a role may expire.
    """
    options: dict[str, str] = {}
    credentials = None
    if settings.objects_url.startswith("s3://"):
        client = s3.get_client()
        if s3.endpoint_url:
            options["endpoint"] = s3.endpoint_url
        if client.meta.region_name:
            options["region"] = client.meta.region_name
        credentials = client._request_signer._credentials  # boto3 resolved the chain: profile, role, environment
        if s3.use_unsigned_session:
            options["skip_signature"] = "true"
            credentials = None
    return open_objects(settings, options=options, credentials=credentials, retries=retries)
