"""The exact books of one cash account: cash, positions and what is under way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from strades_pipelines.market.events import Fill
from strades_pipelines.market.orders import Order

ZERO = Decimal(0)
AVERAGE_UNIT = Decimal("0.0000000001")


@dataclass(frozen=True, slots=True)
class Position:
    """Units held and the average price paid for them, fees apart."""

    quantity: Decimal = ZERO
    average_price: Decimal = ZERO

    def after(self, fill: Fill) -> "Position":
        """The position once the fill is in; only a purchase moves the average, which is kept to 10 decimals."""
        quantity = self.quantity + fill.signed
        if quantity == 0:
            return Position()
        if fill.side == "sell":
            return Position(quantity, self.average_price)
        paid = self.quantity * self.average_price + fill.quantity * fill.price
        return Position(quantity, (paid / quantity).quantize(AVERAGE_UNIT, rounding=ROUND_HALF_EVEN))


@dataclass(slots=True)
class Books:
    """Cash, positions by listing, and open orders by intent.

    Args:
        unsettled: the intents that nobody can say of whether their venue has them: they count at their worst.
        cancelling: the intents that are to be cancelled; they may be filled all the same.
    """

    cash: Decimal
    positions: dict[int, Position] = field(default_factory=dict)
    open_orders: dict[str, Order] = field(default_factory=dict)
    unsettled: set[str] = field(default_factory=set)
    cancelling: set[str] = field(default_factory=set)

    def held(self, listing_id: int) -> Decimal:
        """Units held now."""
        return self.positions.get(listing_id, Position()).quantity

    def pending(self, listing_id: int) -> Decimal:
        """Signed units of the open orders for its target, which are as good as done; those with terms may never be."""
        return sum((order.signed for order in self._open(listing_id) if self._is_certain(order)), ZERO)

    def most(self, listing_id: int) -> Decimal:
        """The highest position that it may come to with all that is under way."""
        bought = (order.quantity for order in self._uncertain(listing_id) if order.side == "buy")
        return self.held(listing_id) + self.pending(listing_id) + sum(bought, ZERO)

    def least(self, listing_id: int) -> Decimal:
        """The lowest such position."""
        sold = (order.quantity for order in self._uncertain(listing_id) if order.side == "sell")
        return self.held(listing_id) + self.pending(listing_id) - sum(sold, ZERO)

    def under_way(self, listing_id: int, side: str, *, group: str | None = None, at_market: bool = False) -> Decimal:
        """Signed units of open orders on a side that will or may be done before one that comes now.

        Those that hang on it or are to be cancelled do not count, nor those that stop where nothing is left to reduce:
        but one at the market is as good as done.

        Args:
            group: of the order that comes now.
            at_market: count those at the market alone.
        """
        total = ZERO
        for order in self._open(listing_id):
            linked = group is not None and order.terms.group == group
            if order.side == side and not (linked or self._is_certain(order) or order.terms.parent_id):
                counts = order.terms.is_market or not (at_market or order.terms.reduce_only)
                if counts and order.intent_id not in self.cancelling:
                    total += order.signed
        return total

    def _is_certain(self, order: Order) -> bool:
        return order.is_for_target and order.intent_id not in self.unsettled

    def _uncertain(self, listing_id: int) -> Iterator[Order]:
        """The orders that may be done or not; those that only reduce, or wait for another, enlarge nothing."""
        for order in self._open(listing_id):
            if not (self._is_certain(order) or order.terms.reduce_only or order.terms.parent_id):
                yield order

    def _open(self, listing_id: int) -> Iterator[Order]:
        return (order for order in self.open_orders.values() if order.listing_id == listing_id)

    def average_price(self, listing_id: int) -> Decimal:
        """What was paid for a unit on average, fees apart."""
        return self.positions.get(listing_id, Position()).average_price

    def free_cash(self) -> Decimal:
        """Cash that no open purchase may take; what open sales may bring does not count."""
        return self.cash - sum((order.reserved for order in self.open_orders.values()), ZERO)

    def equity(self, prices: Mapping[int, Decimal]) -> Decimal:
        """Cash and the positions at `prices` by listing id; one without a price counts at its average price."""
        return self.cash + sum((p.quantity * prices.get(i, p.average_price) for i, p in self.positions.items()), ZERO)

    def apply(self, fill: Fill) -> None:
        """Take the fill of a whole order into cash and position."""
        self.cash += -fill.signed * fill.price - fill.fee
        self.positions[fill.listing_id] = self.positions.get(fill.listing_id, Position()).after(fill)
        self.open_orders.pop(fill.intent_id, None)
