"""What a strategy hears of: plain numbers; times are microseconds UTC, `i` is the index of the instrument.

`compiled_fields` are the numbers that compiled code has; what else an event offers is for code that runs per event.
"""

from datetime import UTC, datetime, timedelta
from typing import ClassVar

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The clock before the first event; there are prices of before 1970.
BEGINNING = -(1 << 62)
DAY_LENGTH = 86_400_000_000
# Kinds, in the order in which events of one instant come. ACTION_AT_OPEN is a corporate action in effect since the open
# of the bar that is known at that instant: its orders are done in the new units, and its close is in them.
RATE, ACTION_AT_OPEN, TRADE, QUOTE, BAR, REVISION, GAP, PREDICTION, ARTICLE, ACTION, RECORDED_FILL, TIMER = range(12)
KINDS = (
    "rate",
    "corporate_action",
    "trade",
    "quote",
    "bar",
    "bar_revision",
    "gap",
    "prediction",
    "article",
    "corporate_action",
    "fill",
    "timer",
)


def microseconds(time: datetime) -> int:
    """An aware time as microseconds since 1970, exactly."""
    return (time - EPOCH) // timedelta(microseconds=1)


def moment(time: int) -> datetime:
    """Microseconds since 1970 as an aware time."""
    return EPOCH + timedelta(microseconds=int(time))


class Bar:
    """A final bar, seen at its close: `time` is when it is known, `open_time` when it opened."""

    __slots__ = ("close", "high", "i", "low", "open", "open_time", "time", "volume")
    compiled_fields: ClassVar = ("i", "time", "open_time", "open", "high", "low", "close", "volume")

    def __init__(
        self, i: int, time: int, open_time: int, open: float, high: float, low: float, close: float, volume: float
    ) -> None:
        self.i = i
        self.time = time
        self.open_time = open_time
        self.open = open
        self.high = high
        self.low = low
        self.close = close
        self.volume = volume


class BarRevision(Bar):
    """A bar that was final and is now another one; what was traded on the old one stays traded."""


class Trade:
    """A trade of others: `buyer` is 1 when the buyer took, -1 when the seller did, 0 when nobody says."""

    __slots__ = ("buyer", "i", "price", "size", "time")
    compiled_fields: ClassVar = ("i", "time", "price", "size", "buyer")

    def __init__(self, i: int, time: int, price: float, size: float, buyer: float) -> None:
        self.i, self.time, self.price, self.size, self.buyer = i, time, price, size, buyer


class Quote:
    """The best bid and ask."""

    __slots__ = ("ask", "ask_size", "bid", "bid_size", "i", "time")
    compiled_fields: ClassVar = ("i", "time", "bid", "bid_size", "ask", "ask_size")

    def __init__(self, i: int, time: int, bid: float, bid_size: float, ask: float, ask_size: float) -> None:
        self.i, self.time = i, time
        self.bid, self.bid_size, self.ask, self.ask_size = bid, bid_size, ask, ask_size


class Gap:
    """Bars that are missing: `count` of them, from `start` on."""

    __slots__ = ("count", "i", "start", "time")
    compiled_fields: ClassVar = ("i", "time", "start", "count")

    def __init__(self, i: int, time: int, start: int, count: float) -> None:
        self.i, self.time, self.start, self.count = i, time, start, count


class Prediction:
    """A stored forecast of the model with the index `model` in the strategy's `models`."""

    __slots__ = ("i", "model", "time", "value")
    compiled_fields: ClassVar = ("i", "time", "value", "model")

    def __init__(self, i: int, time: int, value: float, model: float) -> None:
        self.i, self.time, self.value, self.model = i, time, value, model


class Article:
    """News about an instrument: what it says is in the database under `number`."""

    __slots__ = ("i", "number", "time", "tone")
    compiled_fields: ClassVar = ("i", "time", "tone", "number")

    def __init__(self, i: int, time: int, tone: float, number: float) -> None:
        self.i, self.time, self.tone, self.number = i, time, tone, number


class CorporateAction:
    """`ratio` new units for each old one (1 for none), `amount` of cash a unit, `ends` 1 when the listing ends.

    `ends_at` is not 0 where it is announced when the listing ends, microseconds UTC, or that it does not end after all
    (infinity). Of a symbol change all four say nothing.
    """

    __slots__ = ("amount", "ends", "ends_at", "i", "ratio", "time")
    compiled_fields: ClassVar = ("i", "time", "ratio", "amount", "ends", "ends_at")

    def __init__(self, i: int, time: int, ratio: float, amount: float, ends: float, ends_at: float = 0.0) -> None:
        self.i, self.time, self.ratio, self.amount, self.ends, self.ends_at = i, time, ratio, amount, ends, ends_at


class Rate:
    """What one unit of the currency of instrument `i` is worth in the account's, from now on.

    `opening` is of the time at which the instrument's bar of this instant opened, `closing` of the instant itself; both
    are the same where it has none. NaN where no rate is known yet.
    """

    __slots__ = ("closing", "i", "opening", "time")
    compiled_fields: ClassVar = ("i", "time", "opening", "closing")

    def __init__(self, i: int, time: int, opening: float, closing: float) -> None:
        self.i, self.time, self.opening, self.closing = i, time, opening, closing


class Fill:
    """A part of an order that was done; `quantity` is signed, `filled_at` the instant its price is of."""

    __slots__ = ("fee", "filled_at", "i", "order", "price", "quantity", "time")
    compiled_fields: ClassVar = ("i", "time", "order", "quantity", "price", "fee", "filled_at")

    def __init__(
        self, i: int, time: int, order: int, quantity: float, price: float, fee: float, filled_at: int
    ) -> None:
        self.i, self.time, self.order = i, time, order
        self.quantity, self.price, self.fee, self.filled_at = quantity, price, fee, filled_at


class OrderChange:
    """An order came into a state (`orders.STATES`), for a reason (`orders.OUTCOMES`)."""

    __slots__ = ("i", "order", "quantity", "reason", "state", "time")
    compiled_fields: ClassVar = ("i", "time", "order", "quantity", "state", "reason")

    def __init__(self, i: int, time: int, order: int, quantity: float, state: int, reason: int) -> None:
        self.i, self.time, self.order, self.quantity, self.state, self.reason = i, time, order, quantity, state, reason


class RecordedFill:
    """A fill that was really done elsewhere, coming back as an event: live sessions have these in place of a broker."""

    __slots__ = ("fee", "filled_at", "i", "order", "price", "quantity", "time")
    compiled_fields: ClassVar = ("i", "time", "filled_at", "order", "quantity", "price", "fee")

    def __init__(
        self, i: int, time: int, filled_at: int, order: float, quantity: float, price: float, fee: float
    ) -> None:
        self.i, self.time, self.filled_at, self.order = i, time, filled_at, order
        self.quantity, self.price, self.fee = quantity, price, fee


class Timer:
    """Every event of `time` is in; what `explain` is asked about for a decision that no single event made."""

    __slots__ = ("time",)

    def __init__(self, time: int) -> None:
        self.time = time
