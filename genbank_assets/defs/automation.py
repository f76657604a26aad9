"""Automation conditions and the sensors that evaluate them; the sensors are off by default.

A new ``code_version`` makes a stage's output stale: the stage and those after it are materialized again for each loaded
division, in one run. Once a day, each loaded division is checked against NCBI's current release. New releases are
requested by the release sensors instead, because two automations of one asset would request it twice.
See https://docs.dagster.io/guides/automate/declarative-automation
"""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from genbank_assets.ncbi.catalog import COLLECTIONS, Collection

_Condition = dg.AutomationCondition
ASK_AT = "0 6 * * *"  # UTC

_CODE_CHANGED = _Condition.code_version_changed().since(_Condition.newly_requested() | _Condition.newly_updated())
REFRESH: dg.AutomationCondition[Any] = (
    (_CODE_CHANGED | _Condition.any_deps_match(_Condition.will_be_requested()))
    & ~_Condition.missing()
    & ~_Condition.in_progress()
).with_label("built by an older code version")
ASK_DAILY: dg.AutomationCondition[Any] = (
    _Condition.cron_tick_passed(ASK_AT) & _Condition.any_deps_match(~_Condition.missing())
).with_label("daily check is due")


def build_automation_sensors(
    collections: Iterable[Collection] = COLLECTIONS.values(),
) -> list[dg.AutomationConditionSensorDefinition]:
    """Return ``genbank_automation_sensor`` and ``refseq_automation_sensor``."""
    return [
        dg.AutomationConditionSensorDefinition(
            f"{collection.name}_automation_sensor",
            target=dg.AssetSelection.groups(collection.name)
            | dg.AssetSelection.checks_for_assets(dg.AssetKey([collection.name, "raw_files"])),
            default_status=dg.DefaultSensorStatus.STOPPED,
            description=(
                f"Rebuilds loaded divisions of {collection.title} after an upgrade that changed a code version, and "
                "checks once a day whether NCBI still offers the loaded releases. Turn it on before an upgrade: it "
                "detects only changes that happen while it is on."
            ),
        )
        for collection in collections
    ]
