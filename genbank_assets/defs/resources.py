"""Dagster resources that build the core's settings and clients, without further logic.

``MirrorResource`` has the fields of :class:`~genbank_assets.settings.Settings`; an empty field is read from its
``GENBANK_ASSETS_*`` variable when a run starts, not when the graph is loaded. ``S3Resource`` of dagster-aws configures
the object store.
See https://docs.dagster.io/guides/build/external-resources
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import dagster as dg
import pydantic
from dagster_aws.s3 import S3Resource
from obstore.store import ObjectStore

from genbank_assets.objects.store import open_objects, translate_aws_errors
from genbank_assets.setting_values import expanded
from genbank_assets.settings import Settings, settings_from_environment

_VARIABLE = "GENBANK_ASSETS_{}"


def _config_type(field: dataclasses.Field[Any]) -> type:
    """Return the type of a setting in Dagster's configuration; paths are strings."""
    default = field.default
    return type(default) if isinstance(default, bool | int | float) else str


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def _meaning(name: str) -> str:
    """Return the description of a setting from the docstring of :class:`Settings`, with its environment variable."""
    said = re.search(rf"^ *{name}: (.+?)(?=^ *\w+: |\Z)", Settings.__doc__ or "", re.MULTILINE | re.DOTALL)
    meaning = " ".join(said[1].split()) if said else name
    return f"{meaning[0].upper()}{meaning[1:].rstrip('.')}. Default: {_VARIABLE.format(name.upper())}."


class _Mirror(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Settings of the mirror. Empty fields are read from their environment variables when a run starts."""

    follow_environment: bool = pydantic.Field(
        default=True,
        description="Whether empty fields are read from environment variables; otherwise they have their defaults.",
    )

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return a resource with exactly these settings, independent of the environment."""
        values = {field.name: _plain(getattr(settings, field.name)) for field in dataclasses.fields(Settings)}
        return cls(follow_environment=False, **values)

    def settings(self, **overrides: Any) -> Settings:
        """Return the settings of this run; overrides that are None are ignored.

        Raises:
            SettingsError: a field or environment variable has an invalid value.
        """
        chosen = {field.name: getattr(self, field.name) for field in dataclasses.fields(Settings)}
        chosen |= {name: value for name, value in overrides.items() if value is not None}
        chosen = {name: value for name, value in chosen.items() if value is not None}
        if "store" in chosen:
            chosen["store"] = expanded(chosen["store"], variable="store")
        return dataclasses.replace(settings_from_environment(None if self.follow_environment else {}), **chosen)


if TYPE_CHECKING:

    class MirrorResource(_Mirror):
        """See :class:`_Mirror`; its fields are those of :class:`Settings`."""

        def __init__(self, **fields: Any) -> None: ...

        def __getattr__(self, name: str) -> Any: ...

else:
    MirrorResource = pydantic.create_model(
        "MirrorResource",
        __base__=_Mirror,
        __module__=__name__,
        __doc__=_Mirror.__doc__,
        **{
            field.name: (_config_type(field) | None, pydantic.Field(default=None, description=_meaning(field.name)))
            for field in dataclasses.fields(Settings)
        },
    )


class QuietS3Resource(S3Resource):  # type: ignore[misc, unused-ignore]
    """An ``S3Resource`` that creates a client only on demand, not for every step that requires the resource.

    Creating a boto3 client takes a tenth of a second of CPU time, and an object set in a folder needs none.
    """

    def get_object_to_set_on_execution_context(self) -> Any:
        """Return the value of ``context.resources.s3``, which this graph does not use."""
        return self


def object_store(s3: S3Resource, settings: Settings, *, retries: int) -> ObjectStore:
    """Return the object store of the settings, with endpoint, region and credentials of the S3 resource.

    Credentials are refreshed through boto3 during the run, so those of a role may expire.
    """
    options: dict[str, str] = {}
    credentials = None
    if settings.objects_url.startswith("s3://"):
        with translate_aws_errors():
            client = s3.get_client()
        if s3.endpoint_url:
            options["endpoint"] = s3.endpoint_url
        if client.meta.region_name:
            options["region"] = client.meta.region_name
        credentials = client._request_signer._credentials  # resolved by boto3 from profile, role or environment
        if s3.use_unsigned_session:
            options["skip_signature"] = "true"
            credentials = None
    return open_objects(settings, options=options, credentials=credentials, retries=retries)
