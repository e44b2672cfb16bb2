"""Which months have values that changed after they were loaded."""

from datetime import date, datetime, timedelta
from typing import Any

import psycopg

# The instant a revised row is about, by table of old versions.
ABOUT = {
    "records.candle_revisions": "open_time",
    "records.trade_revisions": "event_time",
    "records.observation_revisions": "event_time",
    "records.corporate_action_revisions": "ex_date",
    "records.article_revisions": "knowledge_time",
    "records.document_revisions": "filed_at",
}
# A split that becomes known changes the bars that were fetched before it, without a new version of them.
ADJUSTED = """
    SELECT date_trunc('month', c.open_time)::date AS month, a.{changed_at} AS superseded_at FROM {table} AS a
    INNER JOIN records.candles AS c
        ON c.fetch_id = a.fetch_id AND c.listing_id = a.listing_id AND c.open_time BETWEEN a.from_time AND a.to_time
    WHERE a.{changed_at} > coalesce(%(since)s, '-infinity'::timestamptz)
"""
# A load marks its rows with the time it began at, and commits later.
OVERLAP = timedelta(hours=1)


def revised_months(connection: "psycopg.Connection[Any]", *, since: datetime | None) -> dict[date, datetime]:
    """The newest revision of each month that has one since `since` or shortly before; None: since ever.

    Bars that a split puts into other shares count as revised.
    """
    parts = [
        f"SELECT date_trunc('month', {about})::date AS month, superseded_at FROM {table} "
        "WHERE superseded_at > coalesce(%(since)s, '-infinity'::timestamptz)"
        for table, about in ABOUT.items()
    ]
    parts += [
        ADJUSTED.format(table="records.split_adjustments", changed_at="recorded_at"),
        ADJUSTED.format(table="records.split_adjustment_revisions", changed_at="superseded_at"),
    ]
    rows = connection.execute(
        f"SELECT month, max(superseded_at) FROM ({' UNION ALL '.join(parts)}) AS revised GROUP BY month ORDER BY month",
        {"since": since and since - OVERLAP},
    )
    return dict(rows.fetchall())


def stretches(months: list[date]) -> list[tuple[date, date]]:
    """Ascending months as stretches without a gap: the first and the last of each."""
    found: list[tuple[date, date]] = []
    for month in months:
        if found and (found[-1][1].replace(day=28) + timedelta(days=4)).replace(day=1) == month:
            found[-1] = found[-1][0], month
        else:
            found.append((month, month))
    return found
