"""Build the bundled sample: genuine records from packages, in the layout of NCBI's releases.

    build_sample.py OUT NAME=FOLDER [NAME=FOLDER ...]

Each FOLDER is an unpacked package (its NAME is written to ORIGIN.tsv): Biopython's source distribution, Debian's
emboss-test, BioPerl's source. Only complete records that the reader accepts without a note are used, each accession
once, with precedence by the order of packages. Records that NCBI excludes from releases are excluded: third-party
annotation (BK...), WGS contigs, master records. The output is reproducible. Only the layout is created for the sample:
division headers, gbrel.txt, lists.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from genbank_assets.flatfile.scanner import Scanner
from genbank_assets.ncbi.catalog import GENBANK

RELEASE, REFSEQ_RELEASE, DATE = "1.0", "1", "November 24 2026"
MAX_RECORD_BYTES = 700_000
MAX_PARTITION_BYTES = 900_000
MAX_RECORDS = 200
# Test files, by their own name, that somebody edited to be wrong or to be smaller, or that a program wrote.
EDITED = re.compile(
    r"bad|invalid|negative|wrong|output|one_of|blank|empty|no_|no-|escaping|extra_keywords|origin_line|dbsource_wrap|"
    r"addgene|pBAD|iro|test\.genbank|testfuzzy|revcomp|mini|short|multiple|unittest|roundtrip|features?_|"
    r"singlet|dbxref|tags|comment|spaces|hybrid",
    re.IGNORECASE,
)
# INSDC accessions of traditional records; TPA prefixes (BK, BL, BN, BR and the like) are not in the release.
TRADITIONAL = re.compile(r"(?!B[KLNR]|HT|HU)(?:[A-Z]\d{5}|[A-Z]{2}(?:\d{6}|\d{8}))")
TITLES = {
    "bct": "Bacterial Sequences", "con": "Contig Sequences", "env": "Environmental Sampling Sequences",
    "est": "EST (Expressed Sequence Tag) Sequences", "gss": "GSS (Genome Survey) Sequences",
    "htc": "HTC (High Throughput cDNA) Sequences", "htg": "HTGS (High Throughput Genomic) Sequences",
    "inv": "Invertebrate Sequences", "mam": "Other Mammalian Sequences", "pat": "Patent Sequences",
    "phg": "Phage Sequences", "pln": "Plant Sequences (including fungi and algae)", "pri": "Primate Sequences",
    "rod": "Rodent Sequences", "sts": "STS (Sequence Tagged Site) Sequences",
    "syn": "Synthetic and Chimeric Sequences", "tsa": "TSA (Transcriptome Shotgun Assembly) Sequences",
    "una": "Unannotated Sequences", "vrl": "Viral Sequences", "vrt": "Other Vertebrate Sequences",
}  # fmt: skip


@dataclass(frozen=True)
class Cut:
    """A record cut from a package."""

    accession_version: str
    place: tuple[str, ...]  # (division,) or (section, molecule)
    length: int
    counted: bool  # whether NCBI counts its bases: not for CON
    text: bytes
    package: str
    path: str


def main(out: Path, packages: list[tuple[str, Path]]) -> None:
    """Write the sample to ``out``."""
    cuts: dict[str, Cut] = {}
    for package, folder in packages:
        for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.stat().st_size < 20_000_000):
            name = str(path.relative_to(folder))
            data = path.read_bytes()
            if not EDITED.search(path.name) and re.search(rb"(?m)^LOCUS  ", data):
                for cut in cut_records(data, package=package, name=name):
                    cuts.setdefault(cut.accession_version.split(".")[0], cut)
    places: dict[tuple[str, ...], list[Cut]] = {}
    for cut in sorted(cuts.values(), key=lambda cut: (cut.place, len(cut.text), cut.accession_version)):
        taken = places.setdefault(cut.place, [])
        if len(taken) < MAX_RECORDS and sum(len(c.text) for c in taken) + len(cut.text) < MAX_PARTITION_BYTES:
            taken.append(cut)
    shutil.rmtree(out / "genbank", ignore_errors=True)
    shutil.rmtree(out / "refseq", ignore_errors=True)
    write_genbank(out / "genbank", {place[0]: c for place, c in places.items() if len(place) == 1})
    write_refseq(out / "refseq" / "release", {place: c for place, c in places.items() if len(place) == 2})
    lines = ["accession_version\tfile\tpackage\tpath in package"]
    for place, chosen in sorted(places.items()):
        file = f"gb{place[0]}1.seq.gz" if len(place) == 1 else refseq_name(place)
        lines += [f"{c.accession_version}\t{file}\t{c.package}\t{c.path}" for c in chosen]
    (out / "ORIGIN.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def cut_records(data: bytes, *, package: str, name: str) -> list[Cut]:
    """Return the records of a file that can be used unchanged."""
    if b"\r" in data or any(byte > 126 for byte in data):
        return []
    scanner = Scanner(source_file=name)
    batches = scanner.feed(data) + scanner.finish()
    found = []
    for table, batch in batches:
        if table != "records":
            continue
        for row in batch.to_pylist():
            text = data[row["record_offset"] : row["record_offset"] + row["record_bytes"]]
            place = place_of(row)
            if (
                place
                and not row["notes"]
                and row["version"]
                and len(text) <= MAX_RECORD_BYTES
                and text.endswith(b"//\n")
            ):
                counted = row["division"] != "CON"
                found.append(Cut(row["accession_version"], place, row["length"], counted, text, package, name))
    return found


def place_of(row: dict) -> tuple[str, ...] | None:
    """Return the division of a GenBank record, or section and molecule of a RefSeq record; None for other records."""
    accession, division = row["accession"], (row["division"] or "").lower()
    if row["length_unit"] == "rc" or (row["sequence_sha256"] is None and not row["contig"]):
        return None
    if re.fullmatch(r"[A-Z]{2}_\d{6,9}", accession):
        protein = row["length_unit"] == "aa"
        molecule = "protein" if protein else "rna" if accession[:2] in {"NM", "NR", "XM", "XR"} else "genomic"
        return (section_of(row), molecule)
    if row["length_unit"] == "bp" and division in GENBANK.divisions and TRADITIONAL.fullmatch(accession):
        return (division,)
    return None


def section_of(row: dict) -> str:
    """Return RefSeq's section for a lineage (RefSeq release README)."""
    lineage, source = set(row["taxonomy"]), (row["source"] or "").lower()
    if source.startswith("mitochondrion"):
        return "mitochondrion"
    if source.startswith(("chloroplast", "plastid")):
        return "plastid"
    for taxon, section in (
        ("Viruses", "viral"), ("Bacteria", "bacteria"), ("Archaea", "archaea"), ("Fungi", "fungi"),
        ("Viridiplantae", "plant"), ("Mammalia", "vertebrate_mammalian"), ("Vertebrata", "vertebrate_other"),
        ("Metazoa", "invertebrate"),
    ):  # fmt: skip
        if taxon in lineage:
            return section
    return "other"


