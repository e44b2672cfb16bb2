"""When data moves by itself."""

from typing import Any

import dagster as dg
from dagster import AutomationCondition as When

from strades_pipelines.keys import key

Condition = dg.AutomationCondition[Any]
IDENTITY = [key("records", entity) for entity in ("instruments", "listings", "sessions")]
FOLLOWERS = ("records", "staging", "cleaned", "marts", "features", "predictions", "signals", "results")
_IDENTITY = dg.AssetSelection.assets(*IDENTITY)

# Names and calendars: made at once, anew when the list of sources changed, and every night (a year may have begun).
_OUTDATED: Condition = When.code_version_changed() | When.cron_tick_passed("5 0 * * *", "UTC")
_ABSENT: Condition = When.missing() & ~When.execution_failed()
KEPT_IN_STEP: Condition = ((_ABSENT | _OUTDATED.since_last_handled()) & ~When.in_progress()).with_label("kept in step")

# A blocking check that failed holds back what comes after it; so does one that still runs, unless it is asked for now:
# then it does so in that same run. One that could not run calls a person (its run failed); what was good before stays.
_HELD_BY_CHECK: Condition = When.any_deps_match(
    ~When.will_be_requested() & When.any_checks_match(When.check_failed() | When.in_progress(), blocking_only=True)
).with_label("held back by a blocking check")

# Names and calendars concern every month, and are a reason to work through the newest one only.
_CHANGED: Condition = (
    When.newly_missing()
    | When.any_deps_updated().ignore(_IDENTITY)
    | (When.any_deps_updated().allow(_IDENTITY) & When.in_latest_time_window())
).with_label("changed upstream")

# As `eager`, but in every month, so that a late revision moves on as well; and a source without data in a month does
# not hold the month back.
GUARDED_EAGER: Condition = (
    _CHANGED.since_last_handled()
    & ~When.any_deps_match(When.missing()).allow(_IDENTITY).with_label("names or calendars missing")
    & ~When.any_deps_in_progress()
    & ~When.in_progress()
    & ~_HELD_BY_CHECK
).with_label("guarded eager")


def move_by_data(spec: dg.AssetSpec) -> dg.AssetSpec:
    """Give an asset the condition of its layer. Orders hang on `trading`: that waits for the trade sensor."""
    if spec.key in IDENTITY:
        return spec.replace_attributes(automation_condition=KEPT_IN_STEP)
    if spec.key.path[0] in FOLLOWERS:
        return spec.replace_attributes(automation_condition=GUARDED_EAGER)
    return spec
