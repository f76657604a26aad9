"""``GenbankCollection``: a mirror of a collection as a component, for a Dagster project of one's own.

.. code-block:: yaml

    type: genbank_assets.defs.components.GenbankCollection
    attributes:
      collection: genbank
      settings:
        store: /data/mirror
        divisions: genbank/phg, genbank/vrl

``definitions`` has the contents of the graph; this module only builds it from YAML.
See https://docs.dagster.io/guides/build/components
"""

from __future__ import annotations

import functools
from typing import Any, Literal

import dagster as dg
from dagster_aws.s3 import S3Resource
from pydantic import Field

from genbank_assets.defs.division_assets import OWNERS
from genbank_assets.defs.resources import MirrorResource, QuietS3Resource
from genbank_assets.ncbi.catalog import COLLECTIONS


class ScaffoldParams(dg.Model):
    """The options of ``dg scaffold defs``.

    Attributes:
        collection: which collection.
        store: the folder for all files.
    """

    collection: Literal["genbank", "refseq"] = Field(default="genbank", description="Which collection.")
    store: str = Field(default="data", description="Folder for all files.")


class GenbankCollectionScaffolder(dg.Scaffolder[ScaffoldParams]):
    """Writes a ``defs.yaml`` that can be run as it is."""

    @classmethod
    def get_scaffold_params(cls) -> type[ScaffoldParams]:
        """Return the options of ``dg scaffold defs``."""
        return ScaffoldParams

    def scaffold(self, request: dg.ScaffoldRequest[ScaffoldParams]) -> None:
        """Write the file."""
        given = request.params
        dg.scaffold_component(request, {"collection": given.collection, "settings": {"store": given.store}})


@dg.scaffold_with(GenbankCollectionScaffolder)
class GenbankCollection(dg.Component, dg.Model, dg.Resolvable):
    """A mirror of GenBank or RefSeq: assets, checks, jobs, release sensor, daily updates.

    Several in one project share the resources ``mirror`` and ``s3``, so that their settings have to be the same.
    """

    collection: Literal["genbank", "refseq"] = Field(description="Which collection.")
    settings: dict[str, Any] = Field(
        default_factory=dict,
        description=(
            "Settings by name, as GENBANK_ASSETS_* has them in lower case: source, store, postgres_url, objects, "
            "divisions, workers, ... Those left out follow the environment when a run begins."
        ),
    )

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """Owners and search tags."""
        return dg.ComponentTypeSpec(owners=OWNERS, tags=["genbank", "refseq", "ncbi"])

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the collection's part of the graph."""
        from genbank_assets.definitions import build_collection_defs

        unknown = sorted(set(self.settings) - set(MirrorResource.model_fields))
        if unknown:
            raise dg.DagsterInvalidDefinitionError(
                f"GenbankCollection knows no setting {', '.join(unknown)}: there are "
                f"{', '.join(sorted(MirrorResource.model_fields))}"
            )
        mirror, s3 = _resources(tuple(sorted(self.settings.items())))
        return build_collection_defs(COLLECTIONS[self.collection], resources={"mirror": mirror, "s3": s3})


@functools.cache
def _resources(settings: tuple[tuple[str, Any], ...]) -> tuple[MirrorResource, S3Resource]:
    """Return the same objects for the same settings: Dagster takes two of one name for a contradiction."""
    return MirrorResource(**dict(settings)), _S3


_S3 = QuietS3Resource()
