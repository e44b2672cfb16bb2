"""Orders, fills and refusals of the core. Quantities in base units, prices in quote units, exact decimals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)


class Side(StrEnum):
    """Side of an order."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """Type of an order."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


STOP_TYPES = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})


class TimeInForce(StrEnum):
    """Time in force. POC (pending or cancelled) is Gate.io's post-only."""

    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    POC = "poc"


class OrderClass(StrEnum):
    """Alpaca's order classes."""

    SIMPLE = "simple"
    BRACKET = "bracket"
    OCO = "oco"
    OTO = "oto"


class Status(StrEnum):
    """The subset of Alpaca's statuses in use; Gate.io's three are derived from them."""

    PENDING_NEW = "pending_new"
    ACCEPTED = "accepted"  # the session is closed: the order is queued
    NEW = "new"
    HELD = "held"  # an exit whose entry has no fill yet, or the stop of two exits
    PARTIALLY_FILLED = "partially_filled"
    PENDING_CANCEL = "pending_cancel"
    PENDING_REPLACE = "pending_replace"
    FILLED = "filled"
    CANCELED = "canceled"
    REPLACED = "replaced"
    EXPIRED = "expired"
    REJECTED = "rejected"


FINISHED = frozenset({Status.FILLED, Status.CANCELED, Status.REPLACED, Status.EXPIRED, Status.REJECTED})


@dataclass(frozen=True)
class Ticket:
    """A client's order. Either `quantity` (base units) or `cost` (quote units to spend) is set."""

    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal | None
    cost: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None  # quote units
    trail_percent: Decimal | None = None  # in per cent
    time_in_force: TimeInForce = TimeInForce.GTC
    client_order_id: str = ""
    order_class: OrderClass = OrderClass.SIMPLE
    take_profit: Decimal | None = None  # limit price of the take-profit exit
    stop_loss: Decimal | None = None  # stop price of the stop-loss exit
    stop_loss_limit: Decimal | None = None
    extended_hours: bool = False


@dataclass(frozen=True)
class Fill:
    """One execution. `number` counts over all accounts of a venue; the fee is deducted from `fee_asset`."""

    number: int
    order_id: str
    account: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    time: datetime
    is_maker: bool
    fee: Decimal
    fee_asset: str
    cumulative: Decimal  # filled quantity of the order, this fill included
    left: Decimal  # unfilled quantity of the order after this fill
    position: Decimal  # position of the account after this fill


@dataclass
class Order:
    """An order and its state; times are UTC."""

    number: int
    id: str
    account: str  # the API key that placed it
    ticket: Ticket
    status: Status
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None = None
    filled: Decimal = ZERO
    value: Decimal = ZERO  # of all fills, quote units
    fees: dict[str, Decimal] = field(default_factory=dict)  # by asset
    finish_reason: str = "open"  # as Gate.io's `finish_as`: open, filled, cancelled, ioc, fok, poc
    replaces: str | None = None
    replaced_by: str | None = None
    amend_text: str = "-"
    parent: str | None = None
    legs: list[str] = field(default_factory=list)
    rivals: list[str] = field(default_factory=list)  # linked exits, which cancel one another
    is_active: bool = True  # False: an exit whose entry is not filled
    is_triggered: bool = False  # a stop whose trigger price was reached
    is_resting: bool = False  # rested in the book: a maker when it executes
    idle_price: Decimal | None = None  # last price at which it did not execute: skipped until the price changes
    high_water: Decimal | None = None  # best price since a trailing stop was accepted
    visible_at: datetime | None = None  # look-ups do not return it before (eventual consistency)

    @property
    def left(self) -> Decimal:
        """Unfilled quantity in base units; for an order by cost, the unspent quote units."""
        if self.ticket.quantity is None:
            return (self.ticket.cost or ZERO) - self.value
        return self.ticket.quantity - self.filled

    @property
    def average_price(self) -> Decimal | None:
        """Average price of the fills, unrounded; None without fills."""
        return self.value / self.filled if self.filled else None

    @property
    def is_finished(self) -> bool:
        """Whether the status is final."""
        return self.status in FINISHED


@dataclass(frozen=True)
class OrderEvent:
    """An event of an order. `order` is the live object: listeners read it when they are called."""

    kind: str  # an event name of Alpaca's stream, or `amended` (Gate.io)
    order: Order
    time: datetime
    fill: Fill | None = None


class Reason(StrEnum):
    """Reason of a refusal; each API maps it to its own code and message."""

    INVALID = "invalid"
    MISSING = "missing"
    UNKNOWN_SYMBOL = "unknown symbol"
    DUPLICATE_CLIENT_ID = "duplicate client id"
    PRECISION = "precision"
    FRACTION = "fraction"
    TOO_SMALL = "too small"
    NO_FUNDS = "no funds"
    NO_POSITION = "no position"
    NO_SHORTING = "no shorting"
    WASH_TRADE = "wash trade"
    POST_ONLY = "post only"
    NOT_FOUND = "not found"
    CLIENT_ID_NOT_FOUND = "client id not found"
    FINISHED = "finished"
    NO_CHANGE = "no change"


class OrderRefused(Exception):
    """A refused request, without any effect. `facts` go into the provider's error body."""

    def __init__(self, reason: Reason, message: str, **facts: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message
        self.facts: Mapping[str, str] = facts
