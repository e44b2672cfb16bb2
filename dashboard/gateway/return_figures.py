"""Figures of a wallet's returns and what its fills cost beyond the price that was known: read as they are stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from dashboard.gateway.reading import read, read_one

# Of the band every n-th session, counted from the last one, so that a chart ends where the figures do.
RETURN_FIGURES = """
    SELECT s.sessions, s.measured_at, s.time_weighted, s.money_weighted, s.unvalued, s.ended_sessions, s.ended_at,
        s.mean_return, s.deviation, s.worst_return, s.best_return, s.bin_edges, s.bin_counts, s.draws, s.mean_block,
        s.seed, s.confidence, coalesce(band.times, '{}') AS times, coalesce(band.growth, '{}') AS growth,
        coalesce(band.lower, '{}') AS lower, coalesce(band.median, '{}') AS median, coalesce(band.upper, '{}') AS upper
    FROM results.return_statistics AS s
    CROSS JOIN LATERAL (
        SELECT array_agg(p.valued_at ORDER BY p.valued_at) AS times, array_agg(p.growth ORDER BY p.valued_at) AS growth,
            array_agg(p.lower ORDER BY p.valued_at) AS lower, array_agg(p.median ORDER BY p.valued_at) AS median,
            array_agg(p.upper ORDER BY p.valued_at) AS upper
        FROM (
            SELECT w.valued_at, b.growth, b.lower, b.median, b.upper,
                row_number() OVER (ORDER BY b.session_date DESC) AS place
            FROM results.growth_bands AS b
            INNER JOIN results.wallet_sessions AS w ON w.wallet = b.wallet AND w.session_date = b.session_date
            WHERE b.wallet = s.wallet
        ) AS p
        WHERE (p.place - 1) %% greatest(1, s.ended_sessions / %(points)s) = 0
    ) AS band
    WHERE s.wallet = %(wallet)s
"""
SLIPPAGE_BY_LISTING = """
    SELECT s.listing_id, l.venue || ':' || l.symbol AS instrument, s.currency, s.fills, s.unpriced, s.notional,
        s.slippage
    FROM results.listing_slippage AS s INNER JOIN records.listings AS l ON l.listing_id = s.listing_id
    WHERE s.wallet = %(wallet)s ORDER BY s.currency, instrument
"""
NEWEST_SLIPPAGE = """
    SELECT s.fill_id, s.filled_at, s.decided_at, l.venue || ':' || l.symbol AS instrument, s.side, s.quantity, s.price,
        s.currency, s.reference, s.slippage
    FROM results.fill_slippage AS s INNER JOIN records.listings AS l ON l.listing_id = s.listing_id
    WHERE s.wallet = %(wallet)s ORDER BY s.filled_at DESC, s.fill_id LIMIT %(most)s
"""


@dataclass(frozen=True)
class ReturnFigures:
    """A row of results.return_statistics, and the band of growth at every so many ended sessions, oldest first."""

    sessions: int
    measured_at: datetime
    time_weighted: float | None
    money_weighted: float | None
    unvalued: list[str]
    ended_sessions: int
    ended_at: datetime | None
    mean_return: float | None
    deviation: float | None
    worst_return: float | None
    best_return: float | None
    bin_edges: list[float]
    bin_counts: list[int]
    draws: int | None
    mean_block: float | None
    seed: int | None
    confidence: float | None
    times: list[datetime]
    growth: list[float]
    lower: list[float]
    median: list[float]
    upper: list[float]


@dataclass(frozen=True)
class Slippage:
    """What fills cost beyond the price that was known, in `currency`; below 0 they were better.

    Args:
        unpriced: fills whose decisions knew no price: they are in none of the sums.
        notional: what the others would have cost at the prices that were known.
    """

    currency: str
    fills: int
    unpriced: int
    notional: Decimal
    slippage: Decimal

    @property
    def share(self) -> float | None:
        """The part of the notional that it is."""
        return float(self.slippage / self.notional) if self.notional else None


@dataclass(frozen=True)
class ListingSlippage(Slippage):
    """That of one listing."""

    listing_id: int
    instrument: str


@dataclass(frozen=True)
class FillSlippage:
    """That of one fill; without a reference no price was known when it was decided."""

    fill_id: str
    filled_at: datetime
    decided_at: datetime
    instrument: str
    side: str
    quantity: Decimal
    price: Decimal
    currency: str
    reference: Decimal | None
    slippage: Decimal | None


def read_return_figures(wallet: str, *, points: int) -> ReturnFigures | None:
    """What the sessions of a wallet come to; None where none is measured yet. The band has up to 2 x `points`."""
    return read_one(ReturnFigures, RETURN_FIGURES, wallet=wallet, points=points)


def read_slippage(wallet: str) -> list[ListingSlippage]:
    """Slippage of each listing."""
    return read(ListingSlippage, SLIPPAGE_BY_LISTING, wallet=wallet)


def read_newest_slippage(wallet: str, *, most: int) -> list[FillSlippage]:
    """Slippage of the newest fills."""
    return read(FillSlippage, NEWEST_SLIPPAGE, wallet=wallet, most=most)


def slippage_by_currency(listings: Sequence[ListingSlippage]) -> list[Slippage]:
    """The sums of each currency: amounts of two currencies are never added up."""
    return [
        Slippage(
            currency,
            sum(one.fills for one in own),
            sum(one.unpriced for one in own),
            sum((one.notional for one in own), Decimal(0)),
            sum((one.slippage for one in own), Decimal(0)),
        )
        for currency in sorted({listing.currency for listing in listings})
        for own in [[listing for listing in listings if listing.currency == currency]]
    ]
