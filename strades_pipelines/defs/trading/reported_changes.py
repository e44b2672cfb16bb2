"""Which tables changed since their last materialization. An event a table and pass would fill its database."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import psycopg

from strades_pipelines.keys import table

# In the metadata of a materialization: rows inserted, updated and deleted, as PostgreSQL counts them. A server that
# crashed counts from 0 again, which is another number.
CHANGES = "changes"
COUNTED = """
    SELECT schemaname || '.' || relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_all_tables
    WHERE schemaname || '.' || relname = ANY(%s)
"""
# Has a connection's own changes counted when its transaction ends, not some seconds later.
FLUSH = "SELECT pg_stat_force_next_flush()"
# Without news an asset is told of once a day: what nobody speaks of any more would count as old.
LONGEST_SILENCE = timedelta(days=1)


def count_changes(connection: "psycopg.Connection[Any]", assets: Iterable[dg.AssetKey]) -> dict[dg.AssetKey, int]:
    """How many rows of each table were ever inserted, updated and deleted. Ends the transaction."""
    connection.commit()  # within one, PostgreSQL shows what it has shown before
    names = {table(asset): asset for asset in assets}
    counted = connection.execute(COUNTED, [list(names)]).fetchall()
    connection.commit()
    return {names[name]: int(changes) for name, changes in counted}


def has_news(instance: dg.DagsterInstance, asset: dg.AssetKey, changes: int | None, now: datetime) -> bool:
    """Whether a table has changed since its asset's last materialization.

    Args:
        changes: as `count_changes` says; None where it does not.
        now: UTC, by the clock of this machine, as Dagster's events have it.
    """
    latest = instance.get_latest_materialization_event(asset)
    if latest is None or latest.asset_materialization is None or changes is None:
        return True
    told = latest.asset_materialization.metadata.get(CHANGES)
    is_recent = now.timestamp() - latest.timestamp < LONGEST_SILENCE.total_seconds()
    return not (is_recent and told is not None and told.value == changes)
