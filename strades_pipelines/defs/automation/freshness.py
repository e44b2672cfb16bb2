"""How old an asset may be. Dagster's daemon looks at it; it knows no months: a backfill of old ones counts too."""

from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise

import dagster as dg

from strades_pipelines.datamanager.cron import ticks
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.defs.automation.conditions import IDENTITY
from strades_pipelines.settings import settings

# Any four weeks hold the longest wait of a weekly schedule; one that ticks less often is given a month and a half.
LOOKED_AT = timedelta(weeks=4)
RARE = timedelta(days=45)
A_MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
SLACK = timedelta(hours=1)
# Over a long weekend nothing need move.
DATA_DRIVEN = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=5), warn_window=timedelta(days=4))
DATA_DRIVEN_LAYERS = ("records", "cleaned", "marts", "features", "predictions", "signals", "results")


def expect_fresh(spec: dg.AssetSpec) -> dg.AssetSpec:
    """Give an asset the policy of its layer: a source that of its own schedule."""
    layer, entity = spec.key.path[0], spec.key.path[-1]
    policy = None
    if layer == "rawsources":
        policy = _of_schedule(_schedules().get(entity))
    elif layer in DATA_DRIVEN_LAYERS and spec.key not in IDENTITY:
        policy = DATA_DRIVEN
    return spec.replace_attributes(freshness_policy=policy) if policy else spec


def longest_wait(cron: str) -> timedelta:
    """The longest time between two ticks of a schedule."""
    found = list(ticks(cron, A_MONDAY, A_MONDAY + LOOKED_AT))
    return max((after - before for before, after in pairwise(found)), default=RARE)


def _of_schedule(cron: str | None) -> dg.FreshnessPolicy | None:
    """Two ticks may fail before a person should look, three are too many."""
    if cron is None:
        return None
    wait = longest_wait(cron)
    return dg.FreshnessPolicy.time_window(fail_window=3 * wait + SLACK, warn_window=2 * wait + SLACK)


@cache
def _schedules() -> dict[str, str]:
    return {site.name: site.schedule for site in load_sources(settings().sources).websites if site.fonctionnel}
