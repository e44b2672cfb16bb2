"""State of the matching core: accounts, orders, fills, listeners. No I/O; the clock is injected."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from sandbox.venue.account import Account
from sandbox.venue.instruments import Instrument
from sandbox.venue.matching import Book
from sandbox.venue.orders import (
    ZERO,
    Fill,
    Order,
    OrderEvent,
    OrderRefused,
    Reason,
    Status,
    Ticket,
)
from sandbox.venue.prices import PriceSource


@dataclass(frozen=True)
class Rules:
    """Differences between the order handling of venues."""

    instruments: Mapping[str, Instrument]
    currency: str  # of the accounts' equity
    first_id: int  # base of order and fill ids, so that two runs of a venue share none
    order_id: Callable[[int], str]  # of an order's number
    default_client_id: Callable[[int], str]
    client_ids_are_unique: bool
    client_id_lifetime: float | None  # seconds after an order's end during which look-ups know its client id
    margin: bool  # margin account: short sales, buying power, wash-trade check


@dataclass(frozen=True)
class Replacement:
    """A pending replacement. The old order may still be filled before it is carried out."""

    old: Order
    new: Order
    filled_at_request: Decimal


@dataclass
class Exchange:
    """The state of one venue. `partial_fill` gives the fraction, in (0, 1], that an order's next fill takes."""

    rules: Rules
    prices: PriceSource
    now: Callable[[], datetime]
    partial_fill: Callable[[Order], float] = lambda _: 1.0
    forgets_client_id: Callable[[Order], bool] = lambda _: False
    accounts: dict[str, Account] = field(default_factory=dict)  # by API key
    orders: dict[str, Order] = field(default_factory=dict)  # by id, in the order of creation
    working: dict[str, Order] = field(default_factory=dict)  # those that are not finished
    changed: dict[str, Order] = field(default_factory=dict)  # working orders that the next step must look at
    symbols: Counter[str] = field(default_factory=Counter)  # of working orders
    client_ids: dict[tuple[str, str], Order] = field(default_factory=dict)  # (API key, client id) -> the newest
    fills: list[Fill] = field(default_factory=list)
    listeners: list[Callable[[OrderEvent], None]] = field(default_factory=list)
    books: dict[str, Book] = field(default_factory=dict)  # of instruments with working orders
    seen_until: dict[str, datetime] = field(default_factory=dict)  # prints up to this time are matched
    manual_prices: dict[str, Book] = field(default_factory=dict)  # instruments held at a price by `hold_price`
    session_is_open: bool = True
    cancel_at: dict[str, datetime] = field(default_factory=dict)  # dead-man switches: API key -> due time
    replacements: list[Replacement] = field(default_factory=list)  # not carried out yet

    def open_account(self, key: str, secret: str, balances: Mapping[str, Decimal], multiplier: Decimal) -> Account:
        """Open an account, or reset the balances of an existing one; its orders stay."""
        number = self.accounts[key].number if key in self.accounts else len(self.accounts) + 1
        self.accounts[key] = Account(number, key, secret, self.now(), dict(balances), multiplier)
        return self.accounts[key]

    def add(self, key: str, ticket: Ticket) -> Order:
        """Add an order that passed the checks; the next `execution.advance` matches it."""
        number, now = len(self.orders) + 1, self.now()
        status = Status.PENDING_NEW if self.session_is_open else Status.ACCEPTED
        order = Order(number, self.rules.order_id(number), key, ticket, status, now, now)
        self.orders[order.id] = self.working[order.id] = self.changed[order.id] = order
        self.symbols[ticket.symbol] += 1
        if ticket.client_order_id:
            self.client_ids[key, ticket.client_order_id] = order
        return order

    def emit(self, kind: str, order: Order, at: datetime, fill: Fill | None = None) -> None:
        """Call the listeners with an event."""
        order.updated_at = at
        for listener in self.listeners:
            listener(OrderEvent(kind, order, at, fill))

    def finish(self, order: Order, status: Status, reason: str, at: datetime) -> None:
        """Mark an order as finished, without an event."""
        order.status, order.finish_reason, order.finished_at, order.updated_at = status, reason, at, at
        del self.working[order.id]
        self.changed.pop(order.id, None)
        self.symbols[order.ticket.symbol] -= 1

    def price(self, symbol: str) -> Decimal:
        """Return the last price of an instrument."""
        if symbol in self.manual_prices:
            return self.manual_prices[symbol].price
        return self.prices.last(symbol, self.now())

    def unit_price(self, asset: str) -> Decimal:
        """Return the price of one unit of an asset in the venue's currency; 0 if it is not traded against it."""
        matching = (
            each for each in self.rules.instruments.values() if (each.base, each.quote) == (asset, self.rules.currency)
        )
        instrument = next(matching, None)
        return self.price(instrument.symbol) if instrument else ZERO

    def working_of(self, key: str) -> Iterable[Order]:
        """Return the account's working orders."""
        return (order for order in self.working.values() if order.account == key)

    def find(self, key: str, order_id: str) -> Order:
        """Return an order of this account by the venue's id.

        Raises:
            OrderRefused: if there is none, or it is not visible yet.
        """
        order = self.orders.get(order_id)
        if order is None or order.account != key or not self.is_visible(order):
            raise OrderRefused(Reason.NOT_FOUND, f"order not found for {order_id}")
        return order

    def find_by_client_id(self, key: str, client_id: str) -> Order:
        """Return the newest order of this account with a client id.

        Raises:
            OrderRefused: if there is none, it is not visible yet, or the venue has forgotten the id.
        """
        order = self.client_ids.get((key, client_id))
        if order is None or not self.is_visible(order) or self._has_forgotten(order):
            raise OrderRefused(Reason.CLIENT_ID_NOT_FOUND, f"Order with client ID {client_id} not found")
        return order

    def is_visible(self, order: Order) -> bool:
        """Whether look-ups and lists return an order yet (eventual consistency)."""
        return order.visible_at is None or self.now() >= order.visible_at

    def _has_forgotten(self, order: Order) -> bool:
        if order.finished_at is None:
            return False
        lifetime = self.rules.client_id_lifetime
        is_old = lifetime is not None and (self.now() - order.finished_at).total_seconds() > lifetime
        return is_old or self.forgets_client_id(order)
