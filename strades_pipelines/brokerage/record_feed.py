"""Stored records as events of the hooks beside bars, trades and forecasts: revised bars, gaps, news, corporate actions.

Each is read only for a strategy that has the hook, by its knowledge time, and so alike for a backtest over what is
stored, a replay and a wallet that trades.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from strades_pipelines.analysis.tone import mentions, tone
from strades_pipelines.brokerage.hearing import Hearing
from strades_pipelines.database.asof import read_as_of
from strades_pipelines.engine.columns import Columns, Integers
from strades_pipelines.market.ids import int63
from strades_pipelines.market.instruments import interval_length
from strades_pipelines.strategy.events import ACTION, ARTICLE, GAP, microseconds

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Cursor

INSTANT = timedelta(microseconds=1)
ArticleIds = dict[float, str]  # by the number of its event: source and article_id, with a space between
Stretches = Mapping[int, Sequence[tuple[int, int]]]  # by listing: opening and closing times, microseconds UTC
NAMES = """
    SELECT l.listing_id, l.symbol, array_remove(array_agg(DISTINCT i.name), NULL)
    FROM records.listings AS l LEFT JOIN records.instruments AS i USING (symbol)
    WHERE l.listing_id IN ({ids}) GROUP BY l.listing_id, l.symbol ORDER BY l.listing_id
"""
# An article counts as it was first stored: what an editor changed later was not known by then. The same bytes parsed
# again may say that it was known later than was read at first.
FIRST_ARTICLES = """(
    SELECT DISTINCT ON (source, article_id) source, article_id, words, recorded_at,
        max(knowledge_time) OVER (PARTITION BY source, article_id, fetch_id) AS knowledge_time
    FROM (
        SELECT source, article_id, fetch_id, knowledge_time, recorded_at, title || ' ' || coalesce(summary, '') AS words
        FROM records.articles WHERE knowledge_time >= {since}
        UNION ALL
        SELECT source, article_id, fetch_id, knowledge_time, recorded_at, title || ' ' || coalesce(summary, '')
        FROM records.article_revisions AS old WHERE EXISTS (
            SELECT FROM records.articles AS a
            WHERE a.source = old.source AND a.article_id = old.article_id AND a.knowledge_time >= {since}
        )
    ) AS versions
    WHERE {stored} AND NOT EXISTS (
        SELECT FROM records.exclusion_spans AS spans
        WHERE spans.relation = 'articles' AND spans.excluded_until IS NULL
            AND spans.key = ARRAY[versions.source, versions.article_id]
    )
    ORDER BY source, article_id, recorded_at
)"""
# Splits as a market states them, dividends as the listing's own source does, in the shares of its bars. Neither keeps
# when it was first stored; one that its provider has moved to another day counts there alone.
ACTIONS = """(
    SELECT listing_id, ratio, 0::double precision AS amount, 0::double precision AS ends,
        0::double precision AS ends_at, knowledge_time
    FROM records.market_splits
    WHERE ratio <> 1 AND ratio < 'Infinity'
    UNION ALL
    SELECT paid.listing_id, 1, paid.amount / coalesce(adjusted.ratio, 1), 0, 0, paid.knowledge_time
    FROM records.corporate_actions AS paid
    LEFT JOIN records.split_adjustments AS adjusted
        ON paid.listing_id = adjusted.listing_id AND paid.fetch_id = adjusted.fetch_id
            AND paid.knowledge_time BETWEEN adjusted.from_time AND adjusted.to_time
    WHERE paid.action = 'dividend' AND paid.amount > 0 AND (
        SELECT true FROM records.moved_actions AS moved
        WHERE moved.listing_id = paid.listing_id AND moved.ex_date = paid.ex_date AND moved.action = paid.action
        ORDER BY moved.ex_date LIMIT 1
    ) IS NULL
    UNION ALL
    SELECT listing_id, 1, 0, ends, ends_at, knowledge_time FROM ({listing_events}) AS told
)"""
# The end of a listing as it is announced, and the end or the symbol change itself: where it takes effect, or was learnt
# later. One that was put off or called off by then does not come about.
LISTING_EVENTS = """
    WITH announced AS (
        SELECT DISTINCT ON (listing_id, event, symbol, occurrence, knowledge_time) *
        FROM records.listing_events WHERE {stored}
        ORDER BY listing_id, event, symbol, occurrence, knowledge_time, recorded_at DESC
    )
    SELECT listing_id, 0 AS ends, coalesce(1e6 * extract(epoch FROM effective_at), 'Infinity') AS ends_at,
        knowledge_time
    FROM announced WHERE event = 'delisted' AND coalesce(effective_at > knowledge_time, true)
    UNION ALL
    SELECT due.listing_id, (due.event = 'delisted')::integer, 0, due.at FROM (
        SELECT *, greatest(effective_at, knowledge_time) AS at FROM announced WHERE effective_at IS NOT NULL
    ) AS due
    WHERE NOT EXISTS (
        SELECT FROM announced AS later
        WHERE (later.listing_id, later.event, later.symbol, later.occurrence)
            = (due.listing_id, due.event, due.symbol, due.occurrence)
            AND later.knowledge_time > due.knowledge_time AND later.knowledge_time <= due.at
    )
