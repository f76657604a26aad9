"""Formats traces and the status of partitions as text for terminals and as Markdown for Dagster's UI.

Their content belongs to ``trace`` and ``status``. Facts repeated from the previous hop are omitted, unless something is
wrong; ``--json`` has everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from genbank_assets.lineage.hops import Hop
from genbank_assets.lineage.status import PartitionStatus
from genbank_assets.lineage.trace import Trace
from genbank_assets.text_table import table

_MARKS = {"ok": "ok", "missing": "MISSING", "mismatch": "MISMATCH", "none": "-"}
_LATER = {"events", "definition", "run_url"}
# Facts that the database row shares with the table row and the raw file.
_REPEATED = {
    "database row": {
        "accession_version", "organism", "length", "record_sha256", "sequence_sha256", "file", "raw_sha256",
    },
}  # fmt: skip
_LABELS = {
    "bytes": "size", "offset": "begins at", "run_id": "run", "row": "row, from 0", "length": "length",
    "checksum_sha256": "object_sha256", "frame_bytes": "size there", "members": "records with it",
    "is_current": "current",
}  # fmt: skip
_STATUS_HEADINGS = (
    "division", "release", "files", "records", "bases", "distinct", "quarantined", "rows loaded", "objects", "seconds",
    "peak MB", "SQL",
)  # fmt: skip
_UNITS = {"bytes": "bytes", "frame_bytes": "bytes", "length": "residues"}


def as_text(trace: Trace) -> str:
    """Format a trace as lines, one fact each."""
    lines = [f"{trace.accession_version}  {trace.collection}/{trace.division}, release {trace.release}"]
    lines += [line for line in (_title(trace), trace.note, _how(trace)) if line]
    for hop in trace.hops:
        lines += ["", f"{hop.stage:<13} {_MARKS[hop.status]}{f': {hop.problem}' if hop.problem else ''}"]
        lines += [f"  {label:<17} {value}" for label, value in _facts(hop)]
        lines += [f"  {'history':<17} {_event(event)}" for event in hop.facts.get("events", ())]
    return "\n".join(lines)


def as_markdown(trace: Trace) -> str:
    """Format a trace as Markdown, with a table of facts per hop and links to runs."""
    lines = [f"### {trace.accession_version}", f"{trace.collection}/{trace.division}, release {trace.release}"]
    for line in (_title(trace), trace.note, _how(trace)):
        lines += ["", _escaped(line)] if line else []
    for hop in trace.hops:
        problem = f": {_escaped(hop.problem)}" if hop.problem else ""
        lines += ["", f"**{hop.stage}** – {_MARKS[hop.status]}{problem}"]
        rows = [f"| {label} | {_cell(hop, label, value)} |" for label, value in _facts(hop)]
        rows += [f"| history | {_escaped(_event(event))} |" for event in hop.facts.get("events", ())]
        lines += ["", "| | |", "|---|---|", *rows] if rows else []
    return "\n".join(lines)


def status_table(rows: list[PartitionStatus]) -> str:
    """Format the status of partitions as a table."""
    return table(
        _STATUS_HEADINGS,
        [
            (
                f"{row.collection}/{row.division}",
                row.release,
                row.files,
                row.records,
                row.residues,
                row.distinct_sequences,
                row.quarantined,
                row.rows_loaded,
                row.objects,
                row.seconds,
                row.peak_memory_bytes // 1_000_000,
                row.sql_statements,
            )
            for row in rows
        ],
    )


def _title(trace: Trace) -> str:
    for hop in trace.hops:
        if hop.facts.get("definition"):
            return str(hop.facts["definition"])
    return ""


def _how(trace: Trace) -> str:
    return "everything was read again and every digest recomputed" if trace.verified else ""


def _facts(hop: Hop) -> Iterator[tuple[str, str]]:
    """Yield label and value of the facts shown to users."""
    hidden = _LATER if hop.problem else _LATER | _REPEATED.get(hop.stage, set())
    for name, value in hop.facts.items():
        if name not in hidden and value not in (None, "", []):
            label = _LABELS.get(name, name if name.endswith("sha256") else name.replace("_", " "))
            yield label, _value(name, hop.facts.get("run_url") or value if name == "run_id" else value)


def _value(name: str, value: Any) -> str:
    if name in _UNITS and value is not None:
        return f"{value:,} {_UNITS[name]}"
    if name == "offset":
        return f"byte {value:,} of the uncompressed text"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return str(value)


def _cell(hop: Hop, label: str, value: str) -> str:
    if label == "run" and hop.facts.get("run_url"):
        return f"[{hop.facts['run_id']}]({hop.facts['run_url']})"
    return f"`{value}`".replace("|", "&#124;")


def _escaped(text: str) -> str:
    """Escape text from records and messages for Markdown."""
    for character in "\\`*_[]<>|":
        text = text.replace(character, f"&#{ord(character)};")
    return text


def _event(event: dict[str, Any]) -> str:
    line = f"release {event['release']}: {event['state']} as {event['accession_version']}"
    if event["previous_accession_version"] not in (None, event["accession_version"]):
        line += f" (was {event['previous_accession_version']})"
    if event["evidence"]:
        line += f", evidence: {event['evidence']}"
    return f"{line}, run {event['run_id']}"
