"""Reads articles as features look back on them: when they were known, their tone and whom they mention.

The words of an article are read once: its tone and mentions are kept in `ops.article_tones`, by the version that was
read and by what was looked for.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from strades_pipelines.analysis.tone import NEGATIVE, POSITIVE, mentions, tone
from strades_pipelines.database.asof import read_as_of
from strades_pipelines.database.bulk import load
from strades_pipelines.predictor.families.news import COVERAGE
from strades_pipelines.predictor.feature_inputs import Articles

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

Names = Mapping[int, tuple[str, Sequence[str]]]  # by listing_id: its symbol, and what its instruments are called
LISTING_NAMES = """
    SELECT l.listing_id, l.symbol, array_remove(array_agg(DISTINCT i.name), NULL)
    FROM records.listings AS l LEFT JOIN records.instruments AS i USING (symbol)
    GROUP BY l.listing_id, l.symbol ORDER BY l.listing_id
"""
# An article counts as it was first read: what an editor changed later was not known by then. The same bytes parsed anew
# may say that it was known later than was read at first, for instance where a date of the feed had been guessed.
FIRST_VERSIONS = """
    SELECT source, article_id, recorded_at, knowledge_time, title, summary FROM records.articles AS current
    WHERE knowledge_time > $1::timestamptz AND knowledge_time <= $2::timestamptz AND (
        SELECT true FROM records.article_revisions AS old
        WHERE old.source = current.source AND old.article_id = current.article_id LIMIT 1
    ) IS NULL
    UNION ALL
    (SELECT DISTINCT ON (source, article_id) source, article_id, recorded_at,
        max(knowledge_time) OVER (PARTITION BY source, article_id, fetch_id) AS knowledge_time, title, summary
    FROM (
        SELECT source, article_id, fetch_id, knowledge_time, title, summary, recorded_at FROM records.articles
        UNION ALL
        SELECT source, article_id, fetch_id, knowledge_time, title, summary, recorded_at FROM records.article_revisions
    ) AS every
    WHERE (source, article_id) IN (
        SELECT source, article_id FROM records.articles
        INNER JOIN records.article_revisions AS old USING (source, article_id)
        WHERE articles.knowledge_time > $1::timestamptz AND articles.knowledge_time <= $2::timestamptz
        UNION ALL
        SELECT source, article_id FROM records.article_revisions
        WHERE knowledge_time > $1::timestamptz AND knowledge_time <= $2::timestamptz
    )
    ORDER BY source, article_id, recorded_at)
"""
# The words only of what was not read yet. LIMIT 1 keeps the planner to a lookup an article, however many were read.
WITH_TONES = f"""(
    SELECT v.source, v.article_id, v.recorded_at AS first_recorded_at, v.knowledge_time,
        t.positive, t.negative, t.listings,
        CASE WHEN t.reader IS NULL THEN v.title || ' ' || coalesce(v.summary, '') END AS words
    FROM ({FIRST_VERSIONS}) AS v
    LEFT JOIN LATERAL (
        SELECT * FROM ops.article_tones AS stored
        WHERE stored.source = v.source AND stored.article_id = v.article_id
            AND stored.first_recorded_at = v.recorded_at AND stored.reader = $3
        LIMIT 1
    ) AS t ON true
    WHERE NOT EXISTS (
        SELECT FROM records.exclusion_spans AS spans
        WHERE spans.relation = 'articles' AND spans.excluded_until IS NULL AND spans.key = ARRAY[v.source, v.article_id]
    )
)"""
KEY = ("source", "article_id")
READ = ("positive", "negative", "listings")


def read_articles(cursor: "Cursor", listings: Sequence[int], *, start: datetime, until: datetime) -> Articles:
    """The articles that the decisions in [start, until] look back on.

    Writes the tones of those that were not read yet; commits nothing.
    """
    cursor.execute(LISTING_NAMES)
    names: Names = {listing: (symbol, known_as) for listing, symbol, known_as in cursor.fetchall()}
    reader = _reader(names)
    found = read_as_of(
        cursor, WITH_TONES, (*KEY, "first_recorded_at", "knowledge_time", *READ, "words"), known_at=until,
        where="knowledge_time > $1::timestamptz", parameters=(start - timedelta(days=COVERAGE), until, reader),
        order_by=("knowledge_time", *KEY),
    )  # fmt: skip
    is_new = pc.is_valid(found["words"])
    new = found.filter(is_new)
    if new.num_rows:
        new = _with_tones(new, names)
        kept = new.select([*KEY, "first_recorded_at", *READ]).append_column("reader", pa.array([reader] * new.num_rows))
        load(cursor, "ops.article_tones", kept, key=KEY, now=until, ignore=())
        found = pa.concat_tables([found.filter(pc.invert(is_new)), new])
        found = found.sort_by([(name, "ascending") for name in ("knowledge_time", *KEY)])
    return Articles(
        np.asarray(found["knowledge_time"].to_numpy()),
        np.asarray(found["positive"].to_numpy(), np.int64),
        np.asarray(found["negative"].to_numpy(), np.int64),
        _by_listing(found["listings"].combine_chunks(), set(listings)),
    )


def _reader(names: Names) -> str:
    """What a reading depends on beside the words."""
    return hashlib.sha256(json.dumps([sorted(POSITIVE), sorted(NEGATIVE), names]).encode()).hexdigest()


def _with_tones(articles: pa.Table, names: Names) -> pa.Table:
    """The articles with what their words come to."""
    words = articles["words"].to_pylist()
    # With a shape also where there is no article.
    tones = np.array([tone(text) for text in words], np.int32).reshape(-1, 2)
    mentioned: list[list[int]] = [[] for _ in words]
    for listing, places in sorted(mentions(words, names).items()):
        for place in np.flatnonzero(places):
            mentioned[place].append(listing)
    for name, column in zip(READ, (tones[:, 0], tones[:, 1], mentioned), strict=True):
        place = articles.column_names.index(name)
        articles = articles.set_column(place, name, pa.array(column, articles.schema.field(name).type))
    return articles


def _by_listing(mentioned: pa.ListArray, listings: set[int]) -> dict[int, NDArray[np.bool_]]:
    """Which articles mention each of the listings, shape (articles,); a listing that none mentions is left out."""
    flat, places = np.asarray(mentioned.flatten()), np.asarray(pc.list_parent_indices(mentioned))
    about = {}
    for listing in listings & set(np.unique(flat).tolist()):
        about[listing] = np.zeros(len(mentioned), bool)
        about[listing][places[flat == listing]] = True
    return about
