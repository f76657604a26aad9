"""Measured rates of the stages, from ``rates.json`` beside this module, written by ``benchmarks/rates.py``.

Estimates computed from them belong to ``plan``.
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
    """Rates and sizes measured on one machine.

    Attributes:
        measured_on: description of date and machine.
        download_bytes_per_second: assumed bandwidth to NCBI; not measured.
        verify_bytes_per_second: raw bytes fetched from a local folder and verified, by one worker.
        parse_text_bytes_per_second: text parsed to tables, on one core.
        deduplicate_records_per_second: records deduplicated by one process.
        load_text_bytes_per_second: text whose tables are loaded, by one connection.
        load_gain_of_a_worker: what each further connection adds to that rate, as a share of it.
        objects_per_second: objects sent by all connections of a process.
        object_bytes_per_second: residues sent in packs by all connections of a process.
        text_bytes_per_raw_byte: expansion of NCBI's .gz files, for releases whose notes list no sizes.
        text_bytes_per_record: mean record size, for RefSeq, whose notes list no counts.
        table_bytes_per_text_byte: size of record tables, sequences and memberships.
        postgres_bytes_per_text_byte: size of database tables with indexes.
        object_bytes_per_text_byte: size of distinct residues.
        pack_bytes_per_object_byte: size of packs, as a share of the residues in them.
        peak_memory_bytes: stage → peak memory of its process.
    """

    measured_on: str
    download_bytes_per_second: float
    verify_bytes_per_second: float
    parse_text_bytes_per_second: float
    deduplicate_records_per_second: float
    load_text_bytes_per_second: float
    load_gain_of_a_worker: float
    objects_per_second: float
    object_bytes_per_second: float
    text_bytes_per_raw_byte: float
    text_bytes_per_record: float
    table_bytes_per_text_byte: float
    postgres_bytes_per_text_byte: float
    object_bytes_per_text_byte: float
    pack_bytes_per_object_byte: float
    peak_memory_bytes: Mapping[str, int] = dataclasses.field(default_factory=dict)

    def to_json(self) -> str:
        """Return the content of ``rates.json``."""
        return json.dumps(dataclasses.asdict(self), indent=1) + "\n"


def measured_rates() -> Rates:
    """Return the rates shipped with this version."""
    content: dict[str, Any] = json.loads(RATES_FILE.read_text("utf-8"))
    return Rates(**content)
