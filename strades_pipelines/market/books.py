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
    """Cash, positions by listing, and open orders by intent."""

    cash: Decimal
    positions: dict[int, Position] = field(default_factory=dict)
    open_orders: dict[str, Order] = field(default_factory=dict)

    def held(self, listing_id: int) -> Decimal:
        """Units held now."""
        return self.positions.get(listing_id, Position()).quantity

    def pending(self, listing_id: int) -> Decimal:
        """Signed units of the open orders for its target; those with terms may never be done."""
        return sum((order.signed for order in self._open(listing_id) if order.is_for_target), ZERO)

    def most_bought(self, listing_id: int) -> Decimal:
        """The units that orders with terms may buy at most; those that only reduce, or wait for another, add none."""
        return sum(
            (
                order.quantity
                for order in self._open(listing_id)
                if order.side == "buy" and not (order.is_for_target or order.terms.reduce_only or order.terms.parent_id)
            ),
            ZERO,
        )

    def _open(self, listing_id: int) -> Iterator[Order]:
        return (order for order in self.open_orders.values() if order.listing_id == listing_id)

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
