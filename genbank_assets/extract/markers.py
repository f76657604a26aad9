"""Marker genes: their names in GenBank, and how to resolve ambiguous names.

``16S`` is the mitochondrial large subunit in animals but the small subunit in bacteria, and ``small subunit ribosomal
RNA`` may be 12S, 16S or 18S. Such names only count in records from the right organelle.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

MITOCHONDRION, NO_ORGANELLE, ANY = "mitochondrion", "none", "any"


@dataclasses.dataclass(frozen=True)
class Marker:
    """A marker gene.

    Attributes:
        names: names for ``--gene``.
        genes: values of ``/gene`` that identify it in any record.
        products: values of ``/product`` that identify it in any record.
        ambiguous: values of either that identify it in records of ``organelle`` only.
        organelle: the organelle in which ambiguous names count.
        note: message for users if another marker has the same name.
    """

    names: tuple[str, ...]
    genes: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    ambiguous: tuple[str, ...] = ()
    organelle: str = ANY
    note: str = ""


MARKERS: tuple[Marker, ...] = (
    Marker(
        names=("COI", "COX1", "CO1", "COXI", "MT-CO1"),
        genes=("COI", "CO1", "COX1", "COXI", "MT-CO1", "MTCO1", "cytochrome oxidase subunit I"),
        products=(
            "cytochrome c oxidase subunit I", "cytochrome c oxidase subunit 1", "cytochrome oxidase subunit I",
            "cytochrome oxidase subunit 1", "cytochrome oxidase I", "cytochrome c oxidase I",
            "cytochrome oxidase 1", "COI", "COX1",
        ),
    ),
    Marker(
        names=("COII", "COX2", "CO2", "COXII", "MT-CO2"),
        genes=("COII", "CO2", "COX2", "COXII", "MT-CO2", "MTCO2"),
        products=(
            "cytochrome c oxidase subunit II", "cytochrome c oxidase subunit 2", "cytochrome oxidase subunit II",
            "cytochrome oxidase subunit 2", "cytochrome oxidase II", "cytochrome c oxidase II",
            "cytochrome oxidase 2", "COII", "COX2",
        ),
    ),
    Marker(
        names=("cytb", "CYTB", "MT-CYB"),
        genes=("cytb", "cyt b", "cob", "MT-CYB", "MTCYB", "cyb", "cytochrome b"),
        products=("cytochrome b", "apocytochrome b", "cytb"),
    ),
    Marker(
        names=("12S", "12S rRNA", "rrnS", "MT-RNR1"),
        genes=("12S", "12S rRNA", "MT-RNR1", "12S ribosomal RNA", "s-rRNA"),
        products=("12S ribosomal RNA", "12S rRNA", "12S small subunit ribosomal RNA", "s-rRNA", "rRNA-12S"),
        ambiguous=(
            "small subunit ribosomal RNA", "small ribosomal RNA", "ribosomal RNA small subunit", "rrnS", "rns", "RNR1",
        ),
        organelle=MITOCHONDRION,
    ),
    Marker(
        names=("16S", "16S rRNA", "rrnL", "MT-RNR2"),
        genes=("MT-RNR2", "l-rRNA"),
        products=("l-rRNA", "rRNA-16S"),
        ambiguous=(
            "16S", "16S rRNA", "16S ribosomal RNA", "16S large subunit ribosomal RNA", "large subunit ribosomal RNA",
            "large ribosomal RNA", "ribosomal RNA large subunit", "rrnL", "rnl", "RNR2",
        ),
        organelle=MITOCHONDRION,
        note="16S is the gene of mitochondria here; that of bacteria and archaea is 16S-bacteria",
    ),
    Marker(
        names=("16S bacteria", "16S-bacteria", "bacterial 16S", "rrs"),
        genes=("rrs", "rrsA", "rrsB", "rrsC", "rrsD", "rrsE", "rrsF", "rrsG", "rrsH"),
        ambiguous=("16S", "16S rRNA", "16S ribosomal RNA", "16S small subunit ribosomal RNA", "rRNA-16S ribosomal RNA"),
        organelle=NO_ORGANELLE,
    ),
    Marker(
        names=("18S", "18S rRNA", "SSU"),
        genes=("18S", "18S rRNA", "18S ribosomal RNA", "RNA18S"),
        products=(
            "18S ribosomal RNA", "18S rRNA", "18S small subunit ribosomal RNA", "small subunit 18S ribosomal RNA",
            "18S ribosomal RNA small subunit",
        ),
        ambiguous=("SSU rRNA", "SSU"),
        organelle=NO_ORGANELLE,
    ),
    Marker(
        names=("28S", "28S rRNA", "LSU"),
        genes=("28S", "28S rRNA", "28S ribosomal RNA", "RNA28S"),
        products=(
            "28S ribosomal RNA", "28S rRNA", "28S large subunit ribosomal RNA", "large subunit 28S ribosomal RNA",
            "26S ribosomal RNA", "25S ribosomal RNA", "26S large subunit ribosomal RNA",
        ),
        ambiguous=("LSU rRNA", "LSU"),
        organelle=NO_ORGANELLE,
    ),
    Marker(
        names=("ITS", "ITS1", "ITS2"),
        genes=("ITS", "ITS1", "ITS2", "ITS-1", "ITS-2"),
        products=(
            "internal transcribed spacer 1", "internal transcribed spacer 2", "internal transcribed spacer",
            "ITS1", "ITS2", "ITS", "internal transcribed spacer 1, ITS1", "internal transcribed spacer 2, ITS2",
        ),
    ),
    Marker(
        names=("rbcL",),
        genes=("rbcL",),
        products=(
            "ribulose-1,5-bisphosphate carboxylase/oxygenase large subunit",
            "ribulose 1,5-bisphosphate carboxylase/oxygenase large subunit",
            "ribulose-1,5-bisphosphate carboxylase/oxygenase large chain",
            "ribulose bisphosphate carboxylase large chain", "ribulose bisphosphate carboxylase large subunit",
            "ribulose-bisphosphate carboxylase large subunit", "RuBisCO large subunit",
            "ribulose-1,5-bisphosphate carboxylase large subunit",
        ),
    ),
    Marker(
        names=("matK",), genes=("matK", "ycf14"), products=("maturase K", "maturase-like protein", "maturase MatK")
    ),
)  # fmt: skip


def folded(name: str) -> str:
    """Remove case, spaces and punctuation: ``MT-CO1`` and ``mtco1`` are equal."""
    return re.sub(r"[\W_]+", "", name).lower()


def marker_named(name: str) -> Marker | None:
    """Return the marker with a name, or None."""
    wanted = folded(name)
    return next((m for m in MARKERS if any(folded(known) == wanted for known in m.names)), None)


def notes_of(genes: Iterable[str]) -> list[str]:
    """Return the messages for users who select these genes or markers."""
    found = (marker_named(name) for name in genes)
    return list(dict.fromkeys(marker.note for marker in found if marker is not None and marker.note))
