"""What an order comes to beside everything held and under way: the exact numbers that the limits look at."""

from collections.abc import Container, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from strades_pipelines.market.asset_choice import AssetChoice
from strades_pipelines.market.books import ZERO, Books
from strades_pipelines.market.instruments import Listing
from strades_pipelines.market.limits import ENDLESS, Measured
from strades_pipelines.market.order_terms import Order, OrderTerms

ONE = Decimal(1)
MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Market:
    """What the gate measures an order with, beside the books, at the time of a pass.

    Args:
        prices: the last known price by listing id; a listing that has none is absent.
        known_at: when each was known.
        closed: the listings whose exchange has no session now.
        choice: the choice of the day; None without one, or where no limit asks.
        recent_orders: orders made in the last minute.
        day_equity: before the first event of the day (UTC); None where no limit asks.
        peak: the highest equity so far; None as above.
    """

    prices: Mapping[int, Decimal]
    known_at: Mapping[int, datetime] = field(default_factory=dict)
    closed: Set[int] = frozenset()
    choice: AssetChoice | None = None
    recent_orders: int = 0
    day_equity: Decimal | None = None
    peak: Decimal | None = None


def measure(
    order: Order,
    listing: Listing,
    books: Books,
    *,
    price: Decimal,
    market: Market,
    now: datetime,
    restricted: Container[str],
) -> Measured[Decimal]:
    """What the limits look at, for an order that enlarges a position; everything under way counts at its worst.

    Args:
        price: of a unit: its limit or stop, else the last one.
        restricted: names of instruments.
    """
    last = market.prices.get(order.listing_id, ZERO)
    known_at = market.known_at.get(order.listing_id)
    equity = books.equity(market.prices)
    position, gross, long, short = ZERO, ZERO, ZERO, ZERO
    for listing_id in {*books.positions, *(other.listing_id for other in books.open_orders.values()), order.listing_id}:
        up, down = books.most(listing_id), books.least(listing_id)
        unit = market.prices.get(listing_id, books.average_price(listing_id))
        if listing_id == order.listing_id:
            # The order itself at its worst too, at the price that it may be filled at.
            up, down, unit = up + max(order.signed, ZERO), down + min(order.signed, ZERO), price
            position = max(abs(up), abs(down))
        gross += max(abs(up), abs(down)) * unit
        long, short = long + up * unit, short + down * unit
    return Measured(
        restricted=listing.name in restricted,
        price_age=ENDLESS if known_at is None else _seconds(now - known_at),
        rate=Decimal(market.recent_orders + 1),
        distance=_distance(order.terms, last),
        last_price=last,
        units=order.quantity,
        unit=price,
        position=position,
        gross=gross,
        net=max(abs(long), abs(short)),
        equity=equity,
        day_equity=equity if market.day_equity is None else market.day_equity,
        peak=equity if market.peak is None else max(market.peak, equity),
        slack=ONE,
    )


def _seconds(age: timedelta) -> Decimal:
    return Decimal(age // timedelta(microseconds=1)) / MILLION


def _distance(terms: OrderTerms, last: Decimal) -> Decimal:
    """How far the farthest limit, stop or trail is from the last price."""
    away = [abs(price - last) for price in (terms.limit, terms.stop) if price is not None]
    return max(*away, ZERO if terms.trail is None else terms.trail, ZERO)
