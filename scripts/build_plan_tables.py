"""Writes the tables in docs/operating.md about the requirements of a division, from measured rates and ``plan``."""

from __future__ import annotations

from pathlib import Path

from genbank_assets.planning.plan import PartitionPlan, plan_partition
from genbank_assets.planning.rates import Rates, measured_rates
from genbank_assets.settings import Settings
from genbank_assets.store import PartitionKey

TARGET = Path(__file__).parent.parent / "docs" / "operating.md"
# Release 273.0 (August 2026), gbrel §2.2.5: division → files, GB of text.
RELEASE_273 = {
    "pln": (3343, 4050), "inv": (2676, 3830), "vrt": (695, 998), "bct": (518, 774), "vrl": (346, 518),
    "mam": (244, 345), "est": (164, 245), "rod": (144, 203), "pat": (94, 141), "gss": (79, 117), "con": (68, 102),
    "env": (53, 78), "tsa": (37, 54), "pri": (28, 40), "htg": (25, 37), "syn": (10, 13), "phg": (4, 4.8),
    "sts": (3, 4.4), "htc": (3, 3.5), "una": (1, 0.001),
}  # fmt: skip
STAGES = {
    "raw_files": ("fetch and verify (from a local folder), MB/s of .gz", "verify_bytes_per_second", 1e6),
    "records": ("parse to Parquet with both digests, one core, MB/s of text", "parse_text_bytes_per_second", 1e6),
    "unique_records": ("deduplicate, records/s", "deduplicate_records_per_second", 1),
    "postgres_table": ("load into PostgreSQL, one connection, MB/s of text", "load_text_bytes_per_second", 1e6),
    "object_set": ("objects into a folder, one each, objects/s", "objects_per_second", 1),
}


def rates_table(rates: Rates) -> str:
    """Return the table of the rates of all stages."""
    lines = [
        f"Measured {rates.measured_on}, one worker; half of the text is like",
        "`bct`, half like `vrl`. `benchmarks/rates.py` measures it again:",
        "", "| stage | rate | peak memory of the process |", "|---|--:|--:|",
    ]  # fmt: skip
    for stage, (title, name, unit) in STAGES.items():
        peak = f"{rates.peak_memory_bytes[stage] / 1e6:,.0f} MB" if stage in rates.peak_memory_bytes else "–"
        lines.append(f"| {title} | {getattr(rates, name) / unit:,.0f} | {peak} |")
    lines += [
        "",
        f"A second worker adds {rates.load_gain_of_a_worker:.0%} to the load on two cores shared with the server.",
        "",
        f"Disk per MB of text: raw files {1 / rates.text_bytes_per_raw_byte:.2f}, tables "
        f"{rates.table_bytes_per_text_byte:.2f}, objects {rates.object_bytes_per_text_byte:.2f}, PostgreSQL "
        f"{rates.postgres_bytes_per_text_byte:.2f} with indexes.",
    ]
    return "\n".join(lines)


def release_table(rates: Rates) -> str:
    """Return the table of the requirements of each division of a release."""
    plans = [_plan(division, rates) for division in RELEASE_273]
    lines = [
        "| division | files | text GB | raw GB | tables GB | objects GB | PostgreSQL GB | parse, core-hours "
        "| load, hours with 2 workers |",
        "|---|" + "--:|" * 8,
    ]
    lines += [_row(f"`{plan.key.division}`", [plan]) for plan in plans]
    return "\n".join([*lines, _row("all", plans)])


def _plan(division: str, rates: Rates) -> PartitionPlan:
    files, gigabytes = RELEASE_273[division]
    text_bytes = round(gigabytes * 1e9)
    return plan_partition(
        PartitionKey("genbank", division), release="273.0", files=files, text_bytes=text_bytes,
        raw_bytes=round(text_bytes / rates.text_bytes_per_raw_byte), settings=Settings(), rates=rates, workers=2,
    )  # fmt: skip


def _row(name: str, plans: list[PartitionPlan]) -> str:
    sizes = ("text_bytes", "raw_bytes", "table_bytes", "object_bytes", "postgres_bytes")
    amounts = [sum(getattr(plan, size) for plan in plans) / 1e9 for size in sizes]
    amounts.append(sum(plan.cpu_seconds for plan in plans) / 3600)
    amounts.append(sum(plan.seconds["postgres_table"] for plan in plans) / 3600)
    return f"| {name} | {sum(plan.files for plan in plans):,} | " + " | ".join(map(_number, amounts)) + " |"


def _number(amount: float) -> str:
    if amount == 0:
        return "–"
    if amount < 0.1:
        return "< 0.1"
    return f"{amount:,.0f}" if amount >= 10 else f"{amount:.1f}"


def page() -> str:
    """Return the page with up-to-date tables."""
    text = TARGET.read_text(encoding="utf-8")
    rates = measured_rates()
    for name, table in (("rates", rates_table(rates)), ("release", release_table(rates))):
        begin, end = f"<!-- {name}: made by make tables -->\n", f"<!-- {name}: end -->"
        before, rest = text.split(begin)
        text = f"{before}{begin}{table}\n{end}{rest.split(end)[1]}"
    return text


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