"""
STRETCHES = """
    SELECT l.listing_id, hours.opens, hours.closes FROM records.listings AS l
    INNER JOIN records.sessions AS s USING (calendar)
    CROSS JOIN LATERAL (
        VALUES (s.open_time, CASE WHEN {whole} THEN s.close_time ELSE coalesce(s.break_start, s.close_time) END),
            (CASE WHEN NOT {whole} THEN s.break_end END, s.close_time)
    ) AS hours (opens, closes)
    WHERE l.listing_id IN ({ids}) AND l.calendar <> '24/7' AND hours.opens IS NOT NULL
        AND s.close_time > {start} AND s.open_time < {end}
    ORDER BY l.listing_id, hours.opens
"""


@dataclass(frozen=True)
class Known:
    """What is known in `[start, end)`, aware times, in the versions stored by `stored_by`; None: as they are."""

    start: datetime
    end: datetime
    stored_by: datetime | None = None

    @property
    def stored(self) -> str:
        """SQL: whether a version was stored by then."""
        return "true" if self.stored_by is None else f"recorded_at <= {literal(self.stored_by)}"


@dataclass
class RecordEvents:
    """Events of hooks, the tables that they were read from, and which article each number is."""

    parts: list[Columns] = field(default_factory=list)
    tables: list[pa.Table] = field(default_factory=list)
    article_ids: ArticleIds = field(default_factory=dict)


def literal(time: datetime) -> str:
    """An aware time in SQL."""
    return f"'{time.isoformat()}'::timestamptz"


def read_records(
    cursor: "Cursor", index: Mapping[int, int], hearing: Hearing, known: Known, *, is_resumed: bool
) -> RecordEvents:
    """Articles and corporate actions of listings, for a strategy that has their hooks.

    Args:
        index: the places of the listings, by their ids.
        is_resumed: whether the news of a warm-up was read before.
    """
    events = RecordEvents()
    if "on_article" in hearing.hooks:
        window = timedelta(0) if is_resumed else hearing.article_window
        _read_articles(cursor, index, replace(known, start=known.start - window), events)
    if "on_corporate_action" in hearing.hooks:
        _read_actions(cursor, index, known, events)
    return events


def names_of(listing_ids: Iterable[int]) -> str:
    """SQL: of each listing its id, its symbol and the names by which an article may mention it."""
    return NAMES.format(ids=_ids(listing_ids))


def _read_articles(cursor: "Cursor", index: Mapping[int, int], known: Known, events: RecordEvents) -> None:
    """An event for each listing that an article mentions; its tone is (good - bad) / (good + bad) words, 0 without."""
    cursor.execute(names_of(index))
    names = {listing: (symbol, known_as) for listing, symbol, known_as in cursor.fetchall()}
    table = read_as_of(
        cursor,
        FIRST_ARTICLES.format(since=literal(known.start), stored=known.stored),
        ["source", "article_id", "words", "knowledge_time", "recorded_at"],
        # What is known at `known_at` counts there, and `end` is out here.
        known_at=known.end - timedelta(microseconds=1),
        where=f"knowledge_time >= {literal(known.start)}",
        order_by=("knowledge_time", "source", "article_id"),
    )
    words = table["words"].to_pylist()
    counts = [tone(text) for text in words]
    tones = [(good - bad) / (good + bad) if good + bad else 0.0 for good, bad in counts]
    keys = list(zip(table["source"].to_pylist(), table["article_id"].to_pylist(), strict=True))
    numbers = [article_number(*key) for key in keys]
    events.article_ids |= {number: " ".join(key) for number, key in zip(numbers, keys, strict=True)}
    events.tables.append(table)
    for listing, places in sorted(mentions(words, names).items()):
        own = np.flatnonzero(places)
        floats = (np.array(tones)[own], np.array(numbers)[own])
        events.parts.append(event_columns(ARTICLE, index[listing], times_of(table, "knowledge_time")[own], *floats))


def article_number(source: str, article_id: str) -> float:
    """The number of an article's events: a hash of its key that a float holds exactly."""
    return float(int63(source, article_id) >> 10)


