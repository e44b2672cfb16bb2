"""Queries of a wallet's UTC days: returns beside those of holding; one day's prices, news, forecasts and orders."""

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

from dashboard.gateway.agenda import Place
from dashboard.gateway.reading import read

DAY = timedelta(days=1)
WALLETS = """
    SELECT c.wallet, c.name, c.mode, span.first_at, span.last_at
    FROM results.current_wallets AS c
    CROSS JOIN LATERAL (
        SELECT
            (SELECT e.time FROM results.equity AS e WHERE e.wallet = c.wallet ORDER BY e.time LIMIT 1) AS first_at,
            (SELECT e.time FROM results.equity AS e WHERE e.wallet = c.wallet ORDER BY e.time DESC LIMIT 1) AS last_at
    ) AS span
    WHERE span.first_at IS NOT NULL
    ORDER BY c.mode = 'replay', c.name
"""
# The last value of each day, after the base of the first return: the newest value before the first day, else the oldest
# of all. A replay has no deposits or withdrawals, so its equity is its growth.
VALUES = """
    SELECT asked.day, value.time AS valued_at, value.growth, value.benchmark
    FROM generate_series(%(first)s::date, %(last)s::date, interval '1 day') AS series (at)
    CROSS JOIN LATERAL (SELECT CAST(series.at AS date) AS day) AS asked
    CROSS JOIN LATERAL (
        SELECT e.time, coalesce(e.growth, CASE w.mode WHEN 'replay' THEN e.equity END) AS growth, e.benchmark
        FROM results.equity AS e INNER JOIN trading.wallets AS w ON w.wallet = e.wallet
        WHERE e.wallet = %(wallet)s AND e.time >= asked.day::timestamp AT TIME ZONE 'UTC'
            AND e.time < (asked.day + 1)::timestamp AT TIME ZONE 'UTC'
        ORDER BY e.time DESC LIMIT 1
    ) AS value
    UNION ALL
    SELECT NULL, base.time, base.growth, base.benchmark
    FROM (
        (
            SELECT 1 AS choice, e.time, coalesce(e.growth, CASE w.mode WHEN 'replay' THEN e.equity END) AS growth,
                e.benchmark
            FROM results.equity AS e INNER JOIN trading.wallets AS w ON w.wallet = e.wallet
            WHERE e.wallet = %(wallet)s AND e.time < %(first)s::date::timestamp AT TIME ZONE 'UTC'
            ORDER BY e.time DESC LIMIT 1
        )
        UNION ALL
        (
            SELECT 2, e.time, coalesce(e.growth, CASE w.mode WHEN 'replay' THEN e.equity END), e.benchmark
            FROM results.equity AS e INNER JOIN trading.wallets AS w ON w.wallet = e.wallet
            WHERE e.wallet = %(wallet)s ORDER BY e.time LIMIT 1
        )
        ORDER BY choice LIMIT 1
    ) AS base
    ORDER BY 1 NULLS FIRST
"""
# Bars that open after an instant are not known at it: without the bound all of today's would be passed over first.
KNOWN = """
    SELECT l.listing_id, l.venue || ':' || l.symbol AS instrument, l.currency, newest.close, newest.close_time,
        newest.knowledge_time, before.close AS close_before
    FROM trading.wallets AS w
    CROSS JOIN LATERAL unnest(w.instruments) AS own (name)
    INNER JOIN records.listings AS l ON l.venue || ':' || l.symbol = own.name
    LEFT JOIN LATERAL (
        SELECT b.close, b.close_time, b.knowledge_time FROM {bars} AS b
        WHERE b.listing_id = l.listing_id AND {of_interval} AND b.open_time <= %(end)s AND b.knowledge_time <= %(end)s
        ORDER BY b.open_time DESC LIMIT 1
    ) AS newest ON true
    LEFT JOIN LATERAL (
        SELECT b.close FROM {bars} AS b
        WHERE b.listing_id = l.listing_id AND {of_interval} AND b.open_time <= %(start)s
            AND b.knowledge_time <= %(start)s
        ORDER BY b.open_time DESC LIMIT 1
    ) AS before ON true
    WHERE w.wallet = %(wallet)s ORDER BY instrument
"""
# An article counts for the first session that closes after it was known: within a week of its day.
NEWS = """
    SELECT n.knowledge_time AS known_at, n.source, n.title, n.fetch_id, n.listing_id
    FROM cleaned.news AS n
    WHERE n.listing_id = ANY(%(ids)s) AND n.session_date BETWEEN %(day)s AND %(day)s + 10
        AND n.knowledge_time >= %(start)s AND n.knowledge_time < %(end)s
    ORDER BY n.knowledge_time DESC, n.source, n.article_id LIMIT %(most)s
"""
PREDICTED = """
    SELECT f.prediction_id, f.name, f.decision_time, l.venue || ':' || l.symbol AS instrument, f.status, f.value,
        s.label, s.label_known_at
    FROM predictions.forecasts AS f
    INNER JOIN records.listings AS l ON l.listing_id = f.listing_id
    LEFT JOIN predictions.scores AS s ON s.prediction_id = f.prediction_id
    WHERE f.listing_id = ANY(%(ids)s) AND f.decision_time >= %(start)s AND f.decision_time < %(end)s
    ORDER BY f.decision_time DESC, f.name, instrument LIMIT %(most)s
"""
DONE = """
    SELECT act.kind, act.at, act.reference, l.venue || ':' || l.symbol AS instrument, l.currency, act.side,
        act.quantity, act.price, act.text, act.by_person
    FROM (
        (
            SELECT 'decision' AS kind, d.decided_at AS at, d.decision_id AS reference, d.listing_id,
                CASE WHEN d.order_request IS NOT NULL THEN 'order'
                    WHEN d.target > d.previous_target THEN 'buy' WHEN d.target < d.previous_target THEN 'sell'
                    ELSE 'hold' END AS side,
                NULL::numeric AS quantity, NULL::numeric AS price,
                concat_ws(' · ', d.reason, 'refused: ' || r.code || ' ' || r.detail) AS text,
                d.trigger_kind = 'person' AS by_person
            FROM signals.decisions AS d LEFT JOIN trading.refusals AS r ON r.decision_id = d.decision_id
            WHERE d.wallet = %(wallet)s AND d.decided_at >= %(start)s AND d.decided_at < %(end)s
                AND (d.decided_at, 'decision', d.decision_id) > (%(at)s, %(kind)s::text, %(reference)s::text)
            ORDER BY d.decided_at, d.decision_id LIMIT %(most)s
        )
        UNION ALL
        (
            SELECT 'fill', f.filled_at, f.fill_id, f.listing_id, f.side, f.quantity, f.price,
                f.fee || ' ' || coalesce(f.fee_currency, f.currency), false
            FROM trading.fills AS f
            WHERE f.wallet = %(wallet)s AND f.filled_at >= %(start)s AND f.filled_at < %(end)s
                AND (f.filled_at, 'fill', f.fill_id) > (%(at)s, %(kind)s::text, %(reference)s::text)
            ORDER BY f.filled_at, f.fill_id LIMIT %(most)s
        )
        UNION ALL
        (
            SELECT 'order', i.intended_at, i.intent_id, i.listing_id, i.side, i.quantity, i.limit_price,
                concat_ws(' · ', i.order_type, o.state, o.reason), false
            FROM trading.intents AS i LEFT JOIN trading.orders AS o ON o.intent_id = i.intent_id
            WHERE i.wallet = %(wallet)s AND i.intended_at >= %(start)s AND i.intended_at < %(end)s
                AND (i.intended_at, 'order', i.intent_id) > (%(at)s, %(kind)s::text, %(reference)s::text)
            ORDER BY i.intended_at, i.intent_id LIMIT %(most)s
        )
    ) AS act
    INNER JOIN records.listings AS l ON l.listing_id = act.listing_id
    ORDER BY act.at, act.kind, act.reference LIMIT %(most)s
"""


