"""Orders as numbers: what they are made of, the states they pass through, and why they end."""

import math

# Time in force.
GTC, DAY, IOC, FOK = 0, 1, 2, 3
# When: as soon as it can be, at the next open, at the next close.
ANY, ON_OPEN, ON_CLOSE = 0, 1, 2
# States.
FREE, NEW, WAITING, OPEN, FILLED, CANCELLED, REJECTED, EXPIRED = range(8)
STATES = ("free", "new", "waiting", "open", "filled", "cancelled", "rejected", "expired")
# What the gate made of a decision, and why an order ended.
OUTCOMES = (
    "accepted",
    "not_finite",
    "lot_precision",
    "already_at_target",
    "no_price",
    "position_below_zero",
    "cash_below_zero",
    "notional_over_equity",
    "margin",
    "trading_hours",
    "cool_down",
    "drawdown",
    "max_positions",
    "reduce_only",
    "insufficient_cash",
    "day_over",
    "immediate_or_cancel",
    "fill_or_kill",
    "one_cancels_other",
    "asked_for",
    "delisted",
    "before_opening",
    "superseded",
    "auction_over",
    "contradictory",
    "model_worse_than_naive",
    "by_venue",
    # Those of `market.limits`, by their numbers there.
    "restricted",
    "price_too_old",
    "order_rate",
    "price_collar",
    "order_units",
    "order_notional",
    "position_units",
    "position_notional",
    "gross_exposure",
    "net_exposure",
    "daily_loss",
    "max_drawdown",
    # Of a replay alone, which knows the sessions of its exchanges.
    "market_closed",
    # Of a backtest alone.
    "account_ruined",
)
(
    ACCEPTED,
    NOT_FINITE,
    LOT_PRECISION,
    AT_TARGET,
    NO_PRICE,
    BELOW_ZERO,
    NO_CASH,
    OVER_EQUITY,
    MARGIN_SHORT,
    OUT_OF_HOURS,
    COOLING_DOWN,
    IN_DRAWDOWN,
    TOO_MANY_POSITIONS,
    NOT_REDUCING,
    INSUFFICIENT_CASH,
    DAY_OVER,
    NOT_IMMEDIATE,
    NOT_WHOLE,
    OTHER_DONE,
    ASKED_FOR,
    DELISTED,
    BEFORE_OPENING,
    SUPERSEDED,
    AUCTION_OVER,
    CONTRADICTORY,
    DISTRUSTED,
    BY_VENUE,
) = range(27)  # and those of `market.limits`
MARKET_CLOSED = OUTCOMES.index("market_closed")
RUINED = OUTCOMES.index("account_ruined")
# A condition that an order has not, and how that is asked for: a NaN that is asked for is a mistake.
UNSET, NOT_GIVEN = math.nan, -math.inf
# When in a bar an order has its turn; see `SimulatedBroker.turn`.
AT_OPEN, FIRST, SECOND, FRESH_FIRST, FRESH_SECOND, AT_CLOSE, NEVER = range(7)


class Order:
    """An order under way: signed `quantity` still to do of listing `i`, and its conditions (NaN where it has none).

    `stop` waits for the price to pass it, `limit` bounds the price, `trail` is the distance a stop keeps behind the
    best price since. Orders of one `group` cancel one another; one with a `parent` waits until that is filled:
    `entered` is the price at which it was, for the rest of the bar inside of which that happened, and `heading` says
    which of the bar's extremes is sure to come after it: 1 the high, -1 the low, 0 neither. `enlarges`
    says that one with a parent went through the limits, being no exit. `rested` says that an event it could have been
    filled on has passed. `filled`, `filled_value` and `fees_paid` are the units, notional and
    fee of its fills so far; `unpaid_price` and `unpaid_at` the open that is its when the sales of its instant are in.
    """

    def __init__(self) -> None:
        self.number = 0
        self.i = 0
        self.quantity = 0.0
        self.limit = UNSET
        self.stop = UNSET
        self.trail = UNSET
        self.best = UNSET
        self.reserved = 0.0
        self.time_in_force = GTC
        self.on = ANY
        self.group = 0
        self.parent = 0
        self.reduce_only = False
        self.enlarges = False
        self.triggered = False
        self.cancel_requested = False
        self.rested = False
        self.entered = UNSET
        self.heading = 0
        self.filled = 0.0
        self.filled_value = 0.0
        self.fees_paid = 0.0
        self.unpaid_price = UNSET
        self.unpaid_at = 0
        self.turn = NEVER
        self.day = -(1 << 62)
        self.decided_at = 0
        self.active_from = 0
        self.state = FREE
