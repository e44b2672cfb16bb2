"""The exact books of one account: cash by currency, positions and what is under way."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_EVEN, Decimal

from strades_pipelines.market.bars_and_fills import Fill
from strades_pipelines.market.cost_basis import AVERAGE, CostBasis, Lot, sum_exact
from strades_pipelines.market.ledger_chain import UNIT_FEE, entries
from strades_pipelines.market.order_terms import Order
from strades_pipelines.market.rounding import EXACT, scaled
from strades_pipelines.market.split_arithmetic import Split

ZERO = Decimal(0)
AVERAGE_UNIT = Decimal("0.0000000001")


@dataclass(frozen=True, slots=True)
class Position:
    """Units held, what was paid for them, and what those that were sold brought, in the order of booking.

    Args:
        average_price: paid for one unit, fees apart, to 10 decimals.
        cost: of all that is held, fees in, at average cost.
        realised: the profit of what was sold, fees in, at average cost.
    """

    quantity: Decimal = ZERO
    average_price: Decimal = ZERO
    cost: Decimal = ZERO
    realised: Decimal = ZERO

    def after(self, fill: Fill) -> "Position":
        """The position once the fill is in."""
        quantity = EXACT.add(self.quantity, fill.units)
        lots = [Lot(fill.filled_at, self.quantity, self.cost)] if self.quantity else []
        basis = CostBasis(AVERAGE, lots)
        closed = basis.trade(fill.filled_at, fill.units, fill.cash_after_fee)
        realised = sum_exact([self.realised, *(disposal.profit for disposal in closed)])
        return Position(quantity, self._average_after(fill, quantity), basis.cost, realised)

    def after_split(self, split: Split) -> "Position":
        """The position once the split is in: as much cost for other units, the fraction that is no lot sold."""
        basis = CostBasis(AVERAGE, [Lot(split.at, self.quantity, self.cost)] if self.quantity else [])
        closed = basis.split(split)
        realised = sum_exact([self.realised, *(disposal.profit for disposal in closed)])
        average = scaled(self.average_price, 1 / split.ratio).quantize(AVERAGE_UNIT, rounding=ROUND_HALF_EVEN)
        return Position(basis.units, average if basis.units else ZERO, basis.cost, realised)

    def _average_after(self, fill: Fill, quantity: Decimal) -> Decimal:
        """What enlarges a position moves the average; what turns it starts it anew."""
        if quantity == 0:
            return ZERO
        if self.quantity * fill.units < 0:
            return self.average_price if quantity * self.quantity > 0 else fill.price
        paid = self.quantity * self.average_price + fill.units * fill.price
        return (paid / quantity).quantize(AVERAGE_UNIT, rounding=ROUND_HALF_EVEN)

    def unrealised(self, price: Decimal) -> Decimal:
        """The profit if all that is held were sold at `price` without a fee."""
        return EXACT.subtract(EXACT.multiply(self.quantity, price), self.cost)


@dataclass(slots=True)
class Books:
    """Cash, positions by listing, and open orders by intent.

    Args:
        cash: in the account's own currency, in which all of its instruments are quoted.
        foreign: cash in other currencies: what fees were taken from, deposits, dividends.
        unsettled: the intents that nobody can say of whether their venue has them: they count at their worst.
        cancelling: the intents that are to be cancelled; they may be filled all the same.
    """

    cash: Decimal
    positions: dict[int, Position] = field(default_factory=dict)
    open_orders: dict[str, Order] = field(default_factory=dict)
    foreign: dict[str, Decimal] = field(default_factory=dict)
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

        Those that hang on it do not count, nor those that stop where nothing is left to reduce: but one at the market
        is as good as done, and so is one that is to be cancelled, since nobody cuts what it may still sell.

        Args:
            group: of the order that comes now.
            at_market: count those at the market, and those to be cancelled, alone.
        """
        total = ZERO
        for order in self._open(listing_id):
            linked = group is not None and order.terms.group == group
            if order.side == side and not (linked or self._is_certain(order) or order.terms.parent_id):
                is_next = order.terms.is_market or order.intent_id in self.cancelling
                if is_next or not (at_market or order.terms.reduce_only):
                    total += order.signed
        return total

    def by_parent(self, order: Order, *, at_market: bool = False) -> Decimal:
        """Signed units of the parent of an order, and of the other orders that wait for it, as `engine.order_exposure`.

        Of a group, in which one cancels the others, the largest counts. A parent on the order's own side is counted by
        `under_way`; one that only reduces opens nothing for it to close.

        Args:
            at_market: as for `under_way`.
        """
        terms, total, groups = order.terms, ZERO, dict[str, Decimal]()
        for other in self._open(order.listing_id) if terms.parent_id is not None else ():
            if other.intent_id == terms.parent_id:
                total += ZERO if other.side == order.side or other.terms.reduce_only else other.signed
            elif other.terms.parent_id == terms.parent_id and other.side == order.side:
                group = other.terms.group
                if not (other.terms.is_market or not (at_market or other.terms.reduce_only)):
                    continue
                if group is None:
                    total += other.signed
                elif group != terms.group:
                    groups[group] = max(groups.get(group, ZERO), other.signed, key=abs)
        return total + sum(groups.values(), ZERO)

    def without_cancelling(self) -> "Books":
        """As they are once each order that is to be cancelled has ended unfilled."""
        left = {name: order for name, order in self.open_orders.items() if name not in self.cancelling}
        return replace(self, open_orders=left, cancelling=set())

    def on_sale(self, listing_id: int) -> Decimal:
        """Units of all open sales, whatever they wait for: one that is to be cancelled may be filled all the same."""
        return sum((order.quantity for order in self._open(listing_id) if order.side == "sell"), ZERO)

    def _is_certain(self, order: Order) -> bool:
        return order.is_for_target and order.intent_id not in self.unsettled

    def _uncertain(self, listing_id: int) -> Iterator[Order]:
        """The orders that may be done or not; those that only reduce, or are exits of another, enlarge nothing."""
        for order in self._open(listing_id):
            is_exit = order.terms.reduce_only or (order.terms.parent_id is not None and order.side == "sell")
            if not (self._is_certain(order) or is_exit):
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
        """Own cash and the positions at `prices` by listing id; one without a price counts at its average price.

        Cash in other currencies buys nothing here, and is not in it: see `foreign_value`.
        """
        # A listing that trades no more has no price: it counts as what was paid.
        return self.cash + sum((p.quantity * prices.get(i, p.average_price) for i, p in self.positions.items()), ZERO)

    def foreign_value(self, rates: Mapping[str, Decimal]) -> tuple[Decimal, list[str]]:
        """The cash in other currencies at `rates`, and the currencies that have no rate and are not in it."""
        return value_cash(self.foreign, rates)

    def apply(self, fill: Fill) -> None:
        """Take a fill into cash and position, and its order out of the open ones."""
        for entry in entries(fill):
            if entry.kind == UNIT_FEE:
                continue  # it is in the units
            if entry.currency == fill.currency:
                self.cash = EXACT.add(self.cash, entry.amount)
            else:
                self.foreign[entry.currency] = EXACT.add(self.foreign.get(entry.currency, ZERO), entry.amount)
        self.positions[fill.listing_id] = self.positions.get(fill.listing_id, Position()).after(fill)
        self.open_orders.pop(fill.intent_id, None)


def value_cash(cash: Mapping[str, Decimal], rates: Mapping[str, Decimal]) -> tuple[Decimal, list[str]]:
    """What cash by currency is worth at `rates` (of one unit), and the currencies without a rate, which are not in it.

    A missing rate is never 0: whoever shows the value has to name what is not in it.
    """
    unvalued = sorted(currency for currency, amount in cash.items() if amount and currency not in rates)
    valued = (EXACT.multiply(amount, rates[currency]) for currency, amount in cash.items() if currency in rates)
    return sum_exact(valued), unvalued
