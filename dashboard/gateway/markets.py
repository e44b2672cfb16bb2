"""Listings with their last bars; one listing with its bars, news, decisions, fills and gaps, as known at an instant."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from dashboard.gateway.reading import read, read_one

# One listing, one interval: by the primary key, newest first.
LISTINGS = """
    SELECT l.listing_id, l.venue, l.symbol, l.currency, l.calendar, l.tick_size, newest."interval",
        newest.close, newest.close_time, newest.knowledge_time, before.close AS close_before, {gaps} AS gaps
    FROM (
        SELECT a.listing_id, a.venue, a.symbol, a.currency, a.calendar, a.tick_size FROM records.listings AS a
        {where} ORDER BY a.venue, a.symbol LIMIT %(most)s
    ) AS l
    LEFT JOIN LATERAL (
        SELECT c."interval", c.open_time, c.close, c.close_time, c.knowledge_time
        FROM (SELECT unnest(%(intervals)s::text[]) AS "interval") AS wanted
        CROSS JOIN LATERAL (
            SELECT * FROM records.candles AS own
            WHERE own.listing_id = l.listing_id AND own."interval" = wanted."interval"
            ORDER BY own.open_time DESC LIMIT 1
        ) AS c
        ORDER BY c.close_time DESC, c."interval" LIMIT 1
    ) AS newest ON true
    LEFT JOIN LATERAL (
        SELECT c.close FROM records.candles AS c
        WHERE c.listing_id = l.listing_id AND c."interval" = newest."interval" AND c.open_time < newest.open_time
        ORDER BY c.open_time DESC LIMIT 1
    ) AS before ON true
    ORDER BY l.venue, l.symbol
"""
BEHIND = """
    WHERE %(after)s::integer IS NULL
        OR (a.venue, a.symbol) > (SELECT p.venue, p.symbol FROM records.listings AS p WHERE p.listing_id = %(after)s)
"""
GAP_COUNT = "(SELECT coalesce(sum(g.missing), 0) FROM cleaned.gaps AS g WHERE g.listing_id = l.listing_id)"
INTERVALS = ("1d", "7d", "12h", "8h", "6h", "4h", "2h", "1h", "30m", "15m", "5m", "3m", "1m", "1s")
INTERVALS_OF = """
    SELECT wanted."interval" FROM unnest(%(intervals)s::text[]) AS wanted ("interval")
    WHERE EXISTS (
        SELECT FROM records.candles AS c WHERE c.listing_id = %(listing_id)s AND c."interval" = wanted."interval"
    )
"""
# Each bar in the version that was known: one that replaced another fetch's is known from its own fetch on. A version
# without a successor (it was withdrawn or excluded) was known until it was removed. Not a function of SQL: PostgreSQL
# would call one with a query in it for each row.
KNOWN_FROM = """
    CASE
        WHEN EXISTS (
            SELECT FROM records.candle_revisions AS older
            WHERE older.listing_id = %(listing_id)s AND older."interval" = %(interval)s
                AND older.open_time = v.open_time AND older.recorded_at < v.recorded_at AND older.fetch_id <> v.fetch_id
        ) THEN greatest(
            v.knowledge_time,
            (SELECT coalesce(f.answered_at, f.fetched_at) FROM rawsources.fetches AS f WHERE f.fetch_id = v.fetch_id)
        )
        ELSE v.knowledge_time
    END