@dataclass(frozen=True)
class MeasuredWallet:
    """A wallet with results, with its first and last valuation."""

    wallet: str
    name: str
    mode: str
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class DayValue:
    """The last value of a UTC day and that of holding; `day` is None for the base of the first return.

    Args:
        growth: value without deposits and withdrawals; None where it was not stored.
    """

    day: date | None
    valued_at: datetime
    growth: float | None
    benchmark: float


@dataclass(frozen=True)
class KnownListing:
    """A listing's newest close that was known at the end of a day, and the one that was known at its beginning."""

    listing_id: int
    instrument: str
    currency: str
    close: float | None
    close_time: datetime | None
    knowledge_time: datetime | None
    close_before: float | None

    @property
    def change(self) -> float | None:
        """Of the close over the day, as a fraction."""
        return self.close / self.close_before - 1 if self.close is not None and self.close_before else None


@dataclass(frozen=True)
class KnownArticle:
    """An article that became known on the day."""

    known_at: datetime
    source: str
    title: str
    fetch_id: int
    listing_id: int


@dataclass(frozen=True)
class Prediction:
    """A forecast of the day: the expected log return of the next session, and the realized one, known later."""

    prediction_id: str
    name: str
    decision_time: datetime
    instrument: str
    status: str
    value: float | None
    label: float | None
    label_known_at: datetime | None