def _read_actions(cursor: "Cursor", index: Mapping[int, int], known: Known, events: RecordEvents) -> None:
    numbers = ("ratio", "amount", "ends", "ends_at")
    table = read_as_of(
        cursor,
        ACTIONS.format(listing_events=LISTING_EVENTS.format(stored=known.stored)),
        ["listing_id", *numbers, "knowledge_time"],
        known_at=known.end - timedelta(microseconds=1),
        where=f"listing_id IN ({_ids(index)}) AND knowledge_time >= {literal(known.start)}",
        order_by=("knowledge_time", "listing_id", *numbers),
    )
    events.tables.append(table)
    i = np.array([index[listing] for listing in table["listing_id"].to_pylist()], np.int32)
    floats = (np.asarray(table[name], np.float64) for name in numbers)
    events.parts.append(event_columns(ACTION, i, times_of(table, "knowledge_time"), *floats))


def read_gaps(
    cursor: "Cursor", index: Mapping[int, int], bars: pa.Table, interval: str, before: Mapping[int, datetime]
) -> Columns:
    """The bars that are missing between others: a gap is known with the bar behind it.

    Args:
        bars: the bars that the strategy hears, in their order.
        interval: how long they are.
        before: when the last bar before them closed, by listing; none where none did.
    """
    if not bars.num_rows:
        return event_columns(GAP, 0, np.empty(0, np.int64))
    opened, closed, heard = (times_of(bars, name) for name in ("open_time", "close_time", "knowledge_time"))
    listings = np.asarray(bars["listing_id"])
    step = interval_length(interval)
    start = min([bars["open_time"][0].as_py(), *before.values()])
    end = max(bars["open_time"].to_pylist()) + step
    whole = str(step >= timedelta(days=1)).lower()
    cursor.execute(STRETCHES.format(ids=_ids(index), whole=whole, start=literal(start), end=literal(end)))
    stretches: dict[int, list[tuple[int, int]]] = {}
    for listing, *hours in cursor.fetchall():
        first, last = map(microseconds, hours)
        stretches.setdefault(listing, []).append((first, last))
    parts = []
    for listing, i in index.items():
        own = np.flatnonzero(listings == listing)
        closes = closed[own]
        reached_before = [microseconds(before[listing])] if listing in before else closes[:1].tolist()
        # Bars come as they became known: a late one does not set back how far they reach.
        reached = np.maximum.accumulate([*reached_before, *closes.tolist()])[:-1]
        spans = zip(own.tolist(), reached.tolist(), opened[own].tolist(), strict=True)
        open_hours = stretches.get(listing)
        slots = [(place, missing_slots(since, until, step // INSTANT, open_hours)) for place, since, until in spans]
        holes = [(place, first, count) for place, (first, count) in slots if count > 0]
        known = heard[np.array([place for place, _, _ in holes], np.int64)]
        gaps = event_columns(GAP, i, known, np.array([float(count) for _, _, count in holes]))
        starts = np.array([slot for _, slot, _ in holes], np.int64)
        parts.append(Columns(gaps.kind, gaps.i, gaps.time, starts, *gaps.arrays[4:]))
    return Columns(*(np.concatenate(arrays) for arrays in zip(*(part.arrays for part in parts), strict=True)))


def missing_slots(since: int, until: int, step: int, stretches: Sequence[tuple[int, int]] | None) -> tuple[int, int]:
    """The first slot of a bar in `[since, until)` and how many there are, in microseconds UTC.

    Args:
        stretches: when the market is open; None: always. Where a bar is a day long, a stretch is one slot.
    """
    if stretches is None:
        return since, max(0, until - since) // step
    first, count = until, 0
    for opens, closes in stretches:
        if closes <= since or opens >= until:
            continue
        length = min(step, closes - opens)
        # Rounded up: the first slot that begins at `since` or later.
        start = opens + max(0, -(-(since - opens) // length)) * length
        slots = max(0, -(-(min(until, closes) - start) // length))
        if slots:
            first, count = min(first, start), count + slots
    return first, count


def event_columns(
    kind: int,
    i: "int | np.typing.NDArray[np.int32]",
    time: Integers,
    *floats: "np.typing.NDArray[np.float64]",
) -> Columns:
    """Events of one kind; numbers that it has not are 0."""
    n = len(time)
    zero = np.zeros(n)
    which = np.full(n, i, np.int32) if isinstance(i, int) else i
    padded = [*floats, *[zero] * (5 - len(floats))]
    return Columns(np.full(n, kind, np.int8), which, time, np.zeros(n, np.int64), *padded)


def _ids(listing_ids: Iterable[int]) -> str:
    return ", ".join(map(str, listing_ids))


def times_of(table: pa.Table, name: str) -> Integers:
    """A column of times, microseconds UTC."""
    return np.asarray(table[name].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()))