"""
COLUMNS = "v.open_time, v.close_time, v.open, v.high, v.low, v.close, v.volume, v.fetch_id, v.recorded_at"
# The averages are over the closes that the table shows, and over as many before the first as they need. The stored
# features would not fit: they are per session, and in shares after later splits. The closes become numeric, since
# PostgreSQL sums a moving frame of doubles again at each bar.
BARS = f"""
    WITH current_page AS (
        SELECT {COLUMNS}, v.knowledge_time FROM records.candles AS v
        WHERE v.listing_id = %(listing_id)s AND v."interval" = %(interval)s AND v.knowledge_time <= %(as_of)s
        ORDER BY v.open_time DESC LIMIT %(most)s + 49
    ),
    versions AS (
        SELECT {COLUMNS}, {KNOWN_FROM} AS knowledge_time, NULL::timestamptz AS gone_at FROM current_page AS v
        UNION ALL
        SELECT {COLUMNS}, {KNOWN_FROM}, CASE
            WHEN v.open_time NOT IN (SELECT current_page.open_time FROM current_page) THEN v.superseded_at
        END
        FROM records.candle_revisions AS v
        WHERE v.listing_id = %(listing_id)s AND v."interval" = %(interval)s AND v.knowledge_time <= %(as_of)s
            AND v.open_time >= coalesce((SELECT min(current_page.open_time) FROM current_page), '-infinity')
    ),
    known AS (
        SELECT DISTINCT ON (v.open_time) v.* FROM versions AS v
        WHERE v.knowledge_time <= %(as_of)s AND (v.gone_at IS NULL OR v.gone_at > %(as_of)s) AND NOT EXISTS (
            SELECT FROM records.exclusion_spans AS spans
            WHERE spans.relation = 'candles'
                AND spans.key = ARRAY[%(listing_id)s::text, %(interval)s::text, v.open_time::text]
                AND spans.excluded_from <= %(as_of)s AND coalesce(spans.excluded_until, 'infinity') > %(as_of)s
        )
        ORDER BY v.open_time DESC, v.knowledge_time DESC, v.recorded_at DESC LIMIT %(most)s + 49
    ),
    averaged AS (
        SELECT known.*,
            CASE WHEN count(*) OVER twenty = 20 THEN avg(known.close::numeric) OVER twenty END::float8 AS average_20,
            CASE WHEN count(*) OVER fifty = 50 THEN avg(known.close::numeric) OVER fifty END::float8 AS average_50
        FROM known
        WINDOW twenty AS (ORDER BY known.open_time ROWS 19 PRECEDING),
            fifty AS (ORDER BY known.open_time ROWS 49 PRECEDING)
    ),
    newest AS (
        SELECT averaged.* FROM averaged
        WHERE averaged.open_time > (SELECT max(known.open_time) FROM known) - coalesce(%(span)s::interval, '1000 years')
        ORDER BY averaged.open_time DESC LIMIT %(most)s
    )
    SELECT newest.open_time, newest.close_time, newest.open, newest.high, newest.low, newest.close, newest.volume,
        newest.knowledge_time, newest.fetch_id, newest.average_20, newest.average_50
    FROM newest ORDER BY newest.open_time
"""
MARKS = """
    (
        SELECT 'decision' AS kind, d.decided_at AS at, d.decision_id AS reference, d.wallet AS who, d.reason AS text,
            NULL::numeric AS price, CASE WHEN d.target > d.previous_target THEN 'buy' ELSE 'sell' END AS side
        FROM results.current_wallets AS c
        INNER JOIN signals.decisions AS d ON d.wallet = c.wallet
        WHERE d.listing_id = %(listing_id)s AND d.decided_at BETWEEN %(first)s AND %(last)s
        ORDER BY d.decided_at DESC, d.decision_id LIMIT 200
    )
    UNION ALL
    (
        SELECT 'fill' AS kind, f.filled_at AS at, f.fill_id AS reference, f.wallet AS who,
            f.quantity::text || ' @ ' || f.price::text AS text, f.price, f.side
        FROM results.current_wallets AS c
        INNER JOIN trading.fills AS f ON f.wallet = c.wallet
        WHERE f.listing_id = %(listing_id)s AND f.filled_at BETWEEN %(first)s AND %(last)s
        ORDER BY f.filled_at DESC, f.fill_id LIMIT 200
    )
    ORDER BY at DESC, reference
"""
NEWS = """
    SELECT n.knowledge_time AS known_at, n.published_at, n.source, n.title, n.url, n.fetch_id
    FROM cleaned.news AS n
    WHERE n.listing_id = %(listing_id)s AND n.knowledge_time BETWEEN %(first)s AND %(last)s
    ORDER BY n.knowledge_time DESC, n.source, n.article_id LIMIT 40
"""
GAPS = """
    SELECT g."interval", g.gap_start, g.gap_end, g.missing, g.cause FROM cleaned.gaps AS g
    WHERE g.listing_id = %(listing_id)s ORDER BY g.gap_start DESC LIMIT 40
"""


SHARE_RATIO = """
    SELECT a.ratio FROM records.split_adjustments AS a
    WHERE a.listing_id = %(listing_id)s AND a.fetch_id = %(fetch_id)s AND %(at)s BETWEEN a.from_time AND a.to_time
