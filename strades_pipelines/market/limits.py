"""The table of limits, and the one function that finds the limit an order is over.

`exceeded` is written over plain numbers. `market.risk` calls it with Decimal, `engine.gate` with float, and the
engine compiles it: so backtest, replay, paper and live have the same rules.
"""

import math
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Generic, TypeVar

Number = TypeVar("Number", Decimal, float)
ENDLESS = Decimal("Infinity")

# What `exceeded` returns: 0, or the number of an outcome of the engine (`strategy.orders.OUTCOMES`).
WITHIN_LIMITS, BELOW_ZERO, OVER_WEIGHT, OVER_LEVERAGE = 0, 5, 7, 8
(
    RESTRICTED,
    OLD_PRICE,
    OVER_RATE,
    OUTSIDE_COLLAR,
    OVER_ORDER_UNITS,
    OVER_ORDER_NOTIONAL,
    OVER_POSITION_UNITS,
    OVER_POSITION_NOTIONAL,
    OVER_GROSS,
    OVER_NET,
    OVER_DAILY_LOSS,
    OVER_DRAWDOWN,
) = range(27, 39)


@dataclass(frozen=True, slots=True)
class Limit:
    """A row of the table.

    Args:
        name: the key under `limits` in Wallets.json and of `strades backtest --limit`.
        field: of `Limits`; None for what is no number.
        outcome: what `exceeded` returns for it; None where the engine of backtest and replay does not have it.
        code: of the refusal.
        unit: of the value; `percent` is kept as a part of 1.
        whole: whether only whole numbers make sense.
    """

    name: str
    field: str | None
    outcome: int | None
    code: str
    measures: str
    unit: str
    whole: bool = False


LIMITS = (
    Limit("long_only", None, BELOW_ZERO, "position_below_zero", "whether a position may be short", "true"),
    Limit("restricted", None, RESTRICTED, "restricted", "instruments that may only be sold off", "list of instruments"),
    Limit(
        "open_market_only", None, None, "market_closed", "whether the exchange's session must be on", "true or false"
    ),
    Limit("chosen_only", None, None, "not_chosen", "whether a choice of the day counts", "true or false"),
    Limit("max_price_age_seconds", "max_price_age", OLD_PRICE, "price_too_old", "time since the last price", "seconds"),
    Limit(
        "max_orders_per_minute",
        "max_orders_per_minute",
        OVER_RATE,
        "order_rate",
        "orders of the last 60 seconds, exits and this one too",
        "orders",
        whole=True,
    ),
    Limit(
        "price_collar_percent",
        "price_collar",
        OUTSIDE_COLLAR,
        "price_collar",
        "distance of limit, stop and trail from the last price",
        "percent",
    ),
    Limit("max_order_units", "max_order_units", OVER_ORDER_UNITS, "order_units", "size of one order", "units"),
    Limit(
        "max_order_notional", "max_order_notional", OVER_ORDER_NOTIONAL, "order_notional", "value of one order", "money"
    ),
    Limit(
        "max_position_units",
        "max_position_units",
        OVER_POSITION_UNITS,
        "position_units",
        "size of one position, long or short",
        "units",
    ),
    Limit(
        "max_position_notional",
        "max_position_notional",
        OVER_POSITION_NOTIONAL,
        "position_notional",
        "value of one position",
        "money",
    ),
    Limit(
        "max_position_percent",
        "max_weight",
        OVER_WEIGHT,
        "notional_over_equity",
        "value of one position over equity",
        "percent",
    ),
    Limit("max_gross_notional", "max_gross", OVER_GROSS, "gross_exposure", "value of all positions", "money"),
    Limit("max_net_notional", "max_net", OVER_NET, "net_exposure", "long less short positions", "money"),
    Limit("max_leverage", "leverage", OVER_LEVERAGE, "margin", "value of all positions over equity", "times"),
    Limit(
        "max_daily_loss_percent",
        "max_daily_loss",
        OVER_DAILY_LOSS,
        "daily_loss",
        "equity lost since the day (UTC) began",
        "percent",
    ),
    Limit("max_drawdown_percent", "max_drawdown", OVER_DRAWDOWN, "max_drawdown", "equity below its highest", "percent"),
)


