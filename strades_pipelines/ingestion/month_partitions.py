"""Partitions of months, made ahead of their rows.

A row whose month has none goes to the DEFAULT partition, so that nothing fails where none was made in time.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg import errors

from strades_pipelines.database.monthly_tables import MONTHLY_TABLES, MonthlyTable, month_after
from strades_pipelines.ingestion.loader import LOAD_LOCK

# To attach a partition PostgreSQL locks the DEFAULT one, against readers too; as long as it waits, new readers wait.
WAIT = "SET LOCAL lock_timeout = '2s'"
# Below that a partition of its own saves a reader nothing, and each costs every plan a little.
CROWDED = 100_000
CROWDED_MONTHS = """
    SELECT date_trunc('month', t.{time})::date FROM {default} AS t
    WHERE t.{time} BETWEEN '0002-01-01' AND '9998-01-01'
    GROUP BY 1 HAVING count(*) >= {rows}
        AND date_trunc('month', t.{time})::date NOT IN (SELECT month FROM records.cold_months WHERE relation = '{name}')
    ORDER BY 1
"""
MOVE = """
    WITH moved AS (DELETE FROM {default} AS t WHERE {of_month} RETURNING *)
    INSERT INTO {partition} SELECT * FROM moved
"""
# Somebody reads, or a row of the month came meanwhile: another time.
BUSY = (errors.LockNotAvailable, errors.DeadlockDetected, errors.CheckViolation)


@dataclass
class MadePartitions:
    """Names of the partitions that were made, and of those that are left for the next time, because of readers."""

    made: list[str] = field(default_factory=list)
    postponed: list[str] = field(default_factory=list)


def create_months(connection: psycopg.Connection[Any], now: datetime) -> MadePartitions:
    """Make the partitions of this month and the next, and of months with many rows in a DEFAULT partition.

    Idempotent, also for several processes at once. Commits after each. Loads wait while rows of a month are moved.
    """
    found = MadePartitions()
    this_month = now.date().replace(day=1)
    for table in MONTHLY_TABLES.values():
        crowded = CROWDED_MONTHS.format(time=table.time, default=table.default, rows=CROWDED, name=table.name)
        months = {this_month, month_after(this_month), *(month for (month,) in connection.execute(crowded))}
        connection.rollback()
        for month in sorted(months):
            try:
                with connection.transaction(), connection.cursor() as cursor:
                    if create_month(cursor, table, month):
                        found.made.append(table.partition(month))
            except BUSY:
                found.postponed.append(table.partition(month))
    return found


def create_month(cursor: Any, table: MonthlyTable, month: date) -> bool:
    """Make a month's partition and move its rows there from the DEFAULT one; False where it is there. Commits nothing.

    Args:
        cursor: psycopg's or ADBC's.

    Raises:
        An error of the cursor's driver: somebody has been reading the DEFAULT partition for too long, or has written a
        row of the month meanwhile.
    """
    partition = table.partition(month)
    cursor.execute(LOAD_LOCK)
    cursor.execute(f"SELECT to_regclass('{partition}') IS NULL")
    [(is_missing,)] = cursor.fetchall()
    if not is_missing:
        return False
    cursor.execute(f"CREATE TABLE {partition} (LIKE {table.name} INCLUDING ALL)")
    cursor.execute("SELECT set_config('strades.deletes_old_frames', 'on', true)")  # they are moved, not changed
    cursor.execute(MOVE.format(default=table.default, of_month=table.of_month(month), partition=partition))
    cursor.execute("SELECT set_config('strades.deletes_old_frames', '', true)")
    cursor.execute(WAIT)
    cursor.execute(f"ALTER TABLE {table.name} ATTACH PARTITION {partition} {table.bounds(month)}")
    return True
