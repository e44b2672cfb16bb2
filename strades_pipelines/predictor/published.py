"""Published series and articles as features read them: every version, each from the time at which it was known."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from strades_pipelines.database.asof import read_as_of
from strades_pipelines.predictor.families.news import COVERAGE
from strades_pipelines.predictor.families.published import PUBLICATIONS, SERIES
from strades_pipelines.predictor.inputs import Articles, Series
from strades_pipelines.predictor.tone import mentions, tone

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

# A value that was revised stays what was known until its revision was; of one knowledge time the last record counts.
OBSERVATIONS = """(
    SELECT DISTINCT ON (series, event_time, knowledge_time) series, event_time, knowledge_time, value
    FROM records.observation_versions
    ORDER BY series, event_time, knowledge_time, recorded_at DESC
)"""
# An article counts as it was first read: what an editor changed later was not known by then. The same bytes parsed anew
# may say that it was known later than was read at first, for instance where a date of the feed had been guessed.
ARTICLES = """(
    SELECT DISTINCT ON (source, article_id) source, article_id, title, summary,
        max(knowledge_time) OVER (PARTITION BY source, article_id, fetch_id) AS knowledge_time
    FROM (
        SELECT source, article_id, fetch_id, knowledge_time, title, summary, recorded_at FROM records.articles
        UNION ALL
        SELECT source, article_id, fetch_id, knowledge_time, title, summary, recorded_at FROM records.article_revisions
    ) AS every
    WHERE (source, article_id) IN (
        SELECT source, article_id FROM records.articles
        WHERE knowledge_time > $1::timestamptz AND knowledge_time <= $2::timestamptz
        UNION ALL
        SELECT source, article_id FROM records.article_revisions
        WHERE knowledge_time > $1::timestamptz AND knowledge_time <= $2::timestamptz
    )
    ORDER BY source, article_id, recorded_at
)"""
NAMES = """
    SELECT l.listing_id, l.symbol, array_remove(array_agg(DISTINCT i.name), NULL)
    FROM records.listings AS l LEFT JOIN records.instruments AS i USING (symbol)
    WHERE l.listing_id = any($1::integer[]) GROUP BY l.listing_id, l.symbol
"""


# Of each series, the oldest of the last days that a decision at a time looks back on. A revised day does not count: it
# may have been known later than its newest version says.
OLDEST_DAYS = f"""
    SELECT wanted.series, oldest.event_time
    FROM unnest($1::text[]) AS wanted (series)
    CROSS JOIN LATERAL (
        SELECT min(event_time) AS event_time
        FROM (
            SELECT event_time FROM records.observations AS day
            WHERE day.series = wanted.series AND day.knowledge_time <= $2::timestamptz AND NOT EXISTS (
                SELECT FROM records.observation_revisions AS old
                WHERE old.series = day.series AND old.event_time = day.event_time
            )
            ORDER BY event_time DESC LIMIT {PUBLICATIONS}
        ) AS last
        HAVING count(*) = {PUBLICATIONS}
    ) AS oldest
"""


def read_published(cursor: "Cursor", *, until: datetime, start: datetime | None = None) -> dict[str, Series]:
    """Every series that a feature reads, as known up to `until`; one that was never published is empty.

    Args:
        start: the first decision; what is too old for it is left out. None leaves out nothing.
    """
    oldest: dict[str, datetime] = {}
    if start is not None:
        cursor.execute(OLDEST_DAYS, (list(SERIES), start))
        oldest = dict(cursor.fetchall())
    wanted = " OR ".join(_wanted(name, oldest.get(name)) for name in SERIES)
    table = read_as_of(
        cursor, OBSERVATIONS, ("series", "event_time", "knowledge_time", "value"), known_at=until,
        where=wanted, order_by=("series", "event_time", "knowledge_time"),
    )  # fmt: skip
    return {name: _series(table.filter(pc.equal(table["series"], name))) for name in SERIES}


def _wanted(series: str, oldest: datetime | None) -> str:
    since = f" AND event_time >= '{oldest.isoformat()}'::timestamptz" if oldest else ""
    return f"(series = '{series}'{since})"


def _series(rows: pa.Table) -> Series:
    return Series(*(np.asarray(rows[name].to_numpy()) for name in ("event_time", "knowledge_time", "value")))


def read_articles(cursor: "Cursor", listings: Sequence[int], *, start: datetime, until: datetime) -> Articles:
    """The articles that the decisions in [start, until] look back on."""
    table = read_as_of(
        cursor, ARTICLES, ("knowledge_time", "title", "summary"), known_at=until,
        where="knowledge_time > $1::timestamptz", parameters=(start - timedelta(days=COVERAGE), until),
        order_by=("knowledge_time", "source", "article_id"),
    )  # fmt: skip
    texts = [
        f"{title} {summary or ''}"
        for title, summary in zip(*(column.to_pylist() for column in table.columns[1:]), strict=True)
    ]
    tones = np.array([tone(text) for text in texts], np.int64).reshape(-1, 2)
    cursor.execute(NAMES, (list(listings),))
    about = mentions(texts, {listing: (symbol, names) for listing, symbol, names in cursor.fetchall()})
    return Articles(np.asarray(table["knowledge_time"].to_numpy()), tones[:, 0], tones[:, 1], about)
