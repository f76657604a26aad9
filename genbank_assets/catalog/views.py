"""The views of the SQL catalog, and descriptions of its tables and views.

Names are those of the Parquet tables and of PostgreSQL: ``section`` is the partition, ``release`` the release of the
row's file. The underlying tables belong to ``ducklake``.
"""

from __future__ import annotations

from typing import Final

from genbank_assets.schema.tables import FEATURE

_FIELDS = ", ".join(f'feature."{field.name}"' for field in FEATURE)


def _first(qualifier: str) -> str:
    return f"list_filter(feature.qualifiers, lambda q: q.key = '{qualifier}')[1].value AS {qualifier}"


VIEWS: Final[tuple[str, ...]] = (
    f"""
    CREATE VIEW mirror.features AS
    SELECT collection, section, release, accession, accession_version, organism, taxon_id, feature_ordinal, {_FIELDS},
           {", ".join(map(_first, ("gene", "locus_tag", "product", "protein_id")))}
    FROM (SELECT collection, section, release, accession, accession_version, organism, taxon_id,
                 unnest(range(len(features))) AS feature_ordinal, unnest(features) AS feature
          FROM mirror.records)
    """,  # noqa: S608 -- our own names
)

COMMENTS: Final[dict[str, str]] = {
    "records": "One row per record; (collection, section, accession_version) names it",
    "sequences": "One row per chunk of residues; join by (collection, section, accession_version)",
    "memberships": "One narrow row per record: names, digests, place in the raw file",
    "samples": "One row per source feature: where, when and from what a sequence was taken",
    "cds": "One row per coding sequence with its translation",
    "changes": "One row per record that a release changed against the one before it that the store keeps",
    "features": "One row per feature; the first gene, locus_tag, product and protein_id are columns of their own",
}
