"""The round trips of a wallet: from a flat position in a listing to the next flat one, as results keep them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from dashboard.gateway.reading import read

ROUND_TRIPS = """
    SELECT t.sequence, t.listing_id, l.venue || ':' || l.symbol AS instrument, l.currency, t.side, t.opened_at,
        t.closed_at, t.fills, t.quantity, t.entry_price, t.exit_price, t.fees, t.profit
    FROM results.round_trips AS t INNER JOIN records.listings AS l ON l.listing_id = t.listing_id
    WHERE t.wallet = %(wallet)s AND t.sequence < coalesce(%(before)s, 2147483647)
    ORDER BY t.sequence DESC LIMIT %(most)s
"""


@dataclass(frozen=True)
class RoundTripRow:
    """One of them, in the shares of the bars; prices are averages without fees, the profit has them in.

    Args:
        sequence: in the order in which they became known, from 0.
        closed_at, profit: None while it is open.
    """

    sequence: int
    listing_id: int
    instrument: str
    currency: str
    side: str
    opened_at: datetime
    closed_at: datetime | None
    fills: int
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal | None
    fees: Decimal
    profit: Decimal | None

    @property
    def length(self) -> timedelta | None:
        """From its first fill to its last; None while it is open."""
        return None if self.closed_at is None else self.closed_at - self.opened_at

    @property
    def profit_share(self) -> float | None:
        """The profit as a fraction of what was paid for the units that opened it."""
        paid = self.quantity * self.entry_price
        return None if self.profit is None or not paid else float(self.profit / paid)


def read_round_trips(wallet: str, *, before: int | None, most: int) -> list[RoundTripRow]:
    """The newest first; `before` goes on from a page: only those with a smaller sequence."""
    return read(RoundTripRow, ROUND_TRIPS, wallet=wallet, before=before, most=most)
