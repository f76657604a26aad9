"""Conditions under which Dagster itself asks for runs, and the sensor that follows them; it is off until turned on.

A new ``code_version`` makes a stage's output stale: what was loaded is made again, with the stages after it, in one
run. And once a day every division is asked whether NCBI still offers its release. New releases are no matter of
conditions: the release sensors ask for them, and two drivers of one asset would ask twice.
See https://docs.dagster.io/guides/automate/declarative-automation
"""

from collections.abc import Iterable
from typing import Any

import dagster as dg

from genbank_assets.ncbi.catalog import COLLECTIONS, Collection

_Condition = dg.AutomationCondition
ASK_AT = "0 6 * * *"  # before people come to work, UTC

_CODE_CHANGED = _Condition.code_version_changed().since(_Condition.newly_requested() | _Condition.newly_updated())
REFRESH: dg.AutomationCondition[Any] = (
    (_CODE_CHANGED | _Condition.any_deps_match(_Condition.will_be_requested()))
    & ~_Condition.missing()
    & ~_Condition.in_progress()
).with_label("made by an older version of the code")
ASK_DAILY: dg.AutomationCondition[Any] = (
    _Condition.cron_tick_passed(ASK_AT) & _Condition.any_deps_match(~_Condition.missing())
).with_label("is to be asked once a day")


def build_automation_sensors(
    collections: Iterable[Collection] = COLLECTIONS.values(),
) -> list[dg.AutomationConditionSensorDefinition]:
    """``genbank_automation_sensor`` and ``refseq_automation_sensor``."""
    return [
        dg.AutomationConditionSensorDefinition(
            f"{collection.name}_automation_sensor",
            target=dg.AssetSelection.groups(collection.name)
            | dg.AssetSelection.checks_for_assets(dg.AssetKey([collection.name, "raw_files"])),
            default_status=dg.DefaultSensorStatus.STOPPED,
            description=(
                f"Rebuilds {collection.title}'s tables where a new version of the code makes them differently, and "
                "asks once a day whether NCBI still offers the release of each division. Turn it on before an upgrade: "
                "it sees what changes while it is on."
            ),
        )
        for collection in collections
    ]
