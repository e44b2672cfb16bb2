"""Dagster's concurrency pools, each of which one step at a time may hold."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.settings import settings

if TYPE_CHECKING:
    import dagster as dg


def pools() -> list[str]:
    """The pools of every asset, each of which one step at a time may hold."""
    return [
        "records",
        "dbt",
        "train",
        "broker",
        *(f"source_{site.name}" for site in load_sources(settings().sources).websites),
    ]


def make_pools(instance: "dg.DagsterInstance", names: Iterable[str]) -> None:
    """Give each pool its limit now: of two runs that do so at once when they first use it, Dagster fails one.

    On PostgreSQL it also fails for a pool that has its limit.
    """
    known = {pool.name for pool in instance.event_log_storage.get_pool_limits()}
    for name in names:
        if name not in known:
            instance.event_log_storage.initialize_concurrency_limit_to_default(name)
