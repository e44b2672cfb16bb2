"""Who earned what in a wallet, session by session: its algorithm, people's own orders, and holding instead."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dashboard.gateway.reading import read

# Cumulated over all sessions and then thinned out, so that the last point is the whole; holding by the key of each day.
PROFITS = """
    WITH measured AS (
        SELECT s.session_date, s.valued_at, row_number() OVER (ORDER BY s.session_date) AS n, count(*) OVER () AS total
        FROM results.wallet_sessions AS s WHERE s.wallet = %(wallet)s
    ),
    earned AS (
        SELECT a.session_date,
            sum(a.pnl) FILTER (WHERE a.source = 'algorithm') AS algorithm,
            sum(a.pnl) FILTER (WHERE a.source = 'person') AS person,
            sum(a.pnl) FILTER (WHERE a.source = 'statement') AS statement
        FROM results.session_attribution AS a
        WHERE a.wallet = %(wallet)s AND (%(listing_id)s::integer IS NULL OR a.listing_id = %(listing_id)s)
        GROUP BY a.session_date
    ),
    running AS (
        SELECT m.valued_at, m.n, m.total,
            coalesce(sum(e.algorithm) OVER so_far, 0) AS algorithm,
            coalesce(sum(e.person) OVER so_far, 0) AS person,
            coalesce(sum(e.statement) OVER so_far, 0) AS statement
        FROM measured AS m LEFT JOIN earned AS e ON e.session_date = m.session_date
        WINDOW so_far AS (ORDER BY m.session_date)
    )
    SELECT r.valued_at, r.algorithm, r.person, r.statement, holding.profit AS held
    FROM running AS r
    CROSS JOIN LATERAL (
        SELECT sum(day.benchmark) AS profit
        FROM results.listing_performance AS p
        CROSS JOIN LATERAL (
            SELECT q.benchmark FROM results.listing_equity AS q
            WHERE q.wallet = p.wallet AND q.listing_id = p.listing_id AND q.time <= r.valued_at
                AND q.day <= CAST(r.valued_at AT TIME ZONE 'UTC' AS date)
            ORDER BY q.day DESC LIMIT 1
        ) AS day
        WHERE p.wallet = %(wallet)s AND (%(listing_id)s::integer IS NULL OR p.listing_id = %(listing_id)s)
    ) AS holding
    WHERE r.n = r.total OR r.n %% greatest(1, r.total / %(points)s) = 1 OR r.total <= %(points)s
    ORDER BY r.n
"""
LISTINGS = """
    SELECT p.listing_id, l.venue || ':' || l.symbol AS instrument
    FROM results.listing_performance AS p INNER JOIN records.listings AS l ON l.listing_id = p.listing_id
    WHERE p.wallet = %(wallet)s ORDER BY instrument
"""


@dataclass(frozen=True)
class ProfitPoint:
    """Profits since the opening up to the end of a session, in the wallet's currency, fees in.

    Args:
        held: of an equal part of the opening cash in each listing from its first close, without fees; None without one.
    """

    valued_at: datetime
    algorithm: Decimal
    person: Decimal
    statement: Decimal
    held: float | None


@dataclass(frozen=True)
class MeasuredListing:
    """A listing that a wallet was measured in."""

    listing_id: int
    instrument: str


def read_profits(wallet: str, listing_id: int | None, *, points: int) -> list[ProfitPoint]:
    """The profits in one listing, or in all of them where None; about `points` of the sessions, oldest first."""
    return read(ProfitPoint, PROFITS, wallet=wallet, listing_id=listing_id, points=points)


def read_measured_listings(wallet: str) -> list[MeasuredListing]:
    """The listings of a wallet's results, by name."""
    return read(MeasuredListing, LISTINGS, wallet=wallet)
