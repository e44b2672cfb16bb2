"""When data moves by itself."""

from typing import Any

import dagster as dg
from dagster import AutomationCondition as When

from strades_pipelines.keys import key

Condition = dg.AutomationCondition[Any]
IDENTITY = [key("records", entity) for entity in ("instruments", "listings", "calendars", "sessions", "bar_series")]
FOLLOWERS = ("records", "staging", "cleaned", "marts", "features", "predictions", "signals", "results", "ops")
_IDENTITY = dg.AssetSelection.assets(*IDENTITY)

# Names and calendars: made at once, again when the list of sources changed, and every night (a year may have begun).
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

# What has no months waits for work on the newest month of what it reads, and not for somebody's backfill of old ones.
_NEWEST_IN_PROGRESS: Condition = When.any_deps_match(When.in_progress() & When.in_latest_time_window()).with_label(
    "newest month of a dep in progress"
)


def _guarded_eager(deps_in_progress: Condition) -> Condition:
    """As `eager`, but in every month, so that a late revision moves on as well.

    And a source without data in a month does not hold the month back.
    """
    condition: Condition = (
        _CHANGED.since_last_handled()
        & ~When.any_deps_match(When.missing()).allow(_IDENTITY).with_label("names or calendars missing")
        & ~deps_in_progress
        & ~When.in_progress()
        & ~_HELD_BY_CHECK
    ).with_label("guarded eager")
    return condition


EACH_MONTH = _guarded_eager(When.any_deps_in_progress())
OVER_ALL_MONTHS = _guarded_eager(_NEWEST_IN_PROGRESS)


def move_by_data(spec: dg.AssetSpec) -> dg.AssetSpec:
    """Give an asset the condition of its layer. Orders hang on `trading`: that waits for the trade sensor."""
    if spec.key in IDENTITY:
        return spec.replace_attributes(automation_condition=KEPT_IN_STEP)
    if spec.key.path[0] in FOLLOWERS:
        condition = OVER_ALL_MONTHS if spec.partitions_def is None else EACH_MONTH
        return spec.replace_attributes(automation_condition=condition)
    return spec
