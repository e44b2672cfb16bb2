"""When data moves by itself."""

import dagster as dg

# An upstream that was never made (a source without data in this month) must not hold the others back; a failed blocking
# check upstream must.
GUARDED_EAGER = (
    dg.AutomationCondition.eager().without(~dg.AutomationCondition.any_deps_missing())
    & dg.AutomationCondition.all_deps_blocking_checks_passed()
).with_label("guarded eager")
MOVED_BY_DATA = ("records", "staging", "cleaned", "marts", "features", "predictions", "signals", "results")


def move_by_data(spec: dg.AssetSpec) -> dg.AssetSpec:
    """Give an asset the guarded eager condition, unless orders hang on it: those wait for the trade sensor."""
    if spec.key.path[0] not in MOVED_BY_DATA or spec.automation_condition is not None:
        return spec
    return spec.replace_attributes(automation_condition=GUARDED_EAGER)
