"""Orders, fills and refusals as the core knows them. Quantities are in base units, prices in quote units, exactly."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

ZERO = Decimal(0)


class Side(StrEnum):
    """Which side of the market an order takes."""

    BUY = "buy"
    SELL = "sell"


class OrderType(StrEnum):
    """How an order comes to its price."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING_STOP = "trailing_stop"


STOP_TYPES = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})


class TimeInForce(StrEnum):
    """How long an order works. POC is Gate.io's post-only: pending or cancelled."""

    DAY = "day"
    GTC = "gtc"
    IOC = "ioc"
    FOK = "fok"
    POC = "poc"


class OrderClass(StrEnum):
    """Whether an order has linked orders: an entry with exits, or two exits of which one cancels the other."""

    SIMPLE = "simple"
    BRACKET = "bracket"
    OCO = "oco"
    OTO = "oto"


class Status(StrEnum):
    """Alpaca's statuses, as far as this venue uses them; Gate.io's three are derived from them."""

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
    """What a client asks for. Either `quantity` (base units) or `cost` (quote units to spend) is given."""

    symbol: str
    side: Side
    type: OrderType
    quantity: Decimal | None
    cost: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None  # quote units
    trail_percent: Decimal | None = None  # 1 is one per cent
    time_in_force: TimeInForce = TimeInForce.GTC
    client_order_id: str = ""
    order_class: OrderClass = OrderClass.SIMPLE
    take_profit: Decimal | None = None  # limit price of the exit with a profit
    stop_loss: Decimal | None = None  # stop price of the exit with a loss
    stop_loss_limit: Decimal | None = None
    extended_hours: bool = False


@dataclass(frozen=True)
class Fill:
    """One execution. `number` rises by one over all accounts of a venue; the fee was taken from `fee_asset`."""

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
    cumulative: Decimal  # of the order, this fill included
    left: Decimal  # of the order after this fill, base units
    position: Decimal  # of the account in the base asset, after this fill


@dataclass
class Order:
    """An order and what became of it; times are UTC."""

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
    rivals: list[str] = field(default_factory=list)  # one cancels the others
    is_active: bool = True  # False: an exit that waits for its entry
    is_triggered: bool = False  # a stop whose price was reached
    is_resting: bool = False  # was in the book before the market reached its limit: a maker
    high_water: Decimal | None = None  # of a trailing stop: the best price since it was accepted
    visible_at: datetime | None = None  # look-ups miss it before

    @property
    def left(self) -> Decimal:
        """What is still to fill, base units; for an order by cost: what is still to spend, quote units."""
        if self.ticket.quantity is None:
            return (self.ticket.cost or ZERO) - self.value
        return self.ticket.quantity - self.filled

    @property
    def average_price(self) -> Decimal | None:
        """Mean price of the fills, unrounded; None without one."""
        return self.value / self.filled if self.filled else None

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will happen to it."""
        return self.status in FINISHED


@dataclass(frozen=True)
class OrderEvent:
    """Something that happened to an order; `order` is the live object, as it is when listeners are called."""

    kind: str  # as Alpaca's stream names it; `amended` is Gate.io's alone
    order: Order
    time: datetime
    fill: Fill | None = None


class Reason(StrEnum):
    """Why a request was refused; each API has its own codes and words for it."""

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
    """A request that the venue refuses; nothing was changed. `facts` go into the provider's error body."""

    def __init__(self, reason: Reason, message: str, **facts: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message
        self.facts: Mapping[str, str] = facts
