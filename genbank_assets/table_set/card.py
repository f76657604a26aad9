"""The web page beside published tables, which describes them, how to read them, and the rights in them.

Derived from the manifests, like the index; writing it belongs to ``manifests``.
"""

from __future__ import annotations

from collections.abc import Iterable

from genbank_assets.catalog.table_layout import Published

CARD_KEY = "README.md"
_RIGHTS = """\
The data come from NCBI (https://www.ncbi.nlm.nih.gov/genbank/, "Data Usage"). NCBI places no restrictions on the use or
distribution of GenBank data; some submitters may claim patent, copyright or other intellectual property rights in all
or a portion of the data they submitted, and NCBI cannot comment on or transfer such rights. Cite GenBank or RefSeq with
the release. The residues and annotations are those of the flat files; errors of the conversion are not NCBI's.
"""
_TEXT = """\
# GenBank and RefSeq as Parquet tables

Records, residues and quarantined blocks of NCBI's flat files, parsed by genbank-assets. `index.json` lists the
releases, each manifest its tables with bytes and SHA-256; tables never change under their keys.

    from genbank_assets import open_mirror
    open_mirror("s3://BUCKET/PREFIX").records().collect()

or any program that reads Parquet: `tables/<collection>/<release>/*/*/records/*.parquet`.

## Rights

{rights}
## What is here

| collection | section | releases |
|---|---|---|
"""


def card(published: Iterable[Published]) -> bytes:
    """Return the page for the published releases, given oldest first."""
    releases: dict[tuple[str, str], list[str]] = {}
    for one in published:
        releases.setdefault((one.collection, one.section), []).append(one.release)
    rows = (f"| {collection} | {section} | {', '.join(found)} |\n" for (collection, section), found in releases.items())
    return (_TEXT.format(rights=_RIGHTS) + "".join(rows)).encode()


def rights() -> bytes:
    """Return the note on rights."""
    return f"# Rights in these data\n\n{_RIGHTS}".encode()