"""


@dataclass(frozen=True)
class MarketRow:
    """A listing with its newest bar of any interval, and the close before that; None where no bar came yet."""

    listing_id: int
    venue: str
    symbol: str
    currency: str
    calendar: str
    tick_size: Decimal
    interval: str | None
    close: float | None
    close_time: datetime | None
    knowledge_time: datetime | None
    close_before: float | None
    gaps: int | None

    @property
    def change(self) -> float | None:
        """Of the close against that of the bar before, as a fraction."""
        if self.close is None or not self.close_before:
            return None
        return self.close / self.close_before - 1


@dataclass(frozen=True)
class Bar:
    """One bar; `knowledge_time` is when the world could know it.

    `average_20` and `average_50` are the means of that many closes, its own the last; None where fewer are known.
    """

    open_time: datetime
    close_time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float | None
    knowledge_time: datetime
    fetch_id: int
    average_20: float | None
    average_50: float | None


@dataclass(frozen=True)
class Mark:
    """A decision or a fill in a listing."""

    kind: str
    at: datetime
    reference: str
    who: str
    text: str
    price: Decimal | None
    side: str


@dataclass(frozen=True)
class NewsItem:
    """An article about a listing, at the time when it could be known."""

    known_at: datetime
    published_at: datetime | None
    source: str
    title: str
    url: str | None
    fetch_id: int


@dataclass(frozen=True)
class Gap:
    """A stretch of bars that are missing for one cause."""

    interval: str
    gap_start: datetime
    gap_end: datetime
    missing: int
    cause: str


@dataclass(frozen=True)
class _Interval:
    interval: str


@dataclass(frozen=True)
class _ShareRatio:
    ratio: float


def read_markets(*, has_gaps: bool, after: int | None, most: int) -> list[MarketRow]:
    """Listings by venue and symbol, behind the one with the id `after`. One query."""
    query = _listings(has_gaps=has_gaps, where=BEHIND)
    return read(MarketRow, query, intervals=list(INTERVALS), after=after, most=most)


def read_market(listing_id: int, *, has_gaps: bool) -> MarketRow | None:
    """One listing, or None."""
    query = _listings(has_gaps=has_gaps, where="WHERE a.listing_id = %(listing_id)s")
    return read_one(MarketRow, query, intervals=list(INTERVALS), listing_id=listing_id, most=1)


def _listings(*, has_gaps: bool, where: str) -> str:
    return LISTINGS.replace("{gaps}", GAP_COUNT if has_gaps else "NULL").replace("{where}", where)


def read_intervals(listing_id: int) -> list[str]:
    """The intervals of which a listing has bars, longest first."""
    found = read(_Interval, INTERVALS_OF, listing_id=listing_id, intervals=list(INTERVALS))
    return [row.interval for row in found]


def read_share_ratio(listing_id: int, fetch_id: int, at: datetime) -> float:
    """How many of today's shares one share of a stored row is; 1 where no split followed. One query.

    Args:
        fetch_id: the row's.
        at: when its bar opens or its dividend is known.
    """
    found = read_one(_ShareRatio, SHARE_RATIO, listing_id=listing_id, fetch_id=fetch_id, at=at)
    return found.ratio if found else 1.0


def read_bars(
    listing_id: int, interval: str, *, as_of: datetime, most: int, span: timedelta | None = None
) -> list[Bar]:
    """The newest bars that were known at `as_of`, oldest first; `span` reaches back from the newest one."""
    return read(Bar, BARS, listing_id=listing_id, interval=interval, as_of=as_of, most=most, span=span)


def read_marks(listing_id: int, first: datetime, last: datetime) -> list[Mark]:
    """Decisions and fills between two instants, newest first, of the wallets that trade and the current replays."""
    return read(Mark, MARKS, listing_id=listing_id, first=first, last=last)


def read_news(listing_id: int, first: datetime, last: datetime) -> list[NewsItem]:
    """Articles that became known between two instants, newest first. dbt must have made their table."""
    return read(NewsItem, NEWS, listing_id=listing_id, first=first, last=last)


def read_gaps(listing_id: int) -> list[Gap]:
    """The gaps of a listing, newest first. dbt must have made their table."""
    return read(Gap, GAPS, listing_id=listing_id)