@dataclass(frozen=True)
class TradingEvent:
    """A decision, an order or a fill; `price` is the limit of an order, or the price of a fill."""

    kind: str
    at: datetime
    reference: str
    instrument: str
    currency: str
    side: str
    quantity: Decimal | None
    price: Decimal | None
    text: str
    by_person: bool

    @property
    def words(self) -> list[str]:
        """The parts of `text`: of a decision its reason, of an order its type, state and reason, of a fill its fee."""
        return self.text.split(" · ")

    @property
    def place(self) -> str:
        """The cursor of the next page: events after this one. `agenda.parse_entry_place` parses it."""
        return json.dumps([self.at.isoformat(), self.kind, "", self.reference])


def day_bounds(day: date, *, now: datetime) -> tuple[datetime, datetime]:
    """The first instant of a UTC day, and the earlier of its end and `now`."""
    start = datetime.combine(day, time(), UTC)
    return start, min(start + DAY, now)


def read_measured_wallets() -> list[MeasuredWallet]:
    """The trading wallets and the current replays that have results."""
    return read(MeasuredWallet, WALLETS)


def read_day_values(wallet: str, first: date, last: date) -> list[DayValue]:
    """The day values in [first, last], oldest first, after the value that the first return is measured from."""
    return read(DayValue, VALUES, wallet=wallet, first=first, last=last)


def read_known_prices(wallet: str, interval: str, start: datetime, end: datetime) -> list[KnownListing]:
    """The closes of a wallet's listings that were known at `end`. Daily closes need the tables that dbt builds."""
    bars, condition = ("records.adjusted_candles", 'b."interval" = %(interval)s')
    if interval == "1d":
        bars, condition = "cleaned.daily_bars", "true"
    query = KNOWN.replace("{bars}", bars).replace("{of_interval}", condition)
    return read(KnownListing, query, wallet=wallet, interval=interval, start=start, end=end)


def read_known_news(ids: list[int], start: datetime, end: datetime, *, most: int) -> list[KnownArticle]:
    """Articles about listings that became known in [start, end), newest first. Needs the tables that dbt builds."""
    return read(KnownArticle, NEWS, ids=ids, day=start.date(), start=start, end=end, most=most)


def read_predictions(ids: list[int], start: datetime, end: datetime, *, most: int) -> list[Prediction]:
    """Forecasts for listings that were made in [start, end), newest first."""
    return read(Prediction, PREDICTED, ids=ids, start=start, end=end, most=most)


def read_trading_events(
    wallet: str, start: datetime, end: datetime, *, after: Place | None, most: int
) -> list[TradingEvent]:
    """Decisions, orders and fills in [start, end), oldest first, from the place `after` on."""
    at, kind, _what, reference = after or (start - timedelta(microseconds=1), "", "", "")
    return read(
        TradingEvent, DONE, wallet=wallet, start=start, end=end, at=at, kind=kind, reference=reference, most=most
    )
