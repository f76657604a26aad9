"""A trace for people: lines for a terminal, Markdown for Dagster's UI. What a trace is belongs to ``trace``."""

from __future__ import annotations

from typing import Any

from genbank_assets.lineage.trace import Hop, Trace

_MARKS = {"ok": "ok", "missing": "MISSING", "mismatch": "MISMATCH", "none": "-"}
_LATER = {"events", "definition"}


def as_text(trace: Trace) -> str:
    """The trace as aligned lines."""
    lines = [
        f"{trace.accession_version}  {trace.collection}/{trace.division}, release {trace.release}"
        f"{'  (every digest recomputed)' if trace.verified else ''}"
    ]
    for hop in trace.hops:
        lines.append(f"  {hop.stage:<13} {_MARKS[hop.status]:<9} {_facts(hop)}")
        if hop.problem:
            lines.append(f"  {'':<23} {hop.problem}")
        lines += [f"  {'':<23} {_event(event)}" for event in hop.facts.get("events", ())]
    return "\n".join(lines)


def as_markdown(trace: Trace) -> str:
    """The trace as a Markdown table."""
    lines = [
        f"### {trace.accession_version}",
        f"{trace.collection}/{trace.division}, release {trace.release}",
        "",
        "| stage | status | facts |",
        "|---|---|---|",
    ]
    for hop in trace.hops:
        facts = "<br>".join(f"{name}: `{_shown(value)}`" for name, value in _visible(hop))
        lines.append(f"| {hop.stage} | {_MARKS[hop.status]} {hop.problem} | {facts.replace('|', '&#124;')} |")
    for hop in trace.hops:
        lines += [f"* {_event(event)}" for event in hop.facts.get("events", ())]
    return "\n".join(lines)


def _visible(hop: Hop) -> list[tuple[str, Any]]:
    return [(name, value) for name, value in hop.facts.items() if name not in _LATER and value not in (None, "", [])]


def _facts(hop: Hop) -> str:
    return "  ".join(f"{name}={_shown(value)}" for name, value in _visible(hop))


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)
    return str(value)


def _event(event: dict[str, Any]) -> str:
    line = f"release {event['release']}: {event['state']} as {event['accession_version']}"
    if event["previous_accession_version"] not in (None, event["accession_version"]):
        line += f" (was {event['previous_accession_version']})"
    if event["evidence"]:
        line += f", evidence: {event['evidence']}"
    return f"{line}, run {event['run_id']}"
