"""What months of what asset are there, missing or failed, in stretches."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any

import psycopg


@dataclass(frozen=True)
class Stretch:
    """Months of an asset, one after the other, in the same state: materialized, failed or missing."""

    asset: str
    first: date
    last: date
    status: str
    months: int


def stretches_of(asset: str, statuses: Iterable[tuple[date, str]]) -> list[Stretch]:
    """The stretches of an asset's months, which come in order and without a gap."""
    found = []
    for status, group in groupby(statuses, key=lambda pair: pair[1]):
        months = [month for month, _ in group]
        found.append(Stretch(asset, months[0], months[-1], status, len(months)))
    return found


def write_inventory(connection: "psycopg.Connection[Any]", found: Iterable[Stretch], *, now: datetime) -> None:
    """Put the stretches in the place of those that were; what is the same stays as it is. Commits nothing."""
    rows = [(one.asset, one.first, one.last, one.status, one.months) for one in found]
    keys = [(asset, first) for asset, first, *_ in rows]
    there = connection.execute("SELECT asset, first_month FROM ops.partition_inventory").fetchall()
    with connection.cursor() as cursor:
        cursor.executemany(
            "DELETE FROM ops.partition_inventory WHERE asset = %s AND first_month = %s", sorted(set(there) - set(keys))
        )
        cursor.executemany(
            """
            INSERT INTO ops.partition_inventory AS p VALUES (%s, %s, %s, %s, %s, %s)
            ON CONFLICT (asset, first_month) DO UPDATE SET last_month = EXCLUDED.last_month, status = EXCLUDED.status,
                months = EXCLUDED.months, recorded_at = EXCLUDED.recorded_at
            WHERE (p.last_month, p.status) IS DISTINCT FROM (EXCLUDED.last_month, EXCLUDED.status)
            """,
            [(*row, now) for row in rows],
        )
