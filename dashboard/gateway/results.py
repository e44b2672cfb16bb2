"""How the wallets did against buying and holding: curves of the results layer, never worked out for a page."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from dashboard.gateway.reading import read, read_one

POINTS = 61  # of a small chart
# By the key of each instant: a year of minutes is not read for sixty points.
CURVES = """
    SELECT c.wallet, c.name, c.mode, c.strategy, c.currency, c.capital, curve.times, curve.equity, curve.benchmark,
        curve.drawdown,
        (p.statistics ->> 'total_return')::double precision AS total_return,
        (p.benchmark ->> 'total_return')::double precision AS benchmark_return,
        (p.statistics ->> 'max_drawdown')::double precision AS max_drawdown,
        (p.statistics ->> 'sharpe')::double precision AS sharpe,
        (p.statistics ->> 'round_trips')::integer AS round_trips,
        (p.statistics ->> 'fees')::double precision AS fees
    FROM results.current_wallets AS c
    INNER JOIN results.performance AS p ON p.wallet = c.wallet
    INNER JOIN LATERAL (
        SELECT
            (SELECT e.time FROM results.equity AS e WHERE e.wallet = c.wallet ORDER BY e.time LIMIT 1) AS first_at,
            (SELECT e.time FROM results.equity AS e WHERE e.wallet = c.wallet ORDER BY e.time DESC LIMIT 1) AS last_at
    ) AS span ON span.first_at IS NOT NULL
    CROSS JOIN LATERAL (
        SELECT array_agg(point.time ORDER BY n) AS times, array_agg(point.equity ORDER BY n) AS equity,
            array_agg(point.benchmark ORDER BY n) AS benchmark, array_agg(point.drawdown ORDER BY n) AS drawdown
        FROM generate_series(0, %(points)s - 1) AS n
        CROSS JOIN LATERAL (
            SELECT e.time, e.equity, e.benchmark, e.drawdown FROM results.equity AS e
            WHERE e.wallet = c.wallet
                AND e.time <= span.first_at + (span.last_at - span.first_at) * n / (%(points)s - 1)
            ORDER BY e.time DESC LIMIT 1
        ) AS point
    ) AS curve
    WHERE %(wallet)s::text IS NULL OR c.wallet = %(wallet)s
    ORDER BY c.mode, c.name
"""

SESSIONS = """
    SELECT s.session_date, s.time_weighted, s.fees, s.valued_at FROM results.wallet_sessions AS s
    WHERE s.wallet = %(wallet)s ORDER BY s.session_date
"""


@dataclass(frozen=True)
class WalletCurve:
    """A wallet's account and the same money bought and held, at the same instants; simple returns, net of fees.

    Args:
        drawdown: from the highest value so far, without what was paid in and out; None where it was not kept yet.
    """

    wallet: str
    name: str
    mode: str
    strategy: str
    currency: str
    capital: float
    times: list[datetime]
    equity: list[float]
    benchmark: list[float]
    drawdown: list[float | None]
    total_return: float | None
    benchmark_return: float | None
    max_drawdown: float | None
    sharpe: float | None
    round_trips: int | None
    fees: float | None

    @property
    def lead(self) -> float | None:
        """Return beyond that of buying and holding, as a fraction."""
        if self.total_return is None or self.benchmark_return is None:
            return None
        return self.total_return - self.benchmark_return

    @property
    def first_at(self) -> datetime:
        """The first instant of the curve."""
        return self.times[0]

    @property
    def last_at(self) -> datetime:
        """The last instant of the curve: what the figures are as of."""
        return self.times[-1]


def read_curves() -> list[WalletCurve]:
    """The wallets that trade and the current replays. One query."""
    return read(WalletCurve, CURVES, points=POINTS, wallet=None)


def read_curve(wallet: str, *, points: int) -> WalletCurve | None:
    """The curve of one wallet; None where it has no result, or is a replay that a newer one has replaced."""
    return read_one(WalletCurve, CURVES, points=points, wallet=wallet)


@dataclass(frozen=True)
class SessionReturn:
    """A session of a wallet: its time-weighted return (None where it began with nothing), and its fees in money."""

    session_date: date
    time_weighted: float | None
    fees: Decimal
    valued_at: datetime


def read_session_returns(wallet: str) -> list[SessionReturn]:
    """The sessions of a wallet, oldest first: one a trading day."""
    return read(SessionReturn, SESSIONS, wallet=wallet)
