"""Small flat files for tests: building records from parts, and scanning bytes."""

from __future__ import annotations

from typing import Any

from genbank_assets.flatfile.scanner import Scanner


def origin(residues: str) -> str:
    """Format the ORIGIN block as NCBI writes it."""
    lines = ["ORIGIN"]
    for start in range(0, len(residues), 60):
        groups = [residues[i : i + 10] for i in range(start, min(start + 60, len(residues)), 10)]
        lines.append(f"{start + 1:>9} {' '.join(groups)}")
    return "\n".join(lines) + "\n"


def record(
    *,
    name: str = "AB000001",
    residues: str = "acgtacgtac",
    locus: str | None = None,
    header: str = "",
    features: str = "",
    tail: str | None = None,
) -> str:
    """Build a record; ``features`` are lines of its feature table."""
    locus = locus or f"LOCUS       {name:<16} {len(residues):>11} bp    DNA     linear   BCT 01-JAN-2020"
    table = f"FEATURES             Location/Qualifiers\n{features}" if features else ""
    tail = origin(residues) if tail is None else tail
    return f"{locus}\nDEFINITION  A record.\nACCESSION   {name}\nVERSION     {name}.1\n{header}{table}{tail}//\n"


def scan(data: bytes | str, *, step: int | None = None, **limits: Any) -> tuple[Scanner, list[dict], dict[int, str]]:
    """Scan some data; return the scanner, the rows, and residues by record ordinal."""
    content = data.encode("latin-1") if isinstance(data, str) else data
    scanner = Scanner(source_file="test.seq", **limits)
    batches = []
    for start in range(0, len(content), step or max(1, len(content))):
        batches += scanner.feed(content[start : start + (step or len(content))])
    batches += scanner.finish()
    rows: list[dict] = []
    residues: dict[int, str] = {}
    for table, batch in batches:
        batch.validate(full=True)
        if table == "records":
            rows += batch.to_pylist()
        else:
            for chunk in batch.to_pylist():
                ordinal = chunk["record_ordinal"]
                residues[ordinal] = residues.get(ordinal, "") + chunk["residues"]
    return scanner, rows, residues


def feature(lines: str, *, topology: str = "linear", length: int = 7000) -> dict:
    """Return the single feature described by feature-table lines."""
    residues = "a" * length
    locus = f"LOCUS       AB000001         {length:>11} bp    DNA     {topology:<8} BCT 01-JAN-2020"
    scanner, rows, _ = scan(record(locus=locus, residues=residues, features=lines))
    assert not scanner.quarantine, scanner.quarantine
    return rows[0]["features"][0]
