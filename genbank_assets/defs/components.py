"""``GenbankCollection``: a component that adds a mirror of GenBank or RefSeq to any Dagster project.

.. code-block:: yaml

    type: genbank_assets.defs.components.GenbankCollection
    attributes:
      collection: genbank
      settings:
        store: /data/mirror
        divisions: genbank/phg, genbank/vrl

``definitions`` assembles the graph; this module only translates from YAML.
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
        collection: the collection to mirror.
        store: folder for all files.
    """

    collection: Literal["genbank", "refseq"] = Field(default="genbank", description="The collection to mirror.")
    store: str = Field(default="data", description="Folder for all files.")


class GenbankCollectionScaffolder(dg.Scaffolder[ScaffoldParams]):
    """Writes a complete ``defs.yaml``."""

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
    """A mirror of GenBank or RefSeq: assets, checks, jobs, release sensor and daily updates of the collection.

    A project with both collections has two components; they share the resources ``mirror`` and ``s3``, so their
    settings must be equal. The first component also provides what a project needs once: the taxonomy, the alert
    sensors, and the jobs ``trace_record``, ``extract`` and ``canary``.
    """

    collection: Literal["genbank", "refseq"] = Field(description="The collection to mirror.")
    settings: dict[str, Any] = Field(
        default_factory=dict,
        description=(
            "Settings by name, in lower case and without the prefix GENBANK_ASSETS_: source, store, postgres_url, "
            "objects, divisions, workers, ... Settings left out come from the environment when a run starts."
        ),
    )

    @classmethod
    def get_spec(cls) -> dg.ComponentTypeSpec:
        """Return owners and search tags for ``dg list components``."""
        return dg.ComponentTypeSpec(owners=OWNERS, tags=["genbank", "refseq", "ncbi"])

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Return the definitions of the collection and, for the project's first component, the shared ones.

        Raises:
            dagster.DagsterInvalidDefinitionError: a setting does not exist.
        """
        from genbank_assets.definitions import build_collection_defs, build_shared_defs

        unknown = sorted(set(self.settings) - set(MirrorResource.model_fields))
        if unknown:
            raise dg.DagsterInvalidDefinitionError(
                f"GenbankCollection has no setting {', '.join(unknown)}; its settings are "
                f"{', '.join(sorted(MirrorResource.model_fields))}"
            )
        mirror, s3 = _resources(tuple(sorted(self.settings.items())))
        own = build_collection_defs(COLLECTIONS[self.collection], resources={"mirror": mirror, "s3": s3})
        return dg.Definitions.merge(own, build_shared_defs()) if self._is_first(context) else own

    def _is_first(self, context: dg.ComponentLoadContext) -> bool:
        """Return whether no other component of this type precedes this one in the project.

        Dagster rejects a project that defines an asset or sensor twice, even if both definitions are the same object.
        """
        return context.component_tree.get_all_components(GenbankCollection)[0] is self


@functools.cache
def _resources(settings: tuple[tuple[str, Any], ...]) -> tuple[MirrorResource, S3Resource]:
    """Return the same objects for equal settings, because Dagster rejects different resources of the same name."""
    return MirrorResource(**dict(settings)), _S3


_S3 = QuietS3Resource()