def refseq_name(place: tuple[str, ...]) -> str:
    """Return a file name such as ``viral.1.genomic.gbff.gz``."""
    return f"{place[0]}.1.{place[1]}.{'gpff' if place[1] == 'protein' else 'gbff'}.gz"


def write_genbank(folder: Path, divisions: dict[str, list[Cut]]) -> None:
    """Write division files with headers, and the release notes that list them."""
    folder.mkdir(parents=True)
    sizes, stats, loci, bases = [], [], 0, 0
    for division in sorted(divisions):
        cuts = divisions[division]
        counted = sum(cut.length for cut in cuts if cut.counted)
        header = (
            f"GB{division.upper()}1.SEQ           Genetic Sequence Data Bank\n{DATE:>41}\n\n"
            f"                NCBI-GenBank Flat File Release {RELEASE}\n\n"
            f"{f'{TITLES[division]} (Part 1)':^62}".rstrip()
            + f"\n\n{len(cuts):8} loci, {counted:11} bases, from {len(cuts):8} reported sequences\n\n\n"
        )
        text = header.encode() + b"".join(cut.text for cut in cuts)
        (folder / f"gb{division}1.seq.gz").write_bytes(gzip.compress(text, mtime=0))
        sizes.append(f"{len(text):10}     gb{division}1.seq")
        if division != "con":
            stats.append(f"{division.upper()}1         {len(cuts):<12} {counted}")
            loci += len(cuts)
            bases += counted
    files = [f"{n}. gb{d}1.seq - {TITLES[d]}, part 1." for n, d in enumerate(sorted(divisions), 1)]
    notes = f"""GBREL.TXT          Genetic Sequence Data Bank
                         {DATE}

               NCBI-GenBank Flat File Release {RELEASE}

                    Distribution Release Notes

  {loci} sequences, {bases} bases, for traditional GenBank records

This is no release of NCBI's: it is the sample that comes with genbank-assets, genuine records in the layout of a
release. ORIGIN.tsv says where each record was taken from. NCBI places no restrictions on the use or distribution
of GenBank data; the records are as their submitters and NCBI wrote them.

2.2 Files

  This GenBank flat file release consists of {len(files)} files.

2.2.1 File Descriptions

Files included in this release are:

{chr(10).join(files)}

2.2.5 File Sizes

File Size      File Name

{chr(10).join(sizes)}

2.2.6 Per-Division Statistics

Division     Entries    Bases

{chr(10).join(stats)}
"""
    (folder / "gbrel.txt").write_text(notes, encoding="ascii")
    (folder / "GB_Release_Number").write_text(f"{RELEASE}\n", encoding="ascii")
    (folder / "README.genbank").write_text(
        f"GenBank Flat File Release {RELEASE}\nRelease Availability Date: {DATE}\n", encoding="ascii"
    )


def write_refseq(folder: Path, places: dict[tuple[str, ...], list[Cut]]) -> None:
    """Write section files, the release number, and the list of installed files with their MD5."""
    installed = []
    for place in sorted(places):
        name = refseq_name(place)
        content = gzip.compress(b"".join(cut.text for cut in places[place]), mtime=0)
        (folder / place[0]).mkdir(parents=True, exist_ok=True)
        (folder / place[0] / name).write_bytes(content)
        installed.append(f"{hashlib.md5(content, usedforsecurity=False).hexdigest()}\t{name}")
    (folder / "release-catalog").mkdir(parents=True)
    listing = folder / "release-catalog" / f"release{REFSEQ_RELEASE}.files.installed"
    listing.write_text("\n".join(installed) + "\n", encoding="ascii")
    (folder / "RELEASE_NUMBER").write_text(f"{REFSEQ_RELEASE}\n", encoding="ascii")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]), [(name, Path(folder)) for name, folder in (arg.split("=", 1) for arg in sys.argv[2:])])
