"""When data moves by itself."""

import dagster as dg
from dagster import AutomationCondition as When

from strades_pipelines.keys import key

IDENTITY = [key("records", entity) for entity in ("instruments", "listings", "sessions")]
FOLLOWERS = ("records", "staging", "cleaned", "marts", "features", "predictions", "signals", "results")
_IDENTITY = dg.AssetSelection.assets(*IDENTITY)

# Names and calendars: made at once, anew when the list of sources changed, and every night (a year may have begun).
KEPT_IN_STEP = (
    (
        (When.missing() & ~When.execution_failed())
        | (When.code_version_changed() | When.cron_tick_passed("5 0 * * *", "UTC")).since_last_handled()
    )
    & ~When.in_progress()
).with_label("kept in step")

# A check that failed holds back what comes after it; one that will run first, in the same run, does so there.
CHECKS_PASSED = When.all_deps_match(
    When.will_be_requested() | When.all_checks_match(When.check_passed(), blocking_only=True)
).with_label("blocking checks of all deps passed")

# Names and calendars concern every month, and are a reason to work through the newest one only.
CHANGED = (
    When.newly_missing()
    | When.any_deps_updated().ignore(_IDENTITY)
    | (When.any_deps_updated().allow(_IDENTITY) & When.in_latest_time_window())
).with_label("changed upstream")

# As `eager`, but in every month, so that a late revision moves on as well; and a source without data in a month does
# not hold the month back.
GUARDED_EAGER = (
    CHANGED.since_last_handled()
    & ~When.any_deps_match(When.missing()).allow(_IDENTITY).with_label("names or calendars missing")
    & ~When.any_deps_in_progress()
    & ~When.in_progress()
    & CHECKS_PASSED
).with_label("guarded eager")


def move_by_data(spec: dg.AssetSpec) -> dg.AssetSpec:
    """Give an asset the condition of its layer. Orders hang on `trading`: that waits for the trade sensor."""
    if spec.key in IDENTITY:
        return spec.replace_attributes(automation_condition=KEPT_IN_STEP)
    if spec.key.path[0] in FOLLOWERS:
        return spec.replace_attributes(automation_condition=GUARDED_EAGER)
    return spec
