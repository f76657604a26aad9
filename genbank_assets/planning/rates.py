"""Measured rates, one file of them: ``rates.json`` beside this module, which ``benchmarks/rates.py`` writes.

What is computed from them belongs to ``plan``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

RATES_FILE: Final = Path(__file__).with_name("rates.json")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rates:
    """How fast the stages are and how much room they take, on the machine that measured it.

    Attributes:
        measured_on: date and machine, for people.
        download_bytes_per_second: what a line to NCBI is taken to bring; no measurement.
        verify_bytes_per_second: raw bytes fetched from a folder and verified, one worker.
        parse_text_bytes_per_second: text to tables, one core.
        deduplicate_records_per_second: one process.
        load_text_bytes_per_second: text whose tables are loaded, one connection.
        objects_per_second: objects sent, all connections of a process.
        object_bytes_per_second: bytes of packs sent in the same time.
        text_bytes_per_raw_byte: how far a .gz of NCBI unfolds; for releases whose notes give no sizes.
        text_bytes_per_record: the same for RefSeq, whose notes have no counts.
        table_bytes_per_text_byte: record tables, sequences and memberships.
        postgres_bytes_per_text_byte: tables with indexes.
        object_bytes_per_text_byte: distinct residues.
        peak_memory_bytes: of the process that did it, by stage.
    """

    measured_on: str
    download_bytes_per_second: float
    verify_bytes_per_second: float
    parse_text_bytes_per_second: float
    deduplicate_records_per_second: float
    load_text_bytes_per_second: float
    objects_per_second: float
    object_bytes_per_second: float
    text_bytes_per_raw_byte: float
    text_bytes_per_record: float
    table_bytes_per_text_byte: float
    postgres_bytes_per_text_byte: float
    object_bytes_per_text_byte: float
    peak_memory_bytes: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def to_json(self) -> str:
        """Return the file's content."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"


def measured_rates() -> Rates:
    """Return the rates that came with this version."""
    content: dict[str, Any] = json.loads(RATES_FILE.read_text("utf-8"))
    return Rates(**content)
