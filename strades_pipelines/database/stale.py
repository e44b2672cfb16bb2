"""What derived tables have yet to take in: the marks of `ops.stale` (see its migration)."""

import json
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Any

import psycopg

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

# A listing, None for every one, and its days: the first, and the one after the last.
Stretch = tuple[int | None, date, date]
# In one statement: what of the marks lies outside of the window stays.
TAKE_IN = """
    WITH taken AS (
        DELETE FROM ops.stale WHERE relation = $1 AND days && daterange($2::date, $3::date) RETURNING *
    ),
    left_over AS (
        INSERT INTO ops.stale (relation, listing_id, days, marked_at)
        SELECT
            relation, listing_id, unnest(range_agg(days) - datemultirange(daterange($2::date, $3::date))),
            min(marked_at)
        FROM taken GROUP BY relation, listing_id
    )
    SELECT stretches.listing_id, lower(stretches.days), upper(stretches.days)
    FROM (
        SELECT listing_id, unnest(range_agg(days * daterange($2::date, $3::date))) AS days
        FROM taken GROUP BY listing_id
    ) AS stretches
"""
MARKS = """
    SELECT stretches.listing_id, lower(stretches.days), upper(stretches.days)
    FROM (
        SELECT listing_id, unnest(range_agg(days * daterange($2::date, $3::date))) AS days FROM ops.stale
        WHERE relation = $1 AND days && daterange($2::date, $3::date) GROUP BY listing_id
    ) AS stretches
"""
MARK = """
    INSERT INTO ops.stale (relation, listing_id, days)
    SELECT $1, listing_id, unnest(range_agg(daterange(day, day, '[]')))
    FROM json_to_recordset($2::json) AS marked (listing_id integer, day date) GROUP BY listing_id
"""
MARKED_MONTHS = """
    SELECT DISTINCT months.month::date FROM ops.stale
    CROSS JOIN LATERAL generate_series(
        date_trunc('month', lower(days)::timestamp), (upper(days) - 1)::timestamp, interval '1 month'
    ) AS months (month)
    WHERE relation = $1 AND NOT lower_inf(days) AND NOT upper_inf(days) ORDER BY 1
"""
# Of bars that wait to be cleaned, and of clean bars that wait to be seen by features. Not of gaps and coverage, which
# take in whatever there is at each run.
WAITING = ("cleaned.session_bars", "cleaned.growth_factors", "cleaned.daily_bars", "features.daily")
# What is published concerns the months that have features, and no others: rates go back further than bars.
MONTHS = """
    WITH featured AS (
        SELECT daterange(min(ends.first_day), max(ends.last_day) + 1) AS days FROM records.listings
        CROSS JOIN LATERAL (
            SELECT
                (SELECT session_date FROM features.daily AS row WHERE row.listing_id = listings.listing_id
                ORDER BY decision_time LIMIT 1) AS first_day,
                (SELECT session_date FROM features.daily AS row WHERE row.listing_id = listings.listing_id
                ORDER BY decision_time DESC LIMIT 1) AS last_day
        ) AS ends
    ),
    stale AS (
        SELECT marked_at, daterange(%(first)s, %(end)s) * CASE
            WHEN listing_id IS NULL THEN days * (SELECT CASE WHEN isempty(f.days) OR lower_inf(f.days) THEN 'empty'
                ELSE f.days END FROM featured AS f)
            WHEN lower_inf(days) THEN (
                SELECT CASE WHEN count(*) = 0 THEN 'empty'
                    ELSE daterange(least(min(bar.open_time)::date, upper(days)), upper(days)) END
                FROM (
                    SELECT open_time FROM records.candles AS bar
                    WHERE bar.listing_id = marks.listing_id AND bar."interval" = '1d' ORDER BY open_time LIMIT 1
                ) AS bar
            )
            ELSE days
        END AS days
        FROM ops.stale AS marks WHERE relation = ANY(%(waiting)s)
    )
    SELECT months.month::date, max(stale.marked_at) FROM stale
    CROSS JOIN LATERAL generate_series(
        date_trunc('month', lower(stale.days)::timestamp), (upper(stale.days) - 1)::timestamp, interval '1 month'
    ) AS months (month)
    WHERE NOT isempty(stale.days)
    GROUP BY months.month ORDER BY months.month
"""


def take_in(cursor: "Cursor", relation: str, start: date, end: date) -> list[Stretch]:
    """Take away the marks of `relation` within [start, end), in the caller's transaction, before it reads anything.

    Returns:
        What was marked.
    """
    cursor.execute(TAKE_IN, (relation, start, end))
    return cursor.fetchall()


def marks(cursor: "Cursor", relation: str, start: date, end: date) -> list[Stretch]:
    """What is marked of `relation` within [start, end)."""
    cursor.execute(MARKS, (relation, start, end))
    return cursor.fetchall()


def mark(cursor: "Cursor", relation: str, days: Iterable[tuple[int, date]]) -> None:
    """Mark days of listings in `relation`, in the caller's transaction.

    Args:
        days: listing and day; of a time, the date that it says.
    """
    rows = [{"listing_id": listing, "day": f"{day:%F}"} for listing, day in set(days)]
    if rows:
        cursor.execute(MARK, (relation, json.dumps(rows)))


def marked_months(cursor: "Cursor", relation: str) -> list[date]:
    """The first days of the months in which `relation` has marks, ascending."""
    cursor.execute(MARKED_MONTHS, (relation,))
    return [month for (month,) in cursor.fetchall()]


def waiting_months(connection: "psycopg.Connection[Any]", first: date, end: date) -> dict[date, Any]:
    """The months within [first, end) that have rows which no clean bar or feature has taken in, and the newest mark."""
    asked = {"first": first, "end": end, "waiting": list(WAITING)}
    return dict(connection.execute(MONTHS, asked).fetchall())
