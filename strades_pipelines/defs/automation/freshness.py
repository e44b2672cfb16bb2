"""Freshness policies of assets. Dagster's daemon ignores partitions: a backfill of old months counts too."""

from datetime import timedelta
from functools import cache

import dagster as dg

from strades_pipelines.datamanager.cron import longest_wait
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.defs.automation.conditions import IDENTITY
from strades_pipelines.settings import settings

SLACK = timedelta(hours=1)
# Markets are closed over a long weekend: no new data for four days is normal.
DATA_DRIVEN = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=5), warn_window=timedelta(days=4))
DATA_DRIVEN_LAYERS = ("records", "cleaned", "marts", "features", "predictions", "signals", "results")


def expect_fresh(spec: dg.AssetSpec) -> dg.AssetSpec:
    """Attach the policy of the asset's layer; for a source, one from its schedule."""
    layer, entity = spec.key.path[0], spec.key.path[-1]
    policy = None
    if layer == "rawsources":
        policy = _of_schedule(_schedules().get(entity))
    elif layer in DATA_DRIVEN_LAYERS and spec.key not in IDENTITY:
        policy = DATA_DRIVEN
    return spec.replace_attributes(freshness_policy=policy) if policy else spec


def _of_schedule(cron: str | None) -> dg.FreshnessPolicy | None:
    """Warn after two missed ticks, fail after three."""
    if cron is None:
        return None
    wait = longest_wait(cron)
    return dg.FreshnessPolicy.time_window(fail_window=3 * wait + SLACK, warn_window=2 * wait + SLACK)


@cache
def _schedules() -> dict[str, str]:
    return {site.name: site.schedule for site in load_sources(settings().sources).websites if site.fonctionnel}
