"""Published series and articles as features read them: every version, each from the time at which it was known."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from strades_pipelines.database.asof import read_as_of
from strades_pipelines.predictor.families.news import COVERAGE
from strades_pipelines.predictor.families.published import SERIES
from strades_pipelines.predictor.inputs import Articles, Series
from strades_pipelines.predictor.tone import mention, tone

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
    ORDER BY source, article_id, recorded_at
)"""
NAMES = """
    SELECT l.listing_id, l.symbol, array_remove(array_agg(DISTINCT i.name), NULL)
    FROM records.listings AS l LEFT JOIN records.instruments AS i USING (symbol)
    WHERE l.listing_id = any($1::integer[]) GROUP BY l.listing_id, l.symbol
"""


def read_published(cursor: "Cursor", *, until: datetime) -> dict[str, Series]:
    """Every series that a feature reads, as known up to `until`; one that was never published is empty."""
    wanted = ", ".join(f"'{name}'" for name in SERIES)
    table = read_as_of(
        cursor, OBSERVATIONS, ("series", "event_time", "knowledge_time", "value"), known_at=until,
        where=f"series IN ({wanted})", order_by=("series", "event_time", "knowledge_time"),
    )  # fmt: skip
    return {name: _series(table.filter(pc.equal(table["series"], name))) for name in SERIES}


def _series(rows: pa.Table) -> Series:
    return Series(*(np.asarray(rows[name].to_numpy()) for name in ("event_time", "knowledge_time", "value")))


def read_articles(cursor: "Cursor", listings: Sequence[int], *, start: datetime, until: datetime) -> Articles:
    """The articles that the decisions in [start, until] look back on."""
    table = read_as_of(
        cursor, ARTICLES, ("knowledge_time", "title", "summary"), known_at=until,
        where="knowledge_time > $1::timestamptz", parameters=(start - timedelta(days=COVERAGE),),
        order_by=("knowledge_time", "source", "article_id"),
    )  # fmt: skip
    texts = [
        f"{title} {summary or ''}"
        for title, summary in zip(*(column.to_pylist() for column in table.columns[1:]), strict=True)
    ]
    tones = np.array([tone(text) for text in texts], np.int64).reshape(-1, 2)
    cursor.execute(NAMES, (list(listings),))
    patterns = {listing: mention(symbol, names) for listing, symbol, names in cursor.fetchall()}
    about = {
        listing: np.array([bool(pattern.search(text)) for text in texts], bool) for listing, pattern in patterns.items()
    }
    return Articles(np.asarray(table["knowledge_time"].to_numpy()), tones[:, 0], tones[:, 1], about)