@dataclass
class Limits(Generic[Number]):
    """The numbers of the table; infinite where there is no limit. Percentages are parts of 1.

    It is not frozen, since compiled code writes back what it was laid out from.
    """

    max_price_age: Number
    max_orders_per_minute: Number
    price_collar: Number
    max_order_units: Number
    max_order_notional: Number
    max_position_units: Number
    max_position_notional: Number
    max_weight: Number
    max_gross: Number
    max_net: Number
    leverage: Number
    max_daily_loss: Number
    max_drawdown: Number


def no_limits() -> Limits[float]:
    """What a backtest has where nothing else is asked for."""
    return Limits(*[math.inf] * len(fields(Limits)))


@dataclass
class Measured(Generic[Number]):
    """What an order that enlarges a position comes to, with all that is under way at its worst.

    Args:
        restricted: whether the instrument may only be sold off.
        price_age: seconds since the last price was known.
        rate: orders of the last minute, this one too.
        distance: how far its farthest limit, stop or trail is from the last price; 0 without one.
        last_price: 0 where none is known.
        units, unit: of the order, both above zero; `unit` is what one costs in the account's currency.
        position: units of the instrument that may come to be held, long or short.
        gross, net: the value of all positions then, short ones counted as positive, and long less short.
        equity, day_equity, peak: now, before the first event of the day (UTC), and the highest so far.
        slack: what rounding may add to a limit: 1 for exact numbers.
    """

    restricted: bool
    price_age: Number
    rate: Number
    distance: Number
    last_price: Number
    units: Number
    unit: Number
    position: Number
    gross: Number
    net: Number
    equity: Number
    day_equity: Number
    peak: Number
    slack: Number


def exceeded(order: Measured[Number], limits: Limits[Number]) -> int:
    """The outcome of the first limit that the order is over; WITHIN_LIMITS for none. At a limit is within it."""
    if order.restricted:
        return RESTRICTED
    if order.price_age > limits.max_price_age:
        return OLD_PRICE
    if order.rate > limits.max_orders_per_minute:
        return OVER_RATE
    # A share of an infinite limit is not formed: infinite times zero is no number.
    if math.isfinite(limits.price_collar) and order.distance > limits.price_collar * order.last_price * order.slack:
        return OUTSIDE_COLLAR
    if order.units > limits.max_order_units * order.slack:
        return OVER_ORDER_UNITS
    if order.units * order.unit > limits.max_order_notional * order.slack:
        return OVER_ORDER_NOTIONAL
    if order.position > limits.max_position_units * order.slack:
        return OVER_POSITION_UNITS
    value = order.position * order.unit
    if value > limits.max_position_notional * order.slack:
        return OVER_POSITION_NOTIONAL
    if math.isfinite(limits.max_weight) and value > limits.max_weight * order.equity * order.slack:
        return OVER_WEIGHT
    if order.gross > limits.max_gross * order.slack:
        return OVER_GROSS
    if order.net > limits.max_net * order.slack:
        return OVER_NET
    if math.isfinite(limits.leverage) and order.gross > limits.leverage * order.equity * order.slack:
        return OVER_LEVERAGE
    lost = order.day_equity - order.equity
    if math.isfinite(limits.max_daily_loss) and lost > limits.max_daily_loss * order.day_equity * order.slack:
        return OVER_DAILY_LOSS
    lost = order.peak - order.equity
    if math.isfinite(limits.max_drawdown) and lost > limits.max_drawdown * order.peak * order.slack:
        return OVER_DRAWDOWN
    return WITHIN_LIMITS


def is_exit(held: Number, change: Number) -> bool:
    """Whether the change makes a position smaller, and does not turn it. No limit holds an exit back."""
    after = held + change
    return held * after >= 0 and abs(after) <= abs(held)


def as_floats(limits: Limits[Decimal]) -> dict[str, float]:
    """The numbers by field, for the engine."""
    return {name: float(value) for name, value in vars(limits).items()}
