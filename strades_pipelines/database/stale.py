"""What derived tables have yet to take in: the marks of `ops.stale` (see its migration)."""

from datetime import date
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

# In one statement: what of the marks lies outside of the window stays.
TAKE_IN = """
    WITH taken AS (
        DELETE FROM ops.stale WHERE relation = $1 AND days && daterange($2::date, $3::date) RETURNING *
    )
    INSERT INTO ops.stale (relation, listing_id, days, marked_at)
    SELECT relation, listing_id, unnest(range_agg(days) - datemultirange(daterange($2::date, $3::date))), min(marked_at)
    FROM taken GROUP BY relation, listing_id
"""
# Of bars that wait to be cleaned, and of clean bars that wait to be seen by features. Not of gaps and coverage, which
# take in whatever there is at each run.
WAITING = ("cleaned.session_bars", "cleaned.growth_factors", "cleaned.daily_bars", "features.daily")
MONTHS = """
    SELECT months.month::date, max(stale.marked_at) FROM (
        SELECT relation, marked_at, daterange(coalesce(lower(days), (
            SELECT min(bar.open_time)::date FROM records.candles AS bar
            WHERE bar.listing_id = marks.listing_id AND bar."interval" = '1d'
        )), upper(days)) * daterange(%(first)s, %(end)s) AS days
        FROM ops.stale AS marks WHERE relation = ANY(%(waiting)s)
    ) AS stale
    CROSS JOIN LATERAL generate_series(
        date_trunc('month', lower(stale.days)::timestamp), (upper(stale.days) - 1)::timestamp, interval '1 month'
    ) AS months (month)
    WHERE NOT isempty(stale.days)
    GROUP BY months.month ORDER BY months.month
"""


def take_in(cursor: "Cursor", relation: str, start: date, end: date) -> None:
    """Take away the marks of `relation` within [start, end), in the caller's transaction, before it reads anything."""
    cursor.execute(TAKE_IN, (relation, start, end))


def waiting_months(connection: "psycopg.Connection[Any]", first: date, end: date) -> dict[date, Any]:
    """The months within [first, end) that have rows which no clean bar or feature has taken in, and the newest mark."""
    asked = {"first": first, "end": end, "waiting": list(WAITING)}
    return dict(connection.execute(MONTHS, asked).fetchall())
