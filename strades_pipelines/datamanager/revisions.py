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
# A load marks its rows with the time it began at, and commits later.
OVERLAP = timedelta(hours=1)


def revised_months(connection: "psycopg.Connection[Any]", *, since: datetime | None) -> dict[date, datetime]:
    """The newest revision of each month that has one since `since` or shortly before; None: since ever."""
    parts = [
        f"SELECT date_trunc('month', {about})::date AS month, superseded_at FROM {table} "
        "WHERE superseded_at > coalesce(%(since)s, '-infinity'::timestamptz)"
        for table, about in ABOUT.items()
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
