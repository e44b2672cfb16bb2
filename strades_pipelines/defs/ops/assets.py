"""Events, runs, schedules and ticks as tables: one list for people, the dashboard and SQL."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from strades_pipelines.datamanager.agenda import runs_since, write_runs, write_schedules, write_ticks
from strades_pipelines.datamanager.event_log import record_new_events, write_platforms
from strades_pipelines.datamanager.schedule_overrides import read_schedule_overrides
from strades_pipelines.datamanager.sources import load_sources
from strades_pipelines.defs.ops.instance import runs, schedules, ticks
from strades_pipelines.defs.specs import counts, table_spec
from strades_pipelines.keys import key
from strades_pipelines.resources.database import Database
from strades_pipelines.settings import settings

TABLES = {
    "events": "What happened: runs, orders, refusals, schedules, articles, alerts. Grain: one row a happening.",
    "runs": "Dagster's runs. Grain: one row a run.",
    "schedules": "Schedules and sensors as they were last seen. Grain: one row a schedule.",
    "ticks": "Ticks that were, and those planned for the next days. Grain: one row a schedule and instant.",
}
DEPS = [key("results", "equity"), key("trading", "orders")]


@dg.multi_asset(
    name="ops", specs=[table_spec("ops", name, text, kinds={"postgres"}, deps=DEPS) for name, text in TABLES.items()]
)
def ops(context: dg.AssetExecutionContext, database: Database) -> Iterator[dg.MaterializeResult[Any]]:
    """Copy what Dagster knows of runs, schedules and ticks, and record the events of rows that changed. Idempotent."""
    sources, now, instance = load_sources(settings().sources), settings().now(), context.instance
    states = instance.all_instigator_state()
    with database.connect() as connection:
        known = schedules(states, sources, read_schedule_overrides(connection))
        write_platforms(connection, sources.websites)
        write_runs(connection, runs(instance, runs_since(connection)))
        write_schedules(connection, known, now=now)
        write_ticks(connection, known, ticks(instance, states, now), now=now)
        recorded = record_new_events(connection)
        connection.commit()
        for name in TABLES:
            asset = key("ops", name)
            yield dg.MaterializeResult(asset_key=asset, metadata=counts(connection, asset, events_recorded=recorded))


def defs() -> dg.Definitions:
    """The ops layer."""
    return dg.Definitions(assets=[ops])
